from datetime import timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from podtune.testing.clock import START
from podtune.testing.serverless.jobs import ABSENT, JobStatus, QueuedJob
from podtune.testing.serverless.policy import read_policy
from podtune.testing.serverless.queue import EndpointQueue

SECOND = timedelta(seconds=1)


def job(job_id, at=START, **policy):
    return QueuedJob(job_id, {"x": 1}, read_policy(policy, 0), at, timedelta(minutes=30))


@pytest.fixture
def ended():
    return []


@pytest.fixture
def queue(ended):
    return EndpointQueue(ended.append)


def test_jobs_are_given_out_in_order_and_low_priority_last(queue):
    for name, low in [("a", True), ("b", False), ("c", False)]:
        queue.submit(job(name, lowPriority=low))
    assert [j.id for j in queue.waiting(with_low_priority=False)] == ["b", "c"]
    assert [j.id for j in queue.take("w1", 2, START)] == ["b", "c"]
    assert [j.id for j in queue.take("w2", 5, START)] == ["a"]
    assert queue.take("w2", 5, START) == []
    assert [j.id for j in queue.running("w1")] == ["b", "c"]


def test_a_silent_worker_loses_its_job_once_and_then_the_job_fails(queue, ended):
    queue.submit(job("a"))
    queue.submit(job("b"))
    (first,) = queue.take("w1", 1, START)
    queue.tick(START + 39.9 * SECOND)
    assert first.status is JobStatus.IN_PROGRESS
    queue.tick(START + 40 * SECOND)
    assert (first.status, first.retries) == (JobStatus.IN_QUEUE, 1)
    assert [j.id for j in queue.waiting()] == ["a", "b"]  # before those that came later
    assert queue.held("w1", "a") is None
    queue.take("w2", 1, START + 60 * SECOND)
    queue.tick(START + 101 * SECOND)
    assert first.view() == {
        "delayTime": 60_000,
        "error": "job timed out after 1 retries",
        "executionTime": 40_000,
        "id": "a",
        "retries": 1,
        "status": "FAILED",
        "workerId": "w2",
    }
    assert ended == [first]
    assert queue.counts()["retried"] == queue.counts()["failed"] == 1


def test_a_worker_that_names_its_job_keeps_it(queue):
    queue.submit(job("a"))
    queue.take("w1", 1, START)
    for second in range(30, 600, 30):
        queue.report("w1", ["a"], START + second * SECOND)
        queue.tick(START + second * SECOND)
    assert queue.held("w1", "a") is not None
    queue.report("w2", ["a"], START + 590 * SECOND)  # somebody else's word does not count
    assert queue.jobs["a"].reported_at == START + 570 * SECOND


def test_a_job_is_stopped_when_it_runs_too_long(queue, ended):
    queue.submit(job("a", executionTimeout=5000))
    queue.take("w1", 1, START)
    queue.tick(START + timedelta(days=1) - SECOND)
    assert [(j.id, j.status) for j in ended] == [("a", JobStatus.TIMED_OUT)]
    assert ended[0].view()["executionTime"] == 5000
    assert "a" not in queue.jobs  # and its result is gone half an hour later
    assert queue.stops("w1") == ["a"]
    assert queue.stops("w1") == []


def test_ttl_deletes_a_job_even_while_it_runs(queue, ended):
    queue.submit(job("waits", ttl=10_000))
    queue.submit(job("runs", ttl=20_000, executionTimeout=60_000))
    queue.tick(START + 10 * SECOND)
    assert list(queue.jobs) == ["runs"]
    queue.take("w1", 1, START + 10 * SECOND)
    queue.tick(START + 20 * SECOND)
    assert queue.jobs == {}
    assert queue.stops("w1") == ["runs"]
    assert ended == []


def test_a_result_is_kept_for_its_time(queue):
    queue.submit(job("a"))
    (taken,) = queue.take("w1", 1, START)
    queue.finish(taken, {"y": 1}, None, START + SECOND)
    queue.tick(START + SECOND + timedelta(minutes=30) - SECOND)
    assert taken.id in queue.jobs
    queue.tick(START + SECOND + timedelta(minutes=30))
    assert queue.jobs == {}


@pytest.mark.parametrize(
    ("error", "status"),
    [
        ("boom", JobStatus.FAILED),
        (None, JobStatus.COMPLETED),
        ("", JobStatus.COMPLETED),
        ({"type": "x"}, JobStatus.FAILED),
    ],
)
def test_an_error_makes_a_job_fail_with_its_output(queue, error, status):
    queue.submit(job("a"))
    (taken,) = queue.take("w1", 1, START)
    queue.finish(taken, {"progress": 5}, error, START)
    assert taken.status is status
    assert taken.output == {"progress": 5}


