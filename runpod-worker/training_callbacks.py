"""What goes on beside the steps of a Trainer: events, checkpoints put in place, the stall watch.

Each callback has one concern and knows nothing of the others. They run on every process of a
training; what only one may do asks for the main one.
"""

import math
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

import checkpoints
import process_group
import random_state
import shared_files
from failures import LossNotFiniteError
from gpu_metrics import GpuMetrics
from podtune.core.events import EventKind, Metrics
from progress import EventWriter, Speed, step_metrics
from shutdown import Shutdown
from stall_watch import StallWatch


class Reporter(TrainerCallback):
    """Logs become events; a loss or gradient that is no number ends the training at once.

    Every checkpoint is preceded by a log, so none is written after the loss went bad, however
    rarely the training logs.
    """

    def __init__(
        self, events: EventWriter, trainer: Any, total_steps: int, gpu: GpuMetrics | None = None
    ) -> None:
        """`trainer.tokens_seen` is read for the speed, `gpu` for the use of the cards."""
        self._events, self._trainer, self._total = events, trainer, total_steps
        self._gpu = gpu
        self._speed: Speed | None = None

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._speed = self._speed or Speed()

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        control.should_log = control.should_log or control.should_save

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        if not logs or "loss" not in logs:
            return
        self._refuse_not_finite(args, state, logs)
        speed = (self._speed or Speed()).at(self._trainer.tokens_seen)
        use = self._gpu.utilization() if self._gpu else None
        self._emit(EventKind.STEP, state, epoch=state.epoch, metrics=step_metrics(logs, speed, use))

    def on_evaluate(
        self, args: Any, state: Any, control: Any, metrics: Any = None, **_: Any
    ) -> None:
        loss = metrics["eval_loss"]
        if not math.isfinite(loss):
            raise _not_finite(f"the validation loss became {loss}", args, state)
        self._emit(
            EventKind.EVALUATION,
            state,
            epoch=state.epoch or 0.0,
            metrics=Metrics(validation_loss=loss),
        )

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._emit(EventKind.CHECKPOINT, state, message="saved")

    def _refuse_not_finite(self, args: Any, state: Any, logs: dict[str, Any]) -> None:
        for name, words in (("loss", "the loss"), ("grad_norm", "the gradient's norm")):
            value = logs.get(name)
            if value is not None and not math.isfinite(value):
                raise _not_finite(f"{words} became {value}", args, state)

    def _emit(self, kind: EventKind, state: Any, **fields: Any) -> None:
        self._events.emit(kind, step=state.global_step, total_steps=self._total, **fields)


def _not_finite(what: str, args: Any, state: Any) -> LossNotFiniteError:
    return LossNotFiniteError(
        f"{what} at step {state.global_step} (peak learning rate {args.learning_rate:.1e})",
        hint=f"lower it: --set training.learning_rate={args.learning_rate / 5:.1g}; the last good "
        "checkpoint is kept",
    )


class Keeper(TrainerCallback):
    """Seals each checkpoint the Trainer wrote and puts it in place."""

    def __init__(self, trainer: Any, folder: Path) -> None:
        """`folder` is the job's checkpoint folder; the Trainer writes into `incoming` of it."""
        self._trainer, self._folder = trainer, folder

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if control.should_save and state.is_world_process_zero:
            trained = checkpoints.trained_bytes(self._trainer.model)
            checkpoints.drop_older(self._folder, trained)

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        written = Path(args.output_dir) / f"checkpoint-{state.global_step}"
        me = process_group.member()
        process_group.barrier()  # each process writes its random state, on its own machine
        shared_files.collect(written / f"rng_state_{me.rank}.pth")
        if state.is_world_process_zero:
            checkpoints.keep(written, self._folder)


class Pulse(TrainerCallback):
    """Tells the stall watch when a step begins, goes on and ends."""

    def __init__(self, watch: StallWatch) -> None:
        """The watch is started and stopped by who trains."""
        self._watch = watch

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._watch.begin(state.global_step + 1)

    def on_substep_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._watch.beat()

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._watch.end()


class StepEnds(TrainerCallback):
    """Remembers where the random generators stood after the last whole step."""

    random: random_state.RandomState | None = None

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.random = random_state.take()


class Listener(TrainerCallback):
    """Ends the training between two steps when the process was asked to end.

    Several processes must stop after the same step, so there the wish of one is everybody's.
    """

    def __init__(self, stop: Shutdown) -> None:
        """`stop` hears the signal."""
        self._stop = stop

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._stop.requested = process_group.any_rank(self._stop.requested)
        self._stop.check()
