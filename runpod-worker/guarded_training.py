"""A training that ends well however it ends: with weights, or with a checkpoint and a typed failure.

Brings the guards together around one `Trainer.train`: room on the disk, checkpoints one can trust,
the loss as a number, the memory ladder, the stall watch, and SIGTERM.
"""

import faulthandler
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import checkpoints
import failures
import gpu_metrics
import process_group
import random_state
import restarts
import shared_files
from memory_ladder import MemoryLadder, lowest
from podtune.core.events import EventKind
from progress import EventWriter
from shutdown import Interrupted, Shutdown
from stall_watch import FACTOR, FIRST_S, StallWatch
from training_callbacks import Keeper, Listener, Pulse, Reporter, StepEnds

TELL_S = 5.0
"""The last words of a hung process may hang themselves (a pipe that nobody reads)."""


class Place(NamedTuple):
    """Where a training keeps what must outlive it."""

    checkpoints: Path
    work: Path
    attempt: int


class Result(NamedTuple):
    """What came of a training, beside the weights."""

    resumed_from_step: int | None
    ladder: list[dict[str, Any]]
    """What was changed at which step because memory ran out."""


def run(
    trainer: Any,
    place: Place,
    events: EventWriter,
    *,
    stop: Shutdown | None = None,
    expected_step_s: float = 0.0,
    watch: Callable[..., StallWatch] = StallWatch,
) -> Result:
    """Train from the last complete checkpoint if there is one.

    Args:
        trainer: A Trainer with `GuardedSteps`, its `output_dir` being
            `checkpoints.incoming(place.checkpoints)` and its `save_total_limit` None.
        place: The job's folders.
        events: The worker's voice.
        stop: Entered by the program; without it SIGTERM is not listened to.
        expected_step_s: How long the plan thinks that a step takes.
        watch: Makes the stall watch; tests make one that is less patient.

    Raises:
        TrainingError: typed, as `failures.ADVICE` lists them.
    """
    stop = stop or Shutdown()
    me = process_group.member()
    found = _begin(trainer, place, events) if me.is_main else None
    resumed = shared_files.share_folder(found)
    ladder = _ladder(trainer, place)
    trainer.guard(stop, ladder, events)
    patience = max(FIRST_S, FACTOR * expected_step_s)
    stalls = watch(_Hung(place, events, me), first_s=patience)
    ends = StepEnds()
    gpu = gpu_metrics.of_training(trainer.args.device.type) if me.is_main else None
    for callback in (
        Keeper(trainer, place.checkpoints),
        Reporter(events, trainer, trainer.args.max_steps, gpu),
        Pulse(stalls),
        ends,
        Listener(stop),
    ):
        trainer.add_callback(callback)
    stalls.start()
    if gpu:
        gpu.start()
    try:
        with stop.waiting():
            _train(trainer, resumed, stop, ends)
    except BaseException:
        if me.is_alone:  # others may be at it; the next attempt clears it away
            checkpoints.drop_unsealed(place.checkpoints)
        raise
    finally:
        stalls.stop()
        if gpu:
            gpu.stop()
    process_group.barrier()  # the Trainer's last look at its folder is in every process
    if me.is_main:
        checkpoints.drop_unsealed(place.checkpoints)
    if gpu:
        events.facts(gpu=gpu.facts())
    return Result(checkpoints.step_of(resumed) if resumed else None, ladder.steps)


def _begin(trainer: Any, place: Place, events: EventWriter) -> Path | None:
    """Clear away what a killed attempt left, look at the room, and find where to go on."""
    checkpoints.drop_unsealed(place.checkpoints)
    tight = checkpoints.refuse_small_disk(
        place.checkpoints, checkpoints.trained_bytes(trainer.model)
    )
    if tight:
        events.warning(tight)
    found = checkpoints.last_complete(place.checkpoints)
    if found:
        events.emit(EventKind.CHECKPOINT, step=checkpoints.step_of(found), message="resumed")
    return found


def _ladder(trainer: Any, place: Place) -> MemoryLadder:
    """The rung to begin on: the lowest that any process of the training got to."""
    ladder = MemoryLadder(place.work, checkpointing=bool(trainer.args.activation_checkpointing))
    me = process_group.member()
    if not me.is_alone:
        import torch

        rungs: list[Any] = [None] * me.world
        torch.distributed.all_gather_object(rungs, ladder.rung)
        ladder.rung = lowest(rungs)
    return ladder


def _train(trainer: Any, resumed: Path | None, stop: Shutdown, ends: StepEnds) -> None:
    try:
        trainer.train(resume_from_checkpoint=str(resumed) if resumed else None)
    except Interrupted as request:
        stop.settle()
        step = trainer.state.global_step
        begun = checkpoints.step_of(resumed) if resumed else 0
        if step > begun:
            _save(trainer, ends)
        raise failures.StoppedError(
            f"the training was asked to stop; {step} steps are kept"
            if step
            else "the training was asked to stop before its first whole step",
            hint="`podtune resume JOB` goes on from there",
        ) from request


def _save(trainer: Any, ends: StepEnds) -> None:
    """A checkpoint of the last whole step, as if it had been due then.

    Weights, optimizer and schedule are as that step left them: a step that is broken off changes
    gradients only. The random generators are put back to where they stood.
    """
    if ends.random is not None:
        random_state.put_back(ends.random)
    trainer._save_checkpoint(trainer.model, trial=None)  # the Trainer has no public one
    trainer.callback_handler.on_save(trainer.args, trainer.state, trainer.control)


class _Hung:
    """What happens when a step has stalled; called from the watch's thread."""

    def __init__(self, place: Place, events: EventWriter, me: process_group.Member) -> None:
        self._place, self._events, self._me = place, events, me

    def __call__(self, idle_s: float, step: int) -> None:
        """Dump the stacks of all threads, then start over once, or end with a typed failure."""
        faulthandler.dump_traceback(file=sys.stderr, all_threads=True)
        if not self._me.is_main:
            return  # the main process waits for this one, so it has stalled too
        what = f"step {step} made no progress for {idle_s:.0f} s"
        if self._granted():
            self._tell(
                lambda: self._events.warning(
                    f"{what}; the worker starts again, from the last checkpoint"
                )
            )
            restarts.again(alone=self._me.is_alone)
        error = failures.StepHungError(
            f"{what}, after a restart as well", hint=failures.ADVICE["step_hung"].advice
        )
        self._tell(lambda: self._events.result(failures.describe(error)))
        os._exit(5)

    def _granted(self) -> bool:
        try:
            return restarts.grant(self._place.work, self._place.attempt, "step_hung")
        except OSError:  # the disk may be what hangs: without a mark there is no second time
            return False

    def _tell(self, say: Callable[[], None]) -> None:
        thread = threading.Thread(target=say, daemon=True)
        thread.start()
        thread.join(TELL_S)
