"""The played worker: what it says, when, and what it leaves."""

import json
from datetime import timedelta

import pytest

from podtune.core.events import EventKind, parse_line
from podtune.core.handover import verified_event
from podtune.storage import artifact_folder
from podtune.testing.clock import START
from podtune.testing.scripted_worker import Disk, ScriptedWorker
from podtune.testing.scripts import Misfortune, Script
from support.played_pod import EVENT_KEY, bundle


def after(seconds):
    return START + timedelta(seconds=seconds)


def work(script=None, *, until_s=10_000.0, disk=None, content=None):
    """A worker that began at the start, and its disk."""
    disk = disk or Disk()
    disk.bundle = content if content is not None else bundle()
    worker = ScriptedWorker(script or Script(), disk, "j1", 1)
    worker.event_key = EVENT_KEY
    worker.begin(START)
    worker.advance(after(until_s))
    return worker, disk


def events(disk):
    return [parse_line(line) for line in disk.events.decode().splitlines()]


def result(disk):
    return events(disk)[-1].result


def test_the_whole_way_by_the_plans_steps():
    worker, disk = work(content=bundle(steps=7))
    told = events(disk)
    assert [e.seq for e in told] == list(range(len(told)))
    assert [e.step for e in told if e.kind is EventKind.STEP] == list(range(1, 8))
    assert {e.total_steps for e in told if e.kind is EventKind.STEP} == {7}
    assert (worker.phase, worker.exit_code, worker.due) == ("finished", 0, None)
    assert told[-1].result.ok


def test_times_are_those_of_the_script():
    script = Script(install_s=20, check_s=5, load_s=10, step_s=2, save_s=2, prove_s=5, steps=3)
    _, disk = work(script)
    assert [e.time for e in events(disk) if e.kind is EventKind.STEP] == [
        after(37), after(39), after(41)
    ]  # fmt: skip
    assert events(disk)[-1].time == after(48)


@pytest.mark.parametrize(
    ("seconds", "phase"),
    [(0, "installing"), (19, "installing"), (20, "checking"), (25, "training"), (52, "finished")],
)
def test_phases_come_in_their_time(seconds, phase):
    assert work(until_s=seconds)[0].phase == phase


def test_time_in_small_steps_gives_the_same_as_one_leap():
    disk = Disk(bundle=bundle())
    worker = ScriptedWorker(Script(), disk, "j1", 1)
    worker.begin(START)
    for tenth in range(1000):
        worker.advance(after(tenth / 10))
    assert disk.events == work()[1].events


def test_its_output_is_signed_by_the_key():
    worker, disk = work()
    lines = worker.take_lines()
    signed = [found[1] for line in lines if (found := verified_event(line, EVENT_KEY))]
    assert signed == disk.events.decode().splitlines()
    assert worker.take_lines() == []


def test_the_artifact_passes_the_check(tmp_path):
    _, disk = work()
    for name, content in disk.artifact.items():
        (tmp_path / name).write_bytes(content)
    assert artifact_folder.verify(tmp_path, result(disk).files).files == result(disk).files


def test_checkpoints_are_sealed():
    _, disk = work(Script(save_every=4))
    assert sorted(disk.checkpoints) == [4, 8]
    sums = json.loads(disk.checkpoints[8]["complete.json"])
    assert set(sums) == set(disk.checkpoints[8]) - {"complete.json"}


def test_it_goes_on_from_the_bundles_checkpoint():
    _, disk = work(content=bundle(steps=10, checkpoint=6))
    assert [e.step for e in events(disk) if e.kind is EventKind.STEP] == [7, 8, 9, 10]


@pytest.mark.parametrize(
    ("misfortune", "code"),
    [
        (Misfortune.CRASH, "worker_lost"),
        (Misfortune.NAN_LOSS, "loss_not_finite"),
        (Misfortune.OUT_OF_MEMORY, "out_of_memory"),
        (Misfortune.IMAGE_UNFIT, "image_unfit"),
    ],
)
def test_failures_are_typed(misfortune, code):
    worker, disk = work(Script(misfortune=misfortune, at_step=4))
    assert (result(disk).ok, result(disk).error_code) == (False, code)
    steps = [e.step for e in events(disk) if e.kind is EventKind.STEP]
    assert steps == ([] if misfortune is Misfortune.IMAGE_UNFIT else [1, 2, 3])
    assert (worker.phase, disk.artifact) == ("failed", {})


def test_a_silent_worker_says_nothing_more():
    worker, disk = work(Script(misfortune=Misfortune.SILENCE, at_step=3))
    assert events(disk)[-1].step == 2
    assert (worker.phase, worker.due) == ("training", None)


def test_a_lost_one_takes_everything_with_it():
    assert work(Script(misfortune=Misfortune.LOST))[0].is_lost


def test_a_deaf_one_goes_on():
    worker, disk = work(Script(misfortune=Misfortune.DEAF))
    assert worker.is_deaf
    assert result(disk).ok


def test_a_cancelled_one_saves_first_and_only_once():
    worker, disk = work(Script(save_every=50), until_s=39)
    worker.cancel(after(39))
    worker.cancel(after(40))
    worker.advance(after(41))
    assert list(disk.checkpoints) == [4]
    assert result(disk).error_code == "interrupted"
    told = len(disk.events)
    worker.cancel(after(50))
    assert len(disk.events) == told


def test_a_hung_one_is_killed_when_it_is_cancelled():
    worker, disk = work(Script(misfortune=Misfortune.SILENCE), until_s=60)
    worker.cancel(after(60))
    worker.advance(after(89))
    assert worker.phase == "training"
    worker.advance(after(90))
    assert result(disk).error_code == "worker_lost"


def test_one_that_ended_cannot_be_cancelled():
    worker, disk = work()
    before = disk.events
    worker.cancel(after(20_000))
    assert (worker.phase, disk.events) == ("finished", before)


@pytest.mark.parametrize(("seconds", "phase"), [(45, "failed"), (10_000, "finished")])
def test_a_container_started_again_does_not_train_again(seconds, phase):
    _, disk = work(until_s=seconds)
    again = ScriptedWorker(Script(), disk, "j1", 1)
    again.serve_again(after(seconds))
    again.advance(after(30_000))
    assert again.phase == phase
    assert [e.seq for e in events(disk)] == list(range(len(events(disk))))
    assert events(disk)[-1].kind is EventKind.RESULT


def test_a_machines_clock_may_be_ahead():
    disk = Disk(bundle=bundle())
    worker = ScriptedWorker(Script(), disk, "j1", 1, skew_s=60)
    worker.begin(START)
    worker.advance(after(25))
    assert events(disk)[0].time == after(85)
