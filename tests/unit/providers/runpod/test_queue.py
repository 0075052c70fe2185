import json

import httpx2
import pytest
from pydantic import SecretStr

from podtune.core.errors import (
    CredentialsError,
    DoubtfulError,
    NotFoundError,
    SpecError,
    UnavailableError,
)
from podtune.providers.runpod.access import RunPodAccess
from podtune.providers.runpod.queue import LARGEST_INPUT, Policy, QueueClient, QueueStatus
from podtune.testing.faults import FaultKind, FaultRule
from support.runpod_account import KEY, Time
from support.serverless_site import HandWorker, Site

POLICY = Policy(60, 600)
JOB = "b83e90ec-17e0-4a3c-8398-3ca8ea7e9d49-u1"


class Answers:
    """Answers given one by one; requests are kept."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.requests = []

    def __call__(self, request):
        self.requests.append(request)
        given = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(given, BaseException):
            raise given
        return given


def queue(handler):
    time = Time()
    access = RunPodAccess(SecretStr(KEY), jobs_url="https://jobs.test/v2")
    return QueueClient(
        access, transport=httpx2.MockTransport(handler), sleep=time.sleep, clock=time.monotonic
    )


def said(status, body):
    return httpx2.Response(status, json=body)


def test_a_job_goes_its_way():
    site = Site(worker=HandWorker(lambda job: [{"step": 1}, {"output": {"echo": job["input"]}}]))
    endpoint = site.deploy().endpoint_id
    job = site.queue.run(endpoint, {"x": 1}, POLICY)
    assert (job.status, job.is_over, job.has_output) == (QueueStatus.IN_QUEUE, False, False)
    site.pause(1)
    site.pause(1)
    running = site.queue.status(endpoint, job.id)
    assert running.is_running
    assert running.output == {"step": 1}
    assert site.queue.health(endpoint).jobs.in_progress == 1
    site.pause(1)
    done = site.queue.status(endpoint, job.id)
    assert done.is_over
    assert done.output == {"echo": {"x": 1}}
    assert done.execution_time == 2000
    assert site.queue.health(endpoint).jobs.completed == 1


def test_a_job_is_cancelled_and_stays_so():
    site = Site()
    endpoint = site.deploy().endpoint_id
    job = site.queue.run(endpoint, {"x": 1}, POLICY)
    assert site.queue.cancel(endpoint, job.id).status == "CANCELLED"
    assert site.queue.status(endpoint, job.id).is_over


def test_the_limits_are_always_sent_in_milliseconds():
    seen = Answers(said(200, {"id": JOB, "status": "IN_QUEUE"}))
    queue(seen).run("e1", {"x": 1}, POLICY)
    (request,) = seen.requests
    assert str(request.url) == "https://jobs.test/v2/e1/run"
    assert json.loads(request.content) == {
        "input": {"x": 1}, "policy": {"executionTimeout": 60_000, "ttl": 600_000},
    }  # fmt: skip
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.headers["user-agent"].startswith("podtune/")


@pytest.mark.parametrize("bad", [(4, 100), (60, 60), (604_801, 604_802), (60, 604_801), (600, 60)])
def test_limits_out_of_range_are_not_sent(bad):
    seen = Answers(said(200, {}))
    with pytest.raises(SpecError) as caught:
        queue(seen).run("e1", {}, Policy(*bad))
    assert caught.value.code == "bad_policy"
    assert seen.requests == []


def test_an_input_that_is_too_large_is_not_sent():
    seen = Answers(said(200, {}))
    with pytest.raises(SpecError, match="10,485,760") as caught:
        queue(seen).run("e1", "x" * LARGEST_INPUT, POLICY)
    assert caught.value.code == "input_too_large"
    assert seen.requests == []


@pytest.mark.parametrize(
    "answer",
    [
        httpx2.ReadTimeout("slow"),
        httpx2.RemoteProtocolError("cut"),
        said(500, {"error": "x"}),
        said(502, {}),
        httpx2.Response(200, content=b"<html>"),
        said(200, {"id": "../x", "status": "IN_QUEUE"}),
        said(200, {"status": "IN_QUEUE"}),
    ],
)
def test_a_job_whose_answer_was_lost_is_sent_once(answer):
    seen = Answers(answer)
    with pytest.raises(DoubtfulError, match="may run all the same"):
        queue(seen).run("e1", {}, POLICY)
    assert len(seen.requests) == 1


def test_what_was_not_sent_at_all_is_no_doubt():
    with pytest.raises(UnavailableError):
        queue(Answers(httpx2.ConnectError("no"))).run("e1", {}, POLICY)


def test_a_full_queue_is_asked_again_for_a_while():
    seen = Answers(said(429, {"error": "slow down"}), said(200, {"id": JOB, "status": "IN_QUEUE"}))
    assert queue(seen).run("e1", {}, POLICY).id == JOB
    busy = Answers(said(429, {"error": "slow down"}))
    with pytest.raises(UnavailableError):
        queue(busy).run("e1", {}, POLICY)
    assert len(busy.requests) == 4


def test_refusals_are_ours():
    with pytest.raises(SpecError, match="QB API") as caught:
        queue(Answers(said(400, {"error": "not allowed for QB API"}))).run("e1", {}, POLICY)
    assert caught.value.code == "job_refused"
    with pytest.raises(CredentialsError):
        queue(Answers(said(401, {"error": "unauthorized"}))).run("e1", {}, POLICY)
    with pytest.raises(NotFoundError):
        queue(Answers(said(404, {"error": "no"}))).status("e1", JOB)


def test_the_key_never_gets_into_an_error():
    with pytest.raises(SpecError) as caught:
        queue(Answers(said(400, {"error": f"bad key {KEY}"}))).run("e1", {}, POLICY)
    assert "PLANTED" not in str(caught.value.to_json())


@pytest.mark.parametrize(("endpoint", "job"), [("a/b", JOB), ("e1", "../health"), ("e1", "")])
def test_nothing_odd_gets_into_an_address(endpoint, job):
    seen = Answers(said(200, {}))
    with pytest.raises(NotFoundError):
        queue(seen).status(endpoint, job)
    assert seen.requests == []


def test_a_status_of_tomorrow_counts_as_open():
    seen = Answers(said(200, {"id": JOB, "status": "PAUSED", "novel": 1}))
    job = queue(seen).status("e1", JOB)
    assert (job.is_over, job.is_running) == (False, False)


def test_an_output_of_null_is_none():
    seen = Answers(said(200, {"id": JOB, "status": "COMPLETED", "output": None}))
    assert not queue(seen).status("e1", JOB).has_output


def test_reads_are_repeated():
    site = Site(FaultRule(kind=FaultKind.BEFORE_EFFECT, route="serverless_status", nth=(1, 2)))
    endpoint = site.deploy().endpoint_id
    job = site.queue.run(endpoint, {"x": 1}, POLICY)
    assert site.queue.status(endpoint, job.id).id == job.id
