"""Trainings that are broken off, in every way that can be made to happen here."""

import os
import resource
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import checkpoints
import gpu_metrics
import guarded_training
from failures import DiskFullError, LossNotFiniteError, StoppedError
from gpu_metrics import GpuMetrics, Reading
from guarded_steps import guarded
from packed_trainer import PackedTrainer
from podtune.core.events import EventKind
from shutdown import Shutdown
from support import trainings
from support.waiting import until


def attempt(folder, base, *, kind="lora", dropout=0.05, **options):
    model = trainings.adapted(base, kind=kind, dropout=dropout)
    made = trainings.trainer(folder, model, **options)
    return made, lambda **more: trainings.run(folder, made, **more)


def logged(made):
    return [(e["step"], e["loss"], e["grad_norm"]) for e in made.state.log_history if "loss" in e]


def equal(left, right):
    return left.keys() == right.keys() and all(torch.equal(left[n], right[n]) for n in left)


class Stopping:
    """Asks the process to end in the middle of a step, when a gradient of it is in."""

    at_step = 5

    def training_step(self, model, inputs, num_items_in_batch=None):
        loss = super().training_step(model, inputs, num_items_in_batch)
        if self.state.global_step + 1 == self.at_step:
            os.kill(os.getpid(), signal.SIGTERM)
        return loss


@pytest.mark.parametrize("kind", ["lora", "qlora", "dora"])
@pytest.mark.parametrize("at_step", [3, 4, 5])
def test_broken_off_in_a_step_and_resumed_it_is_bit_equal(tiny, tmp_path, kind, at_step):
    """Packed rows, accumulation and dropout; step 4 is the first of the second epoch, step 3 has one micro-batch."""
    whole, run = attempt(tmp_path / "whole", tiny, kind=kind, max_steps=7, save_steps=50)
    run()

    class Stopped(Stopping, PackedTrainer):
        pass

    Stopped.at_step = at_step
    options = {"kind": kind, "max_steps": 7, "save_steps": 50}
    _, run = attempt(tmp_path / "job", tiny, trainer_class=guarded(Stopped), **options)
    with Shutdown() as stop, pytest.raises(StoppedError, match=f"{at_step - 1} steps are kept"):
        run(stop=stop)
    assert not checkpoints.incoming(tmp_path / "job" / "checkpoints").exists()

    resumed, run = attempt(tmp_path / "job", tiny, **options)
    assert run().resumed_from_step == at_step - 1
    assert logged(resumed) == logged(whole)
    assert equal(trainings.weights(resumed.model), trainings.weights(whole.model))


def test_stopped_before_the_first_whole_step_nothing_is_kept(tiny, tmp_path):
    class Stopped(Stopping, PackedTrainer):
        at_step = 1

    _, run = attempt(tmp_path, tiny, trainer_class=guarded(Stopped))
    with Shutdown() as stop, pytest.raises(StoppedError, match="before its first whole step"):
        run(stop=stop)
    assert checkpoints.last_complete(tmp_path / "checkpoints") is None


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_ends_within_two_logging_steps(tiny, tmp_path, value):
    """Logged every third step, saved every second: no checkpoint holds what came after it."""

    class Bad(PackedTrainer):
        def compute_loss(self, *arguments, **options):
            loss = super().compute_loss(*arguments, **options)
            return loss * value if self.state.global_step + 1 == 5 else loss

    made, run = attempt(
        tmp_path, tiny, trainer_class=guarded(Bad), max_steps=30, logging_steps=3, save_steps=2
    )
    with pytest.raises(LossNotFiniteError, match="at step 6") as caught:
        run()
    assert "learning_rate=0.002" in (caught.value.hint or "")
    kept = checkpoints.last_complete(tmp_path / "checkpoints")
    assert kept is not None
    assert kept.name == "checkpoint-4"
    assert sorted(p.name for p in (tmp_path / "checkpoints").iterdir()) == [
        "checkpoint-2", "checkpoint-4",
    ]  # fmt: skip
    assert made.state.global_step == 6


def test_a_gradient_that_is_no_number_is_noticed_at_its_step(tiny, tmp_path):
    class Bad(PackedTrainer):
        def _clip_grad_norm(self, model):
            if self.state.global_step + 1 == 3:
                next(p for p in model.parameters() if p.grad is not None).grad.fill_(float("nan"))
            return super()._clip_grad_norm(model)

    _, run = attempt(tmp_path, tiny, trainer_class=guarded(Bad))
    with pytest.raises(LossNotFiniteError, match=r"the gradient's norm became nan at step 3"):
        run()


