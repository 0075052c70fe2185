"""Checkpoints come here now and then, whole or not at all, and not for ever more of them."""

import hashlib
import json

import pytest

from podtune.app.checkpoint_pulls import (
    EVERY,
    KEPT,
    CheckpointPulls,
    is_sealed,
    newest_here,
    prune,
)
from podtune.app.pod_view import PodView
from podtune.core.handover import RemoteCheckpoint, RemoteFile
from podtune.workflow.store import LeaseLostError
from support import build, rented_jobs

JOB = rented_jobs.job(token=1)
KEPT_THERE = {"complete.json": b"{}", "w": b"x"}
SUMS = {name: hashlib.sha256(content).hexdigest() for name, content in KEPT_THERE.items()}


class Bench:
    def __init__(self, jobs):
        self.now = build.NOW
        self.folder = jobs / JOB.id / "checkpoints"
        self.folder.parent.mkdir()
        self.port = rented_jobs.Port("training")
        self.port.kept = dict(KEPT_THERE)
        view = PodView(jobs, rented_jobs.Pods(), None, lambda: self.now)
        self.holder = JOB
        self.pulls = CheckpointPulls(jobs, view, lambda: self.now, within_s=1, confirm=self.confirm)

    def confirm(self, job):
        if job.token != self.holder.token:
            raise LeaseLostError("another driver has taken over")

    def seal(self, *steps):
        files = tuple(RemoteFile(name=n, bytes=1, sha256=SUMS[n]) for n in SUMS)
        self.port.sealed = tuple(
            RemoteCheckpoint(name=f"checkpoint-{step}", step=step, bytes=2, files=files)
            for step in steps
        )

    def here(self):
        return sorted(path.name for path in self.folder.glob("*"))


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path)


def test_the_newest_is_brought_when_it_is_due(bench):
    bench.seal(8, 4)
    bench.pulls.now_and_then(JOB, bench.port)
    assert bench.here() == []
    bench.now += EVERY
    bench.pulls.now_and_then(JOB, bench.port)
    bench.pulls.now_and_then(JOB, bench.port)
    assert bench.here() == ["checkpoint-8"]
    assert bench.port.asked.count("fetch checkpoint-8") == 1


def test_without_a_checkpoint_there_is_nothing_to_wait_for(bench):
    assert bench.pulls.newest(JOB, bench.port)


def test_only_the_newest_are_kept_and_what_is_unsealed_is_left_alone(bench):
    for step in (2, 4, 6, 8):
        bench.seal(step)
        assert bench.pulls.newest(JOB, bench.port)
    (bench.folder / "checkpoint-1").mkdir()
    prune(bench.folder)
    assert bench.here() == ["checkpoint-1", "checkpoint-6", "checkpoint-8"]
    assert KEPT == 2


def test_one_that_is_here_is_not_fetched_again(bench):
    bench.seal(8)
    assert bench.pulls.newest(JOB, bench.port)
    assert bench.pulls.newest(JOB, bench.port)
    assert bench.port.asked.count("fetch checkpoint-8") == 1
    (bench.folder / "checkpoint-8" / "w").write_bytes(b"y")  # of an attempt before
    assert bench.pulls.newest(JOB, bench.port)
    assert (bench.folder / "checkpoint-8" / "w").read_bytes() == b"x"


def test_a_driver_that_was_frozen_in_mid_fetch_takes_nothing_from_under_the_one_that_followed(
    bench,
):
    bench.seal(8)
    fetch = bench.port.fetch_files

    def frozen(folder, *arguments, **named):
        fetch(folder, *arguments, **named)
        bench.port.fetch_files = fetch
        bench.holder = rented_jobs.job(token=2)
        assert bench.pulls.newest(bench.holder, bench.port)
        assert not folder.exists()
        return True

    bench.port.fetch_files = frozen
    with pytest.raises(LeaseLostError):
        bench.pulls.newest(JOB, bench.port)
    assert bench.here() == ["checkpoint-8"]
    assert is_sealed(bench.folder / "checkpoint-8")


class Left:
    """A store in which a machine left its newest checkpoint."""

    def __init__(self, **files):
        self.files, self.is_whole = files, True

    def fetch_checkpoint(self, key, into):
        assert key == (JOB.id, JOB.attempt)
        for name, content in self.files.items():
            path = into / "checkpoint-8" / name.replace("_", ".")
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content)
        return self.is_whole


def test_what_a_machine_left_in_its_store_comes_whole_or_not_at_all(bench):
    store = Left(w=b"half")
    store.is_whole = False
    assert not bench.pulls.left_in(store, JOB)
    assert not (bench.folder / "checkpoint-8").exists()
    assert bench.pulls.left_in(Left(w=b"x", complete_json=b"{}"), JOB)
    assert bench.here() == ["checkpoint-8"]
    assert is_sealed(bench.folder / "checkpoint-8")


def test_who_lost_the_job_puts_nothing_in_place(bench):
    bench.holder = rented_jobs.job(token=2)
    with pytest.raises(LeaseLostError):
        bench.pulls.left_in(Left(w=b"x", complete_json=b"{}"), JOB)
    assert not (bench.folder / "checkpoint-8").exists()


@pytest.mark.parametrize(("seal", "sealed"), [("{}", True), ("[]", False), ("{", False)])
def test_a_seal_is_a_whole_json_object(tmp_path, seal, sealed):
    assert not is_sealed(tmp_path)
    (tmp_path / "complete.json").write_text(seal)
    assert is_sealed(tmp_path) is sealed
    if sealed:
        assert json.loads(seal) == {}


def test_the_newest_that_is_here_is_a_sealed_one(tmp_path):
    assert newest_here(tmp_path / "none") is None
    for step in (8, 12, 40):
        (tmp_path / f"checkpoint-{step}").mkdir()
    for step in (8, 12):
        (tmp_path / f"checkpoint-{step}" / "complete.json").write_text("{}")
    assert newest_here(tmp_path) == 12