def test_cancel_takes_a_job_out_of_the_queue_or_stops_it(queue, ended):
    for name in "abc":
        queue.submit(job(name))
    (running,) = queue.take("w1", 1, START)
    queue.progress(running, {"step": 1}, START)
    queue.cancel(running, START)
    queue.cancel(queue.jobs["b"], START)
    assert queue.stops("w1") == ["a"]
    assert [j.id for j in queue.waiting()] == ["c"]
    assert running.view()["status"] == "CANCELLED"
    assert running.output is ABSENT
    queue.cancel(running, START)
    assert [j.id for j in ended] == ["a", "b"]
    assert queue.counts()["failed"] == 0


def test_only_failed_and_timed_out_jobs_are_retried(queue):
    queue.submit(job("a"))
    it = queue.jobs["a"]
    assert not queue.retry(it, START)
    queue.take("w1", 1, START)
    assert not queue.retry(it, START)
    queue.finish(it, ABSENT, "boom", START)
    assert queue.retry(it, START)
    assert [j.id for j in queue.waiting()] == ["a"]
    queue.cancel(it, START)
    assert not queue.retry(it, START)


def test_purge_removes_what_waits(queue):
    for name in "abc":
        queue.submit(job(name))
    queue.take("w1", 1, START)
    assert queue.purge() == 2
    assert list(queue.jobs) == ["a"]
    assert queue.purge() == 0


def test_a_deleted_endpoint_cancels_everything(queue, ended):
    queue.submit(job("a"))
    queue.submit(job("b"))
    queue.take("w1", 1, START)
    queue.cancel_all(START)
    assert {j.status for j in ended} == {JobStatus.CANCELLED}
    assert len(ended) == 2


def test_a_queue_tells_when_time_matters_next(queue):
    assert queue.next_event() is None
    queue.submit(job("a"))
    assert queue.next_event() == START + timedelta(days=1)
    queue.take("w1", 1, START)
    assert queue.next_event() == START + 40 * SECOND


class AnyUse(RuleBasedStateMachine):
    """Whatever clients, workers and time do, in any order."""

    @initialize()
    def start(self):
        self.now = START
        self.ended = []
        self.queue = EndpointQueue(self.ended.append)
        self.made = 0
        self.failures = 0

    def known(self, data):
        return data.draw(st.sampled_from(sorted(self.queue.jobs))) if self.queue.jobs else None

    @rule(low=st.booleans(), ttl=st.integers(10_000, 300_000))
    def submit(self, low, ttl):
        self.made += 1
        name = f"job-{self.made:03}"
        self.queue.submit(job(name, self.now, lowPriority=low, ttl=ttl, executionTimeout=60_000))

    @rule(worker=st.sampled_from("vw"), count=st.integers(1, 3))
    def take(self, worker, count):
        self.queue.take(worker, count, self.now)

    @rule(worker=st.sampled_from("vw"), data=st.data(), error=st.sampled_from([None, "boom"]))
    def done(self, worker, data, error):
        it = self.queue.held(worker, self.known(data) or "none")
        if it is not None:
            self.queue.finish(it, {"y": 1}, error, self.now)

    @rule(data=st.data())
    def cancel(self, data):
        name = self.known(data)
        if name is not None:
            self.queue.cancel(self.queue.jobs[name], self.now)

    @rule(data=st.data())
    def retry(self, data):
        name = self.known(data)
        if name is not None:
            self.queue.retry(self.queue.jobs[name], self.now)

    @rule(worker=st.sampled_from("vw"))
    def name_jobs(self, worker):
        self.queue.report(worker, [j.id for j in self.queue.running(worker)], self.now)

    @rule()
    def purge(self):
        self.queue.purge()

    @rule(seconds=st.integers(0, 2000))
    def wait(self, seconds):
        self.now += timedelta(seconds=seconds)
        self.queue.tick(self.now)

    @invariant()
    def the_queue_is_what_waits(self):
        waiting = [j.id for j in self.queue.waiting()]
        assert len(waiting) == len(set(waiting))
        in_queue = {j.id for j in self.queue.jobs.values() if j.status is JobStatus.IN_QUEUE}
        assert set(waiting) == in_queue

    @invariant()
    def every_view_fits_its_status(self):
        for it in self.queue.jobs.values():
            shown = it.view()
            assert (it.finished_at is not None) is it.status.is_final
            assert ("executionTime" in shown) <= it.status.is_final
            assert shown.get("delayTime", 0) >= 0
            assert it.retries <= 1

    @invariant()
    def nothing_is_overdue_after_a_tick(self):
        self.queue.tick(self.now)
        due = self.queue.next_event()
        assert due is None or due > self.now

    @invariant()
    def failures_never_fall(self):
        failed = self.queue.counts()["failed"]
        assert failed >= self.failures
        self.failures = failed


AnyUse.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestAnyUse = AnyUse.TestCase