def test_weights_that_are_no_numbers_are_never_sealed(tiny, tmp_path):
    """Whatever hid it from loss and gradient: what was written is looked at."""

    class Bad(PackedTrainer):
        def _save_checkpoint(self, model, trial):
            if self.state.global_step == 4:
                next(p for p in model.parameters() if p.requires_grad).data.fill_(float("inf"))
            super()._save_checkpoint(model, trial)

    _, run = attempt(tmp_path, tiny, trainer_class=guarded(Bad))
    with pytest.raises(LossNotFiniteError, match="no longer numbers at step 4"):
        run()
    assert [p.name for p in (tmp_path / "checkpoints").iterdir()] == ["checkpoint-2"]


def test_a_disk_that_cannot_hold_the_training_is_refused_before_the_first_step(
    tiny, tmp_path, monkeypatch
):
    monkeypatch.setattr(checkpoints, "_free", lambda folder: 1000)
    made, run = attempt(tmp_path, tiny)
    with pytest.raises(DiskFullError, match="1000 B free"):
        run()
    assert made.state.global_step == 0


@pytest.fixture
def small_disk(tmp_path):
    """A file system of its own with room for three checkpoints."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=9m", "tmpfs", str(folder)],
        capture_output=True, check=False,
    )  # fmt: skip
    if mounted.returncode:
        pytest.skip("only root may mount a small file system")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_disk_that_fills_up_in_a_save_leaves_the_checkpoint_before_it(tiny, small_disk):
    class Filling(PackedTrainer):
        def _save_checkpoint(self, model, trial):
            if self.state.global_step == 4:
                with pytest.raises(OSError, match="No space left"):
                    (small_disk / "ballast").write_bytes(bytes(16 << 20))
            super()._save_checkpoint(model, trial)

    _, run = attempt(small_disk, tiny, trainer_class=guarded(Filling))
    with pytest.raises(Exception, match=r".") as caught:
        run()
    from failures import describe

    result = describe(caught.value)
    assert result.error_code == "disk_full"
    kept = checkpoints.last_complete(small_disk / "checkpoints")
    assert kept is not None
    assert kept.name == "checkpoint-2"
    assert not checkpoints.incoming(small_disk / "checkpoints").exists()
    # ... and there is room for the last word, though the disk is full to the brim.
    (small_disk / "more").write_bytes(b"")
    _fill(small_disk / "more")
    from progress import EventWriter

    EventWriter(small_disk / "events.jsonl", job="demo", attempt=1).result(result)
    assert trainings.result(small_disk).error_code == "disk_full"


def _fill(path: Path) -> None:
    with path.open("ab", buffering=0) as stream:
        while True:
            try:
                stream.write(bytes(1 << 12))
            except OSError:
                return


def test_a_file_over_the_allowed_size_is_a_full_disk_too(tiny, tmp_path):
    """A quota in a process of its own: the limit on the size of a file (RLIMIT_FSIZE)."""
    limit = 24_000  # less than the optimizer's state

    def lower():
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    (tmp_path / ".reserve").write_bytes(b"")
    process = _start(tmp_path, tiny, "none", "max_steps=6", "save_steps=2", preexec_fn=lower)
    assert process.wait(timeout=120) == 5
    assert trainings.result(tmp_path).error_code == "disk_full"
    assert checkpoints.last_complete(tmp_path / "checkpoints") is None


def _start(folder, base, fault, *options, **more):
    folder.mkdir(exist_ok=True)
    program = Path(trainings.__file__)
    with (folder / "log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, str(program), str(folder), str(base), fault, *options],
            stdout=log, stderr=log, **more,
        )  # fmt: skip


@pytest.fixture(scope="module")
def uninterrupted(tiny, tmp_path_factory):
    folder = tmp_path_factory.mktemp("uninterrupted")
    process = _start(folder, tiny, "none", "max_steps=8", "save_steps=3")
    assert process.wait(timeout=120) == 0, (folder / "log").read_text()
    return load_file(folder / "weights.safetensors")


def test_sigterm_to_a_real_process_then_resume_is_bit_equal(tiny, tmp_path, uninterrupted):
    (tmp_path / "wait").write_text("")
    process = _start(tmp_path, tiny, "slow", "max_steps=8", "save_steps=3")
    until((tmp_path / "waiting").exists)
    process.terminate()
    assert process.wait(timeout=60) == 5
    said = trainings.result(tmp_path)
    assert said.error_code == "interrupted"
    assert "podtune resume" in said.advice
    (tmp_path / "wait").unlink()
    assert _start(tmp_path, tiny, "slow", "max_steps=8", "save_steps=3").wait(timeout=120) == 0
    assert equal(load_file(tmp_path / "weights.safetensors"), uninterrupted)


def test_a_step_that_hangs_is_started_again_and_ends_as_if_it_had_not(
    tiny, tmp_path, uninterrupted
):
    process = _start(tmp_path, tiny, "hang-once", "max_steps=8", "save_steps=3", "at=5")
    assert process.wait(timeout=200) == 0, (tmp_path / "log").read_text()
    log = (tmp_path / "log").read_text()
    assert "in blocked" in log, "the stacks show where it hung"
    told = trainings.events(tmp_path)
    warnings = [e.message for e in told if e.kind is EventKind.WARNING]
    assert [w for w in warnings if "step 5 made no progress" in w]
    assert [e.step for e in told if e.message == "resumed"] == [3]
    assert [e.seq for e in told] == list(range(len(told))), "one attempt, numbered without gaps"
    assert equal(load_file(tmp_path / "weights.safetensors"), uninterrupted)


def test_a_step_that_hangs_again_is_a_typed_failure(tiny, tmp_path):
    process = _start(tmp_path, tiny, "hang", "max_steps=8", "save_steps=3", "at=2")
    assert process.wait(timeout=200) == 5
    said = trainings.result(tmp_path)
    assert said.error_code == "step_hung"
    assert "after a restart as well" in said.error_message
    assert (tmp_path / "log").read_text().count("in blocked") == 2


@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_DATA limits the memory on Linux only")
def test_a_real_lack_of_memory_is_outlived_in_the_step(tiny, tmp_path):
    """The allocator itself refuses: the process may take so much more and no byte over it."""
    options = ("mib=30", "max_steps=2", "save_steps=2")
    process = _start(tmp_path, tiny, "little-memory", *options)
    model = trainings.adapted(tiny)
    large = trainings.rows(2048, count=120, longest=1000)
    trainings.trainer(tmp_path / "whole", model, train_rows=large, max_steps=2).train()
    assert process.wait(timeout=120) == 0, (tmp_path / "log").read_text()
    warnings = [e.message for e in trainings.events(tmp_path) if e.kind is EventKind.WARNING]
    assert "the memory ran out at step 1" in warnings[0]
    assert "2 passes" in warnings[0]
    expected = trainings.weights(model)
    found = load_file(tmp_path / "weights.safetensors")
    assert found.keys() == expected.keys()
    assert all(torch.allclose(found[n], expected[n], rtol=0, atol=1e-4) for n in expected)


def test_only_the_main_process_speaks_of_a_hang(tmp_path, monkeypatch, capfd):
    from process_group import Member

    def never(*_, **__):
        raise AssertionError("a rank that does not speak decides nothing")

    monkeypatch.setattr(guarded_training.restarts, "grant", never)
    place = guarded_training.Place(tmp_path, tmp_path, 1)
    monkeypatch.setattr(sys, "stderr", sys.__stderr__)
    guarded_training._Hung(place, None, Member(rank=1, world=2))(61.0, 4)
    assert "test_only_the_main_process" in capfd.readouterr().err


def test_the_cards_are_watched_while_it_trains(tiny, tmp_path, monkeypatch):
    """The figures of a card stand in every step, and in the facts at the end."""
    gpu = GpuMetrics(lambda: [Reading(92.5, 7, 250.0)], every_s=0.01)
    monkeypatch.setattr(gpu_metrics, "of_training", {"cpu": gpu}.__getitem__)
    _, run = attempt(tmp_path, tiny, max_steps=3)
    run()
    events = trainings.events(tmp_path)
    steps = [e for e in events if e.kind is EventKind.STEP]
    assert [e.metrics.gpu_utilization for e in steps] == [92.5] * 3
    (facts,) = [e.facts["gpu"] for e in events if e.facts and "gpu" in e.facts]
    assert (facts["cards"], facts["peak_memory_bytes"]) == (1, 7)
    assert not any(thread.name == "gpu-metrics" for thread in threading.enumerate())


def test_what_every_process_looks_at_is_cleared_when_all_have_looked(tiny, tmp_path, monkeypatch):
    """The Trainer lists its folder in each process as it ends; a folder removed meanwhile fails it."""
    order = []
    clear, barrier = checkpoints.drop_unsealed, guarded_training.process_group.barrier

    class Ending(PackedTrainer):
        def _finalize_training(self, *arguments, **options):
            order.append("looks")
            return super()._finalize_training(*arguments, **options)

    def waiting():
        order.append("waits")
        barrier()

    def clearing(folder):
        order.append("clears")
        clear(folder)

    _, run = attempt(tmp_path, tiny, trainer_class=guarded(Ending))
    monkeypatch.setattr(guarded_training.process_group, "barrier", waiting)
    monkeypatch.setattr(checkpoints, "drop_unsealed", clearing)
    run()
    assert order[order.index("looks") :] == ["looks", "waits", "clears"]
    assert not checkpoints.incoming(tmp_path / "checkpoints").exists()
