"""Checkpoints one can trust, and the Trainer's callback that reports steps.

A checkpoint counts only once `complete.json` with the checksums of its files stands in it; a
worker killed in mid-save leaves a folder that is passed over.
"""

import json
import math
import shutil
from pathlib import Path
from typing import Any

from podtune.core.events import EventKind, Metrics
from podtune.storage.artifact_folder import sha256_file
from progress import EventWriter, step_metrics

COMPLETE = "complete.json"


def seal(folder: Path) -> None:
    """Mark a checkpoint complete."""
    files = {p.name: sha256_file(p) for p in sorted(folder.iterdir()) if p.name != COMPLETE}
    temporary = folder / f".{COMPLETE}"
    temporary.write_text(json.dumps(files, indent=1), encoding="utf-8")
    temporary.replace(folder / COMPLETE)


def last_complete(folder: Path) -> Path | None:
    """The newest sealed checkpoint whose files are as they were when it was sealed."""
    for candidate in sorted(folder.glob("checkpoint-*"), key=step_of, reverse=True):
        mark = candidate / COMPLETE
        if not mark.is_file():
            continue
        try:
            files: dict[str, str] = json.loads(mark.read_text(encoding="utf-8"))
        except ValueError:  # a seal cut short is no seal
            continue
        if all(
            (candidate / n).is_file() and sha256_file(candidate / n) == d for n, d in files.items()
        ):
            return candidate
    return None


def drop_unsealed(folder: Path) -> None:
    """Remove checkpoints that were never completed (a full disk needs their room)."""
    for candidate in folder.glob("checkpoint-*"):
        if not (candidate / COMPLETE).is_file():
            shutil.rmtree(candidate, ignore_errors=True)


def step_of(folder: Path) -> int:
    """`checkpoint-12` -> 12."""
    return int(folder.name.rsplit("-", 1)[-1])


def reporter(events: EventWriter, trainer: Any, total_steps: int, speed_class: Any) -> Any:
    """A TrainerCallback that turns logs into events, seals checkpoints and stops at a bad loss."""
    from transformers import TrainerCallback

    from failures import LossNotFiniteError

    class Reporter(TrainerCallback):
        speed: Any = None

        def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            self.speed = self.speed or speed_class()

        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
            if not logs or "loss" not in logs:
                return
            throughput = self.speed.at(trainer.tokens_seen)
            metrics = step_metrics(logs, throughput)
            if not math.isfinite(logs["loss"]):
                raise LossNotFiniteError(
                    f"the loss became {logs['loss']} at step {state.global_step} "
                    f"(learning rate {logs.get('learning_rate', 0):.1e})",
                    hint=f"lower it: --set training.learning_rate={args.learning_rate / 5:.1g}",
                )
            events.emit(
                EventKind.STEP,
                step=state.global_step,
                total_steps=total_steps,
                epoch=state.epoch,
                metrics=metrics,
            )

        def on_evaluate(
            self, args: Any, state: Any, control: Any, metrics: Any = None, **_: Any
        ) -> None:
            events.emit(
                EventKind.EVALUATION,
                step=state.global_step,
                total_steps=total_steps,
                epoch=state.epoch or 0.0,
                metrics=Metrics(validation_loss=metrics["eval_loss"]),
            )

        def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            folder = Path(args.output_dir) / f"checkpoint-{state.global_step}"
            seal(folder)
            events.emit(
                EventKind.CHECKPOINT,
                step=state.global_step,
                total_steps=total_steps,
                message="saved",
            )

    return Reporter()
