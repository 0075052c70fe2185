import json

import pytest
from mcp.shared.exceptions import MCPError

from podtune.core.artifact import SignedReceipt
from podtune.core.wire import TrainingStatus
from podtune.mcp_server.resources import JSON
from support import desks, homes
from support.agents import Door


@pytest.fixture
def job(host, work):
    plan = homes.plan(work)
    return host.service.submit(plan, digest=plan.digest)


def read(host, uri):
    (held,) = host.talk(lambda agent: agent.read_resource(uri)).contents
    assert held.mime_type == JSON
    return held.text


def test_what_there_is_to_read(host):
    listed = host.talk(lambda agent: agent.list_resources()).resources
    templates = host.talk(lambda agent: agent.list_resource_templates()).resource_templates
    assert [one.uri for one in listed] == ["podtune://jobs"]
    assert [one.uri_template for one in templates] == [
        "podtune://jobs/{id}", "podtune://jobs/{id}/receipt",
    ]  # fmt: skip
    assert all(one.description for one in [*listed, *templates])


def test_jobs_a_status_and_a_receipt(host, job):
    (listed,) = json.loads(read(host, "podtune://jobs"))["jobs"]
    assert listed["job_id"] == job.id
    status = TrainingStatus.model_validate_json(read(host, f"podtune://jobs/{job.id}"))
    assert status.phase == "queued"
    homes.finish(host.service.settings, job)
    receipt = SignedReceipt.model_validate_json(read(host, f"podtune://jobs/{job.id}/receipt"))
    assert receipt.receipt.job == job.id


@pytest.mark.parametrize("name", ["nothing", "nothing/receipt"])
def test_what_is_not_there_is_an_error_with_our_code(host, name):
    with pytest.raises(MCPError) as caught:
        read(host, f"podtune://jobs/{name}")
    assert caught.value.error.data["code"] == "not_found"


def test_a_job_of_another_is_not_there(hosted, job):
    other = hosted(door=Door(desks.tenant("acme")))
    assert json.loads(read(other, "podtune://jobs"))["jobs"] == []
    with pytest.raises(MCPError):
        read(other, f"podtune://jobs/{job.id}")
