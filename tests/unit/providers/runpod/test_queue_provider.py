"""Jobs of a queue as machines: sent once for a name, looked at, ended, proved over."""

from datetime import timedelta

import pytest

from podtune.core.errors import DoubtfulError, NotFoundError, ProviderError, SpecError
from podtune.core.limits import Limits
from podtune.providers.base import InstanceState, LaunchRequest, QueuedWork
from podtune.providers.runpod.orders import OrderBook
from podtune.providers.runpod.queue import QueueJob
from podtune.providers.runpod.queue_provider import (
    FILE,
    QueueProvider,
    instance_id,
    parts,
    placed,
    state_of,
)
from support import build

NAME = "pt-owner123-demo-abc234-1-x1767340000"
WORK = QueuedWork("ep1", {"job_id": "a"}, 3600, 7200)


class Queue:
    """RunPod's job API with one job."""

    def __init__(self):
        self.status_ = "IN_QUEUE"
        self.sent, self.cancelled, self.error = [], [], None

    def run(self, endpoint, given, policy):
        self.sent.append((endpoint, given, policy))
        if self.error:
            raise self.error
        return QueueJob(id="j-u1", status="IN_QUEUE")

    def status(self, endpoint, job_id):
        assert (endpoint, job_id) == ("ep1", "j-u1")
        if self.status_ is None:
            raise NotFoundError("gone")
        return QueueJob(id=job_id, status=self.status_)

    def cancel(self, endpoint, job_id):
        self.cancelled.append(job_id)
        if self.status_ is None:
            raise NotFoundError("gone")
        self.status_ = "CANCELLED"


class Bench:
    def __init__(self, folder):
        self.now, self.queue, self.folder = build.NOW, Queue(), folder
        limits = Limits(proof_window_s=60)
        self.provider = QueueProvider(self.queue, limits, clock=lambda: self.now)
        self.confirmed = []

    def launch(self, work=WORK):
        confirm = lambda: self.confirmed.append(1)  # noqa: E731
        request = LaunchRequest(NAME, self.folder, {}, queued=work, confirm=confirm)
        return self.provider.launch(request)

    def end(self, rests_s=0):
        return self.provider.end("ep1/j-u1", rests_s)

    def later(self, seconds):
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path)


def test_it_is_sent_once_for_a_name(bench):
    made = bench.launch()
    assert (made.id, made.name) == ("ep1/j-u1", NAME)
    assert bench.launch() == made
    assert len(bench.queue.sent) == len(bench.confirmed) == 1
    endpoint, given, policy = bench.queue.sent[0]
    assert (endpoint, given, *policy) == ("ep1", {"job_id": "a"}, 3600, 7200)


def test_an_order_whose_answer_was_lost_is_never_sent_again(bench):
    bench.queue.error = DoubtfulError("lost")
    for _ in range(2):
        with pytest.raises(DoubtfulError):
            bench.launch()
    with pytest.raises(DoubtfulError, match="sent before"):
        bench.launch(work=None)
    assert len(bench.queue.sent) == 1
    assert OrderBook(bench.folder).open_since(NAME) == build.NOW


def test_a_refused_order_may_be_sent_again(bench):
    bench.queue.error = SpecError("no")
    with pytest.raises(SpecError):
        bench.launch()
    bench.queue.error = None
    assert bench.launch().id == "ep1/j-u1"


def test_who_lost_the_job_meanwhile_sends_nothing(bench):
    def lost():
        raise ProviderError("another has it")

    request = LaunchRequest(NAME, bench.folder, {}, queued=WORK, confirm=lost)
    with pytest.raises(ProviderError):
        bench.provider.launch(request)
    assert not bench.queue.sent
    assert OrderBook(bench.folder).open_since(NAME) is None


def test_what_says_nothing_to_send_is_a_fault_of_ours(bench):
    with pytest.raises(ProviderError, match="nothing to send"):
        bench.launch(work=None)


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("IN_QUEUE", InstanceState.STARTING), ("IN_PROGRESS", InstanceState.RUNNING),
        ("RUNNING", InstanceState.RUNNING), ("COMPLETED", InstanceState.STOPPED),
        ("FAILED", InstanceState.STOPPED), ("CANCELLED", InstanceState.STOPPED),
        ("TIMED_OUT", InstanceState.STOPPED), ("SOMETHING_NEW", InstanceState.RUNNING),
    ],
)  # fmt: skip
def test_a_status_as_a_state(bench, status, state):
    assert state_of(QueueJob(id="j", status=status)) is state
    bench.queue.status_ = status
    assert bench.provider.inspect("ep1/j-u1") is state


def test_one_that_runpod_does_not_know_is_gone(bench):
    bench.queue.status_ = None
    assert bench.provider.look("ep1/j-u1") is None
    assert bench.provider.inspect("ep1/j-u1") is InstanceState.GONE


def test_one_that_runs_is_cancelled_and_proved_over_for_the_window(bench):
    bench.queue.status_ = "IN_PROGRESS"
    assert bench.end() is None
    assert bench.queue.cancelled == ["j-u1"]
    assert bench.end() is None
    bench.later(59)
    assert bench.end() is None
    bench.later(1)
    proof = bench.end()
    assert (proof.instance_id, proof.ended, proof.absent_at) == ("ep1/j-u1", 1, bench.now)
    assert "CANCELLED" in proof.method


def test_proof_waits_as_long_as_its_worker_is_billed(bench):
    bench.queue.status_ = "COMPLETED"
    assert bench.end(300) is None
    bench.later(299)
    assert bench.end(300) is None
    bench.later(1)
    assert bench.end(300).ended == 0
    assert not bench.queue.cancelled


def test_one_that_is_given_out_anew_is_not_over(bench):
    bench.queue.status_ = "FAILED"
    bench.end()
    bench.later(59)
    bench.queue.status_ = "IN_QUEUE"  # somebody retried it at the console
    assert bench.end() is None
    bench.later(59)
    assert bench.end() is None, "the window begins anew"
    bench.later(60)
    assert bench.end() is not None


def test_one_that_ends_while_it_is_cancelled(bench):
    bench.queue.cancel = lambda *_: (_ for _ in ()).throw(NotFoundError("gone"))
    assert bench.end() is None


def test_nothing_sent_is_proof_by_itself(bench):
    assert bench.provider.terminate(NAME, None).instance_id is None
    assert bench.provider.owned("owner123") == ()


def test_what_it_became_is_on_disk_and_read_back(bench):
    bench.launch()
    assert placed(bench.folder, NAME).id == "ep1/j-u1"
    assert placed(bench.folder, "another") is None
    (bench.folder / FILE).write_text("{")
    assert placed(bench.folder, NAME) is None


def test_the_id_of_an_instance():
    assert parts(instance_id("ep", "j-1")) == ("ep", "j-1")
    assert parts("nothing") == ("nothing", "")
