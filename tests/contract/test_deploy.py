"""`podtune runpod deploy | undeploy` over sockets, every request held against RunPod's OpenAPI document.

And through faults of the control plane: nothing is made twice, nothing of ours is left.
"""

import json
import re
import sys
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import jsonschema
import pytest
from pydantic import SecretStr

from podtune.app import deploy, deploy_apply, undeploy, verify_endpoint, verify_plan
from podtune.app.deploy import Here
from podtune.app.deploy_wish import Wish
from podtune.app.verify_following import Watch
from podtune.core.errors import PodtuneError
from podtune.providers.runpod import endpoints
from podtune.providers.runpod.access import RunPodAccess
from podtune.providers.runpod.client import RunPodClient
from podtune.providers.runpod.queue import QueueClient
from podtune.providers.runpod.wire import CreateVolume, Volume
from podtune.testing.cloud import Cloud
from podtune.testing.faults import FaultKind, FaultRule
from podtune.testing.options import CloudOptions
from podtune.testing.process_pods import ProcessPods
from podtune.testing.server import CloudServer
from podtune.testing.serverless.queues import ServerlessOptions
from podtune.testing.serverless.service import attach
from podtune.testing.serverless.worker import WorkerTimes
from support.serverless_site import HERE, OWNER, Site

DOCUMENT = Path(__file__).resolve().parents[3] / "shared/reference/runpod-rest-v2-openapi.json"
PROGRAM = Path(__file__).parent.parent / "support" / "runpod_sdk" / "trainer.py"
NAME = "podtune-lora-trainer"


@cache
def document():
    if not DOCUMENT.is_file():
        pytest.skip("RunPod's OpenAPI document is not beside this checkout")
    return json.loads(DOCUMENT.read_text(encoding="utf-8"))


def operation(method, path):
    found = [t for t in document()["paths"] if re.fullmatch(re.sub(r"\{[^}]+\}", "[^/]+", t), path)]
    return document()["paths"][min(found, key=lambda text: text.count("{"))][method.lower()]


def check_request(method, path, content):
    """One request against the document; a field that it does not know is an error."""
    if not path.startswith("/v2/"):
        return
    described = operation(method, path)
    if not content:
        assert not described.get("requestBody", {}).get("required"), path
        return
    schema = described["requestBody"]["content"]["application/json"]["schema"]
    whole = {**schema, "components": document()["components"]}
    jsonschema.Draft202012Validator(whole).validate(json.loads(content))


