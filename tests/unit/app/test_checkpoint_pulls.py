"""Checkpoints come here now and then, whole or not at all, and not for ever more of them."""

import json

import pytest

from podtune.app.checkpoint_pulls import EVERY, KEPT, CheckpointPulls, is_sealed, prune
from podtune.app.pod_view import PodView
from podtune.core.handover import RemoteCheckpoint, RemoteFile
from support import build, rented_jobs

JOB = rented_jobs.job()


class Bench:
    def __init__(self, jobs):
        self.now = build.NOW
        self.folder = jobs / JOB.id / "checkpoints"
        self.folder.parent.mkdir()
        self.port = rented_jobs.Port("training")
        self.port.kept = {"w": b"x", "complete.json": b"{}"}
        view = PodView(jobs, rented_jobs.Pods(), None, lambda: self.now)
        self.pulls = CheckpointPulls(jobs, view, lambda: self.now, within_s=1)

    def seal(self, *steps):
        files = tuple(RemoteFile(name=n, bytes=1, sha256="0" * 64) for n in ("complete.json", "w"))
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


@pytest.mark.parametrize(("seal", "sealed"), [("{}", True), ("[]", False), ("{", False)])
def test_a_seal_is_a_whole_json_object(tmp_path, seal, sealed):
    assert not is_sealed(tmp_path)
    (tmp_path / "complete.json").write_text(seal)
    assert is_sealed(tmp_path) is sealed
    if sealed:
        assert json.loads(seal) == {}
