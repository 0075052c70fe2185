"""An agent drives a whole training by the official client: data in a root, a plan, a token, a proved adapter."""

import json
from pathlib import Path

import pytest
from mcp.shared.exceptions import MCPError

from podtune.core.artifact import REQUIRED_FILES, SignedReceipt
from support import homes, tiny_model
from support.agents import error, fields, over_http, over_stdio, to_the_end, with_roots
from support.gateways import Program

SENTENCE = "Train on tickets.jsonl, on this machine, with rank 4, for 2 steps"
ROW_TEXT = ("hold button", "reset grinder")


class Told(list):
    """Everything that an agent was told."""

    async def call(self, agent, tool, **arguments):
        answer = await agent.call_tool(tool, arguments)
        self.append(answer.model_dump_json())
        return answer


async def flow(agent, plan, told):
    """From the data to the adapter; the job's id, its last status and the progress that was reported."""
    data = fields(await told.call(agent, "check_data", source="tickets.jsonl"))
    assert (data["is_trainable"], data["good_rows"]) == (True, 24)
    planned = fields(await told.call(agent, "plan", **plan))
    assert (planned["state"], planned["cost_usd"]) == ("ready", 0.0), planned["questions"]
    started = fields(await told.call(agent, "submit", token=planned["token"]))
    job = started["job_id"]
    again = fields(await told.call(agent, "submit", token=planned["token"]))
    assert (again["job_id"], again["is_repetition"]) == (job, True)
    ended, seen = await to_the_end(agent, job)
    assert ended["status"]["status"] == "completed", ended
    return job, seen


async def results(agent, job, told):
    """What an agent reads of a job that completed."""
    made = fields(await told.call(agent, "artifact", job_id=job))
    assert made["is_proved"]
    assert set(REQUIRED_FILES) <= {held["name"] for held in made["files"]}
    log = fields(await told.call(agent, "logs", job_id=job))
    assert log["workflow"][-1]["about"] == "done"
    (listed,) = fields(await told.call(agent, "jobs"))["jobs"]
    assert (listed["job_id"], listed["outcome"]) == (job, "completed")
    (held,) = (await agent.read_resource(f"podtune://jobs/{job}/receipt")).contents
    receipt = SignedReceipt.model_validate_json(held.text).receipt
    assert (receipt.job, receipt.effect.passed) == (job, True)
    assert error(await told.call(agent, "cancel", job_id=job))["code"] == "already_ended"
    return made


@pytest.mark.timeout(600)
def test_a_training_of_the_packaged_model_from_a_sentence_over_stdio(home, tmp_path):
    root = homes.data(tmp_path / "my data").parent
    told = Told()

    async def talk(agent):
        job, seen = await flow(agent, {"request": SENTENCE}, told)
        return await results(agent, job, told), seen

    made, seen = over_stdio(home, talk, list_roots_callback=with_roots(root))
    assert made["base_model"]["name"].endswith("SmolLM2-135M-Instruct")
    assert Path(made["folder"]).is_dir()
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert any("training" in words for _, words in seen)
    assert not [text for text in ROW_TEXT if text in "".join(told)]
    assert home.json("receipt", made["job_id"])["receipt"]["job"] == made["job_id"]


@pytest.mark.timeout(300)
def test_a_training_over_http_on_this_machine(home, tiny, tmp_path):
    homes.data(tmp_path)
    plan = {
        "fields": {
            "data.source": "tickets.jsonl", "base_model": "model", "training.epochs": 2,
            "adapter.rank": 4,
        }
    }  # fmt: skip
    (tmp_path / "model").symlink_to(tiny)
    told = Told()

    async def talk(agent):
        refused = await told.call(agent, "plan", **plan)
        assert error(refused)["code"] == "outside_workspace", "the model is a link out"
        (tmp_path / "model").unlink()
        tiny_model.make(tmp_path / "model")
        job, seen = await flow(agent, plan, told)
        await results(agent, job, told)
        return seen

    with Program(home) as gateway:
        seen = over_http(gateway.url, talk)
        assert seen
        for headers, status in (
            ({"Host": "rebound.example"}, 421),
            ({"Origin": "https://x.example"}, 403),
        ):
            with gateway.client() as client:
                assert client.post("/mcp", headers=headers, json={}).status_code == status
    assert not [text for text in ROW_TEXT if text in "".join(told)]
    assert "Traceback" not in gateway.log()


def test_with_a_key_an_agent_is_a_tenant_and_without_one_nobody(home, tmp_path):
    homes.data(tmp_path)
    scopes = ("--scope", "submit", "--scope", "read", "--scope", "cancel")
    token = home.json("keys", "create", "agent", *scopes)["token"]

    async def talk(agent):
        mine = await agent.call_tool("jobs", {})
        data = await agent.call_tool("check_data", {"source": str(tmp_path / "tickets.jsonl")})
        with pytest.raises(MCPError):
            await agent.read_resource("podtune://jobs/nothing")
        return fields(mine), error(data)

    with Program(home) as gateway:
        mine, refused = over_http(gateway.url, talk, token)
        with gateway.client() as client:
            answer = client.post("/mcp", json={})
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "missing_key")
    assert (mine["jobs"], refused["code"]) == ([], "operator_only")
    assert token not in gateway.log()


def test_paid_jobs_keep_to_the_rules_of_approval(home, tmp_path):
    """Without a ceiling of the operator's nothing paid is planned, whatever the words are."""
    homes.data(tmp_path)
    words = "Fine-tune Qwen/Qwen3-8B on tickets.jsonl on RunPod, at most $500"

    async def talk(agent):
        return await agent.call_tool("plan", {"request": words})

    answer = over_stdio(home, talk)
    told = answer.structured_content
    assert "ptp_" not in json.dumps(told)
    assert answer.is_error or told["state"] == "questions"
