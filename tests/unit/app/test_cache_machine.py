"""The machine of a run when something is wrong; what goes well: tests/contract/test_model_cache.py."""

from datetime import timedelta
from decimal import Decimal

import pytest
from pydantic import SecretStr

from podtune.app.cache_machine import CacheMachine, Tools
from podtune.app.cache_order import Candidate, Lease
from podtune.app.cache_records import CacheRecords, Run
from podtune.core.cache_filling import FillError, FillProgress, FillStatus
from podtune.core.errors import (
    ArtifactError,
    BalanceError,
    CredentialsError,
    DoubtfulError,
    NoCapacityError,
    ProviderError,
    UnavailableError,
)
from podtune.core.job import Instance, TerminationProof
from podtune.core.limits import Limits
from podtune.providers.base import InstanceState
from podtune.providers.runpod.access import RunPodAccess
from support import build
from support.caches import order

CPU = Candidate(build.offer("cpu5c", usd="0.14"), 4)
LEASE = Lease("vol1", "US-TX-3", 2.0)
DONE = FillStatus(phase="finished", attempt=1, fill=FillProgress(sealed=True, done_files=1))


class Pods:
    """A provider of memory; `answers` to orders one by one, then one machine."""

    def __init__(self, *answers):
        self.answers, self.asked, self.ended = list(answers), [], []
        self.state, self.unproved = InstanceState.RUNNING, 0

    def launch(self, request):
        self.asked.append(request.name)
        answer = self.answers.pop(0) if self.answers else None
        if answer is not None:
            raise answer
        return Instance(
            id="pod1", name=request.name, started_at=build.NOW, usd_per_hour=Decimal("0.14")
        )

    def inspect(self, instance_id):
        return self.state

    def terminate(self, name, instance_id):
        self.ended.append((name, instance_id))
        if self.unproved:
            self.unproved -= 1
            return None
        return TerminationProof(instance_id=instance_id, ended=1, absent_at=build.NOW, method="l")


class Port:
    """A machine's port: what it says, one by one; the last word stays."""

    def __init__(self, *says):
        self.says, self.filled = list(says), []

    def __call__(self, url, token):
        self.url = url
        return self

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    def fill(self, message):
        self.filled.append(message)

    def fill_status(self):
        said = self.says.pop(0) if len(self.says) > 1 else self.says[0]
        if isinstance(said, Exception):
            raise said
        return said


class Scene:
    def __init__(self, folder, pods, port):
        self.pods, self.port, self.now, self.said = pods, port, build.NOW, []
        self.records = CacheRecords(folder)
        self.run = Run(job="cache-abc", volume="vol1", model="org/m")
        access = RunPodAccess(SecretStr("rpa_x"))
        tools = Tools(
            pods, access, self.records, lambda: self.now, self.sleep, port, self.said.append
        )
        self.machine = CacheMachine(Limits(), tools, "owner123", self.run)
        self.records.folder("cache-abc").mkdir(parents=True, exist_ok=True)

    def sleep(self, seconds):
        self.now += timedelta(seconds=seconds)

    def fill(self, *candidates):
        return self.machine.fill(
            order(), candidates or (CPU,), LEASE, lambda name: SecretStr("token")
        )


@pytest.fixture
def scene(tmp_path):
    return lambda pods=None, *says: Scene(tmp_path, pods or Pods(), Port(*says or (DONE,)))


def silent():
    return UnavailableError("nobody answers")


def failed(code, advice="do this"):
    error = FillError(code=code, message="it failed", advice=advice)
    return FillStatus(phase="failed", attempt=1, fill=FillProgress(error=error))


def test_it_is_told_once_it_answers_and_ended_when_it_is_done(scene):
    there = scene(None, silent(), FillStatus(phase="waiting", attempt=1), DONE)
    done = there.fill()
    assert len(there.port.filled) == 1
    assert there.pods.ended == [(there.pods.asked[0], "pod1")]
    assert done.proof.method == "l"
    assert Decimal(0) < done.usd < Decimal("0.01")
    assert there.records.left() == []


def test_the_next_machine_has_a_name_of_its_own(scene):
    there = scene(Pods(NoCapacityError("none"), NoCapacityError("none")))
    there.fill(CPU, CPU, CPU)
    assert len(set(there.pods.asked)) == 3
    assert [name.split("-")[4] for name in there.pods.asked] == ["1", "2", "3"]
    assert len(there.pods.ended) == 1  # what was surely refused needs no end


def test_when_none_can_be_had_that_is_the_error(scene):
    with pytest.raises(NoCapacityError):
        scene(Pods(NoCapacityError("none"))).fill(CPU)
    there = scene(Pods(BalanceError("no money")))
    with pytest.raises(BalanceError):
        there.fill(CPU, CPU)
    assert len(there.pods.asked) == 1


def test_an_order_whose_answer_was_lost_is_looked_for_then_ended(scene):
    lost = DoubtfulError("lost", context={"settled": False})
    there = scene(Pods(lost, lost))
    assert there.fill().proof
    assert len(set(there.pods.asked)) == 1
    gone = scene(Pods(lost, DoubtfulError("lost", context={"settled": True})))
    with pytest.raises(DoubtfulError):
        gone.fill()
    assert gone.pods.ended == [(gone.pods.asked[0], None)]


def test_a_machine_that_never_answers_is_ended_at_its_boot_limit(scene):
    there = scene(None, silent())
    with pytest.raises(ProviderError) as caught:
        there.fill()
    assert caught.value.code == "boot_timeout"
    assert (there.now - build.NOW).total_seconds() < 1000
    assert there.pods.ended


def test_one_that_falls_silent_is_ended(scene):
    there = scene(None, FillStatus(phase="waiting", attempt=1), silent())
    with pytest.raises(ProviderError) as caught:
        there.fill()
    assert caught.value.code == "worker_silent"


def test_one_that_is_gone_is_told_soon(scene):
    pods = Pods()
    pods.state = InstanceState.GONE
    there = scene(pods, silent())
    with pytest.raises(ProviderError) as caught:
        there.fill()
    assert caught.value.code == "worker_lost"
    assert (there.now - build.NOW).total_seconds() < 120


def test_the_deadline_holds_whatever_it_says(scene):
    working = FillStatus(phase="receiving", attempt=1, fill=FillProgress(done_bytes=1))
    there = scene(None, working)
    with pytest.raises(ProviderError) as caught:
        there.fill()
    assert caught.value.code == "over_time"
    assert timedelta(hours=2) <= there.now - build.NOW < timedelta(hours=2, minutes=1)


@pytest.mark.parametrize(
    ("said", "kind", "code"),
    [
        ("integrity_mismatch", ArtifactError, "integrity_mismatch"),
        ("hub_refused", CredentialsError, "hub_refused"),
        ("rm -rf", ProviderError, "pod_failed"),
    ],
)
def test_a_failure_becomes_one_of_ours(scene, said, kind, code):
    there = scene(None, failed(said))
    with pytest.raises(kind) as caught:
        there.fill()
    assert (caught.value.code, caught.value.hint) == (code, "do this")
    assert there.pods.ended


def test_what_is_not_proved_gone_is_told_and_stays_written_down(scene):
    pods = Pods()
    pods.unproved = 10_000
    there = scene(pods)
    with pytest.raises(UnavailableError) as caught:
        there.fill()
    assert caught.value.code == "not_proved_gone"
    assert caught.value.hint == "podtune reap, until it finds none"
    assert there.records.left()[0].names == (there.pods.asked[0],)
    pods.unproved = 0
    there.machine.end_left(there.pods.asked[0], "pod1")
    assert there.records.left() == []
