import json

import pytest

from podtune.core.access import Scope
from podtune.mcp_server import looking
from support import desks, homes
from support.agents import Door

ROW_TEXT = "hold button"


@pytest.fixture
def job(host, work):
    plan = homes.plan(work)
    return host.service.submit(plan, digest=plan.digest)


def test_data_is_checked_without_a_row_in_the_answer(host, work):
    (work / "bad.jsonl").write_text(
        (work / "tickets.jsonl").read_text() + '{"messages": [{"role": "user"]}\n', encoding="utf-8"
    )
    told = host.told("check_data", source="bad.jsonl")
    assert (told["format"], told["rows"], told["good_rows"], told["is_trainable"]) == (
        "chat_messages", 25, 24, True,
    )  # fmt: skip
    assert any(
        kind["severity"] == "error" and kind["first_lines"] == ["25"] for kind in told["kinds"]
    )
    assert "1 rows cannot be used" in told["next"]
    assert ROW_TEXT not in json.dumps(told)


def test_personal_data_is_told_by_kind_and_never_by_value(host, work):
    row = {
        "messages": [
            {"role": "user", "content": "I am ana.planted@mail.example, who is it?"},
            {"role": "assistant", "content": "Call +49 170 1234567, please."},
        ]
    }
    (work / "pii.jsonl").write_text((json.dumps(row) + "\n") * 3, encoding="utf-8")
    told = host.told("check_data", source="pii.jsonl")
    assert any(kind["code"].startswith("pii_") for kind in told["kinds"])
    for planted in ("ana", "planted", "1234567"):
        assert planted not in json.dumps(told["kinds"])


def test_columns_that_are_not_clear_are_the_user_s_choice(host, work):
    (work / "t.csv").write_text("a,b,c\n" + "one,two,three\n" * 5, encoding="utf-8")
    told = host.told("check_data", source="t.csv")
    assert not told["is_trainable"] or any(c["is_open"] for c in told["choices"].values())
    chosen = host.told("check_data", source="t.csv", columns={"prompt": "a", "completion": "b"})
    assert chosen["columns"] == {"prompt": "a", "completion": "b"}
    assert chosen["is_trainable"]


def test_data_outside_of_the_workspace_is_refused(host, tmp_path):
    homes.data(tmp_path, name="secret.jsonl")
    assert host.refusal("check_data", source="../secret.jsonl")["code"] == "outside_workspace"


def test_the_client_s_roots_say_where_data_may_be(host, tmp_path):
    homes.data(tmp_path / "elsewhere", name="faq.jsonl")
    told = host.told("check_data", [tmp_path / "elsewhere"], source="faq.jsonl")
    assert told["source"] == str(tmp_path / "elsewhere" / "faq.jsonl")
    refused = host.refusal("check_data", [tmp_path / "elsewhere"], source="tickets.jsonl")
    assert refused["code"] == "file_not_found"


def test_a_tenant_names_no_file_of_this_machine(hosted, work):
    host = hosted(door=Door(desks.tenant("acme")))
    refused = host.refusal("check_data", source=str(work / "tickets.jsonl"))
    assert refused["code"] == "operator_only"


def test_who_may_only_look_at_jobs_has_nothing_fetched(hosted):
    host = hosted(door=Door(desks.tenant("acme", Scope.READ, Scope.CANCEL, Scope.APPROVE)))
    refused = host.refusal("check_data", source="https://x.example/rows.jsonl")
    assert refused["code"] == "scope_missing"


def test_the_status_of_a_job(host, job):
    told = host.told("status", job_id=job.id)
    assert (told["status"]["phase"], told["is_finished"], told["has_changed"]) == (
        "queued", False, False,
    )  # fmt: skip
    assert "wait_s 45" in told["next"]
    homes.finish(host.service.settings, job)
    told = host.told("status", job_id=job.id, wait_s=60)
    assert (told["is_finished"], told["status"]["status"]) == (True, "completed")
    assert "`artifact`" in told["next"]


def test_progress_is_reported_while_it_waits(host, job):
    seen = []

    async def progress(done, total, message):
        seen.append((done, total, message))

    async def talk(agent):
        arguments = {"job_id": job.id, "wait_s": 0.01}
        return await agent.call_tool("status", arguments, progress_callback=progress)

    host.talk(talk)
    assert seen[0] == (0.0, 100.0, "queued, step 0")


def test_a_wait_has_an_end(host, job):
    told = host.call("status", job_id=job.id, wait_s=61)
    assert told.is_error
    assert "less than or equal to 60" in told.content[0].text


def test_the_end_of_a_log_without_secrets(host, job):
    path = host.service.folder(job).log
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [f"line {n}" for n in range(100)] + ["key hf_plantedplantedplanted", "x" * 5000]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    told = host.told("logs", job_id=job.id, lines=3)
    assert told["lines"][:2] == ["line 99", "key ***"]
    assert len(told["lines"][2]) == looking.LINE_CHARACTERS
    assert told["left_out"] == 99
    assert told["workflow"][0] == {"about": "queued", "says": "submitted"}


def test_an_artifact_is_told_with_its_proof(host, job):
    assert host.refusal("artifact", job_id=job.id)["code"] == "no_artifact"
    homes.finish(host.service.settings, job)
    told = host.told("artifact", job_id=job.id)
    assert told["folder"] == str(host.service.folder(job).artifact)
    assert told["is_proved"]
    assert "adapter_model.safetensors" in {held["name"] for held in told["files"]}


def test_a_changed_artifact_is_no_result(host, job):
    homes.finish(host.service.settings, job)
    (host.service.folder(job).artifact / "adapter_model.safetensors").write_bytes(b"x")
    assert host.refusal("artifact", job_id=job.id)["code"] == "integrity_mismatch"


def test_jobs_come_in_pages(host, work):
    plan = homes.plan(work)
    made = [host.service.submit(plan, digest=plan.digest).id for _ in range(3)]
    first = host.told("jobs", limit=2)
    assert (len(first["jobs"]), first["has_more"]) == (2, True)
    rest = host.told("jobs", limit=2, after=first["jobs"][-1]["job_id"])
    assert ({job["job_id"] for job in first["jobs"] + rest["jobs"]}, rest["has_more"]) == (
        set(made), False,
    )  # fmt: skip


def test_a_tenant_sees_its_own_jobs_only(hosted, host, job):
    other = hosted(door=Door(desks.tenant("acme")))
    assert other.told("jobs")["jobs"] == []
    for tool in ("status", "logs", "artifact", "cancel"):
        assert other.refusal(tool, job_id=job.id)["code"] == "not_found"
