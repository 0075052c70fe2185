"""The tools over streamable HTTP, behind a gateway's doors, on a real socket."""

import json

import pytest

from podtune.core.access import Scope
from podtune.mcp_server.http import Agents
from support import gateways
from support.agents import error, fields, over_http, with_roots


@pytest.fixture
def gateway(tmp_path, work):
    with gateways.Gateway(gateways.settings(tmp_path), agents=Agents(work)) as made:
        yield made


@pytest.mark.parametrize("mode", ["legacy", "auto"])
def test_this_machine_s_own_user_plans_and_submits(gateway, mode):
    async def talk(agent):
        asked = {"fields": {"data.source": "tickets.jsonl", "base_model": "model"}}
        plan = fields(await agent.call_tool("plan", asked))
        return fields(await agent.call_tool("submit", {"token": plan["token"]}))

    told = over_http(gateway.url, talk, mode=mode)
    assert told["state"] == "accepted"
    (job,) = gateway.service.jobs()
    assert (job.id, job.tenant) == (told["job_id"], None)


@pytest.mark.parametrize("mode", ["legacy", "auto"])
def test_roots_of_another_machine_open_nothing_here(gateway, mode, tmp_path):
    async def talk(agent):
        return await agent.call_tool("check_data", {"source": str(tmp_path / "model")})

    told = over_http(gateway.url, talk, mode=mode, list_roots_callback=with_roots(tmp_path))
    assert error(told)["code"] == "outside_workspace"


@pytest.mark.parametrize("mode", ["legacy", "auto"])
def test_each_key_is_a_tenant_of_its_own(gateway, work, mode):
    own = gateway.key(tenant="acme")
    other = gateway.key(Scope.READ, tenant="other")

    async def checks(agent):
        named = {"source": str(work / "tickets.jsonl")}
        return await agent.call_tool("check_data", named), await agent.read_resource(
            "podtune://jobs"
        )

    told, listed = over_http(gateway.url, checks, own, mode=mode)
    assert error(told)["code"] == "operator_only"
    assert json.loads(listed.contents[0].text)["jobs"] == []

    async def plans(agent):
        asked = {"fields": {"data.source": "https://x.example/a", "base_model": "acme/tiny"}}
        return await agent.call_tool("plan", asked)

    assert error(over_http(gateway.url, plans, other, mode=mode))["code"] == "scope_missing"


def test_a_page_that_had_its_name_rebound_is_refused(gateway):
    begin = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
    accept = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}
    for headers, status in (
        ({"Host": "rebound.example"}, 421),
        ({"Origin": "https://x.example"}, 403),
    ):
        with gateway.client(**headers) as client:
            assert client.post("/mcp", json=begin, headers=accept).status_code == status


def test_progress_comes_over_the_line_while_a_job_is_waited_for(gateway, work):
    seen = []

    async def progress(done, total, message):
        seen.append(message)

    async def talk(agent):
        asked = {"fields": {"data.source": "tickets.jsonl", "base_model": "model"}}
        plan = fields(await agent.call_tool("plan", asked))
        job = fields(await agent.call_tool("submit", {"token": plan["token"]}))["job_id"]
        waiting = {"job_id": job, "wait_s": 1}
        return fields(await agent.call_tool("status", waiting, progress_callback=progress))

    for mode in ("legacy", "auto"):
        assert over_http(gateway.url, talk, mode=mode)["status"]["phase"] == "queued"
    assert seen.count("queued, step 0") >= 2


def test_a_wait_ends_when_the_gateway_stops(tmp_path, work):
    with gateways.Gateway(gateways.settings(tmp_path), agents=Agents(work)) as gateway:

        async def progress(done, total, message):
            gateway.server.should_exit = True

        async def talk(agent):
            asked = {"fields": {"data.source": "tickets.jsonl", "base_model": "model"}}
            plan = fields(await agent.call_tool("plan", asked))
            job = fields(await agent.call_tool("submit", {"token": plan["token"]}))["job_id"]
            waiting = {"job_id": job, "wait_s": 60}
            return fields(await agent.call_tool("status", waiting, progress_callback=progress))

        assert not over_http(gateway.url, talk)["has_changed"]


def test_the_log_names_the_route_and_no_token_of_a_plan(gateway):
    async def talk(agent):
        asked = {"fields": {"data.source": "tickets.jsonl", "base_model": "model"}}
        return fields(await agent.call_tool("plan", asked))["token"]

    token = over_http(gateway.url, talk)
    assert any(line.get("route") == "/mcp" for line in gateway.lines(1))
    assert token not in gateway.log.getvalue()