class Recorded(Cloud):
    """A cloud that keeps what it was asked."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.asked = []

    def handle(self, request):
        if not request.path.startswith("/ai/"):
            self.asked.append(request)
        return super().handle(request)


@pytest.fixture
def cloud():
    made = Recorded()
    attach(made)
    with CloudServer(made) as server:
        yield server


def access(server):
    told = server.environment()
    return RunPodAccess(
        SecretStr(told["RUNPOD_API_KEY"]), told["RUNPOD_REST_BASE_URL"], told["RUNPOD_API_BASE_URL"],
        told["RUNPOD_ENDPOINT_BASE_URL"],
    )  # fmt: skip


def deployed(client, here=HERE, **wish):
    asked = Wish(**{"image": "podtune/worker:1.0", **wish})
    return deploy_apply.apply(client, deploy.plan(client, asked, here), here)


def test_every_request_is_as_documented_and_a_second_deploy_writes_nothing(cloud):
    login = (SecretStr("user"), SecretStr("password"))
    here = Here(OWNER, "https://x.supabase.co", SecretStr("planted"), login)
    account = cloud.cloud.account
    with RunPodClient(access(cloud)) as client, QueueClient(access(cloud)) as queue:
        volume = client.create("/network-volumes", _volume(), Volume).id
        deployed(client, here, volume=volume, gpus=("RTX 4090",), env={"A": "1"})
        begun = len(cloud.cloud.asked)
        assert (
            deployed(client, here, volume=volume, gpus=("RTX 4090",), env={"A": "1"}).written == 0
        )
        assert {request.method for request in cloud.cloud.asked[begun:]} == {"GET"}
        deployed(client, here, image="podtune/worker:2.0", gpus=("H100",), workers_min=1)
        (endpoint,) = account.endpoints.values()
        assert endpoint.settings["gpu"]["pools"] == ["ADA_80_PRO"]
        undeploy.end(client, undeploy.find(client, queue, NAME, OWNER))
    assert (account.endpoints, account.templates) == ({}, {})
    assert list(account.volumes) == [volume]
    for request in cloud.cloud.asked:
        check_request(request.method, request.path, request.body)
    one = re.compile("(serverless|templates)/.+")
    seen = {f"{r.method} {one.sub('ID', r.path)}" for r in cloud.cloud.asked}
    assert {
        "POST /v2/registries", "POST /v2/templates", "PATCH /v2/ID", "DELETE /v2/ID",
        "POST /v2/serverless", "GET /v2/catalog/gpus",
    } <= seen  # fmt: skip


def _volume():
    return CreateVolume(name="cache", size=200, data_center="US-KS-2")


KINDS = (FaultKind.BEFORE_EFFECT, FaultKind.AFTER_EFFECT, FaultKind.WRONG_BODY, FaultKind.RESET)
ROUTES = (
    "list_endpoints", "list_templates", "list_registries", "list_gpus", "create_registry",
    "create_template", "create_endpoint", "update_template", "update_endpoint", "delete_endpoint",
    "delete_template",
)  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("nth", [1, 2])
def test_commands_run_again_until_they_succeed_make_and_leave_nothing_twice(kind, route, nth):
    site = Site(FaultRule(kind=kind, route=route, nth=(nth,)))
    here = HERE._replace(registry_login=(SecretStr("u"), SecretStr("p")))

    hints = []

    def again(command):
        for _ in range(4):
            try:
                return command()
            except PodtuneError as error:
                hints.append(error.hint)
                site.pause(60)
        raise AssertionError("it does not come to an end")

    again(lambda: site.deploy(here))
    again(lambda: site.deploy(here, image="podtune/worker:2.0"))
    assert len(site.endpoints()) == len(site.templates()) == len(site.cloud.account.registries) == 1
    assert site.endpoints()[0]["image"] == "podtune/worker:2.0"
    again(
        lambda: undeploy.end(
            site.client, undeploy.find(site.client, site.queue, NAME, OWNER), pause=site.pause
        )
    )
    assert (site.endpoints(), site.templates()) == ([], [])
    assert all(hints)


@pytest.fixture
def sdk(root):
    """A Python that has the unmodified runpod SDK."""
    apart = root / ".venv" / "runpod-sdk" / "bin" / "python"
    if apart.is_file():
        return apart
    if find_spec("runpod") is None:
        pytest.skip("the runpod SDK is not installed: `make setup` installs it")
    return Path(sys.executable)


TIMES = WorkerTimes(boot_s=0, restart_s=0.2, grace_s=1, stop_limit_s=30, ping_interval_s=1)


def test_the_unmodified_sdk_passes_the_verification(sdk, tmp_path):
    """deploy, verify and undeploy; the worker is a real process with RunPod's own loop in it."""
    quick = {"OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1", "HOME": str(tmp_path)}
    cloud = Cloud(
        executor=ProcessPods(tmp_path / "cloud", environment=quick), options=CloudOptions()
    )
    attach(cloud, ServerlessOptions(take_hold_s=5, times=TIMES))
    with CloudServer(cloud) as server, RunPodClient(access(server)) as client:
        made = deployed(client)
        with cloud.lock:  # the image's own command, which a stand-in has not
            cloud.account.endpoints[made.endpoint_id].settings["args"] = f"{sdk} -u {PROGRAM}"
        with QueueClient(access(server)) as queue:
            planned = verify_plan.plan(
                verify_plan.Asked(made.endpoint_id, dataset_url="https://data.example.org/rows.jsonl"),
                endpoints.listed(client), endpoints.cards(client), client.access.jobs_url,
            )  # fmt: skip
            said = []
            found = verify_endpoint.verify(client, queue, planned, Watch(said.append))
            assert found.ok, (found, said)
            undeploy.end(client, undeploy.find(client, queue, NAME, OWNER))
        assert cloud.account.endpoints == {}
