"""What a worker answers by itself, before any program runs. Jobs that run: `test_serverless_run.py`."""

import asyncio
import json
import os

import pytest

from podtune.core.states import WireStatus
from support.serverless_jobs import Bench


@pytest.fixture
def bench(tmp_path, tiny):
    made = Bench(tmp_path, tiny)
    yield made
    made.close()


def event(bench, **more):
    return {"id": "e1", "input": bench.input("https://data.example/rows.jsonl?token=x", **more)}


@pytest.mark.parametrize(
    "given", [None, {}, [], "x", {"job_id": "../x"}, {"job_id": 5}, {"job_id": "j", "upload": 1}]
)
def test_what_is_no_request_is_answered_at_once(bench, given):
    body = asyncio.run(bench.worker().run({"id": "e1", "input": given}))
    assert (body["status"], body["error_code"]) == ("failed", "bad_request_body")
    assert body["error"]
    assert not (bench.home / "jobs").exists()


def test_an_upload_that_may_not_be_reached_is_refused_at_once(bench):
    upload = {"archive": {"url": "https://10.1.2.3/a?token=secret"}}
    body = asyncio.run(bench.worker().run(event(bench, upload=upload)))
    assert body["error_code"] == "url_blocked"
    assert "secret" not in json.dumps(body)


def test_every_fault_is_named_at_once(bench):
    bad = event(bench, hyperparameters={"learning_rate": -1, "lora_rank": 0}, colour="red")
    made = bench.worker()
    body = asyncio.run(made.run(bad))
    for name in ("learning_rate", "lora_rank", "colour"):
        assert name in body["error_message"]
    assert body["status"] == WireStatus.FAILED
    assert (body["job_id"], body["external_job_id"]) == ("job-1", "e1")
    assert made.statuses["e1"].to_wire()["error_code"] == "bad_request_body"
    assert "token=x" not in json.dumps(body)
    assert bench.updates == []


def test_a_refusal_is_told_to_the_store_that_the_request_names(bench):
    names = ("archive", "result", "checkpoint")
    upload = {name: bench.server.address(f"{name}-1") for name in names}
    body = asyncio.run(bench.worker().run(event(bench, upload=upload, attempt=2, colour="red")))
    assert body["error_code"] == "bad_request_body"
    told = json.loads(bench.server.kept["/result-1?signature=secret"])
    assert (told["job"], told["attempt"], told["ok"]) == ("job-1", 2, False)
    assert told["error_code"] == "bad_request_body"
    assert len(bench.server.asked) == 1


def test_terms_that_are_none_are_refused(bench):
    body = asyncio.run(bench.worker().run(event(bench, begin_by="soon")))
    assert (body["error_code"], "begin_by" in body["error_message"]) == ("bad_request_body", True)


def test_old_folders_go_with_the_first_job_and_its_own_stays(bench):
    jobs = bench.home / "jobs"
    for name in ("job-1", "old"):
        (jobs / name).mkdir(parents=True)
        (jobs / name / "asked.json").write_text('{"job_id": "x", "digest": "y"}', encoding="utf-8")
        for path in (jobs / name / "asked.json", jobs / name):
            os.utime(path, (1_000, 1_000))
    made = bench.worker()
    made.keep_days = 7
    assert asyncio.run(made.run(event(bench)))["error_code"] == "job_id_taken"
    made.cleaning.join(20)
    assert [path.name for path in jobs.iterdir()] == ["job-1"]
    first = made.cleaning
    asyncio.run(made.run(event(bench)))
    assert made.cleaning is first


def test_a_workers_repr_holds_no_key(bench):
    assert "planted" not in repr(bench.worker())
