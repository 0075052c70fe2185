from datetime import timedelta

from podtune.testing.clock import START
from podtune.testing.serverless.jobs import ABSENT, Event, JobStatus, QueuedJob
from podtune.testing.serverless.policy import read_policy

SECOND = timedelta(seconds=1)


def job(**values):
    given = {"input": {"x": 1}, "policy": read_policy(None, 0), "submitted_at": START}
    return QueuedJob("job-1", **{**given, "kept": timedelta(minutes=30), **values})


def test_a_waiting_job_shows_its_id_and_status_only():
    assert job().view() == {"id": "job-1", "status": "IN_QUEUE"}


def test_times_are_milliseconds_from_submission_and_from_the_last_start():
    it = job()
    it.give_to("w1", START + 2 * SECOND)
    assert it.view() == {
        "delayTime": 2000,
        "id": "job-1",
        "status": "IN_PROGRESS",
        "workerId": "w1",
    }
    it.output = {"y": 2}
    it.finish(JobStatus.COMPLETED, START + 5 * SECOND)
    assert it.view() == {
        "delayTime": 2000,
        "executionTime": 3000,
        "id": "job-1",
        "output": {"y": 2},
        "status": "COMPLETED",
        "workerId": "w1",
    }


def test_a_null_output_is_not_an_absent_one():
    it = job()
    it.give_to("w1", START)
    it.output = None
    assert it.view()["output"] is None
    it.output = ABSENT
    assert "output" not in it.view()


def test_the_webhook_gets_input_and_address_back():
    it = job(webhook="http://127.0.0.1/done", s3_config={"accessSecret": "planted"})
    it.give_to("w1", START)
    it.finish(JobStatus.FAILED, START, "boom")
    assert list(it.callback()) == sorted(it.callback())
    assert it.callback()["input"] == {"x": 1}
    assert it.callback()["webhook"] == "http://127.0.0.1/done"
    assert "planted" not in str(it.callback()) + str(it.view())


def test_a_worker_is_not_handed_an_empty_input():
    assert job(input={}).order() == {"id": "job-1"}
    assert job(s3_config={"bucketName": "b"}).order() == {
        "id": "job-1",
        "input": {"x": 1},
        "s3Config": {"bucketName": "b"},
    }


def test_what_time_does_next():
    it = job(policy=read_policy({"executionTimeout": 60_000, "ttl": 3_600_000}, 0))
    assert it.next_event() == (START + timedelta(hours=1), Event.DELETE)
    it.give_to("w1", START + SECOND)
    assert it.next_event() == (START + 41 * SECOND, Event.REDISPATCH)
    it.reported_at = START + 40 * SECOND
    assert it.next_event() == (START + 61 * SECOND, Event.TIME_OUT)
    it.finish(JobStatus.TIMED_OUT, START + 61 * SECOND)
    assert it.next_event() == (START + 61 * SECOND + timedelta(minutes=30), Event.DELETE)
    it.delete_by = START + 70 * SECOND
    assert it.next_event() == (START + 70 * SECOND, Event.DELETE)


def test_a_retry_begins_anew_and_a_second_dispatch_does_not():
    it = job()
    it.give_to("w1", START + SECOND)
    it.retries = 1
    it.give_back()
    it.give_to("w2", START + 50 * SECOND)
    assert it.view()["delayTime"] == 50_000
    it.pieces.append("left over")
    it.finish(JobStatus.FAILED, START + 60 * SECOND, "boom")
    it.reset(START + 90 * SECOND)
    assert it.view() == {"id": "job-1", "status": "IN_QUEUE"}
    assert not it.pieces
    it.give_to("w3", START + 91 * SECOND)
    assert it.view()["delayTime"] == 1000
