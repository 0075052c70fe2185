"""What happened to a job as the fine-tuning API's events, its checkpoints, and its result file.

Takes what the workflow wrote and what the worker said. An event's id follows from its place in what was written, so that
it is the same whenever somebody asks. No row text is in any of it, and nothing that looks like a secret.

Source: the SDK's `FineTuningJobEvent` and `FineTuningJobCheckpoint` (openai 3.54.0), and peers.md 3a, read on
2026-11-23. The columns of the hosted result file are not published as a contract: these are the ones its guide showed.
"""

import csv
import heapq
import io
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, Final

from podtune.app.asked import Submitted
from podtune.core.events import EventKind, Metrics, TrainingEvent
from podtune.core.redact import scrub
from podtune.gateway.openai import job_view
from podtune.workflow.store import LogEntry

COLUMNS: Final = (
    "step", "train_loss", "train_accuracy", "valid_loss", "valid_mean_token_accuracy",
)  # fmt: skip
"""Of the result file; accuracies are not measured and stay empty."""

_TOLD: Final = frozenset(
    {
        EventKind.STAGE, EventKind.STEP, EventKind.EVALUATION, EventKind.CHECKPOINT,
        EventKind.WARNING, EventKind.RESULT,
    }
)  # fmt: skip
SAID: Final = "said"
"""Where a submission's note keeps what is told of how the request was understood."""


def events(
    found: Submitted, log: Sequence[LogEntry], told: Iterable[TrainingEvent]
) -> Iterator[dict[str, Any]]:
    """All events of a job, the newest first, made as they are asked for: a worker tells some ten thousand.

    Args:
        found: The job.
        log: What the workflow did, the oldest first.
        told: What the worker said, the newest first; of one moment it comes before the log.
    """
    intro = found.note.get(SAID)
    said = ["Created fine-tuning job", *map(str, intro if isinstance(intro, list) else ())]
    made = [
        (found.created_at, _event(found, f"0-{n}", found.created_at, text))
        for n, text in enumerate(said)
    ]
    made += [
        (entry.time, _event(found, f"1-{n}", entry.time, _sentence(entry.message)))
        for n, entry in enumerate(log)
    ]
    if found.job is None and found.error is not None:
        text = job_view.job_object(found, folded=None, status=None, now=found.created_at)["error"]
        words = text["message"] if text else "The job was cancelled"
        made.append((found.created_at, _event(found, "3-0", found.created_at, words, "error")))
    made = sorted(made, key=_time_of)[::-1]
    said_by_worker = ((at, _of_worker(found, one)) for at, one in _falling(told))
    return (event for _, event in heapq.merge(said_by_worker, made, key=_time_of, reverse=True))


def _time_of(pair: tuple[datetime, object]) -> datetime:
    return pair[0]


def _falling(told: Iterable[TrainingEvent]) -> Iterator[tuple[datetime, TrainingEvent]]:
    """What is told, with times that never rise: a machine whose clock was set back keeps its order."""
    at: datetime | None = None
    for one in told:
        at = one.time if at is None else min(at, one.time)
        if one.kind in _TOLD:
            yield at, one


def checkpoints(
    found: Submitted, steps: Iterable[int], told: Sequence[TrainingEvent]
) -> list[dict[str, Any]]:
    """Checkpoints that are there, the newest first.

    Args:
        found: The job.
        steps: Of the sealed checkpoints.
        told: What the worker said.
    """
    saved = {
        e.step: e.time for e in told if e.kind is EventKind.CHECKPOINT and e.message == "saved"
    }
    measured = _by_step(told)
    return [
        {
            "id": f"ftckpt_{found.id}_{step}",
            "object": "fine_tuning.job.checkpoint",
            "created_at": int(saved.get(step, found.created_at).timestamp()),
            "fine_tuned_model_checkpoint": job_view.model_name(found, step),
            "fine_tuning_job_id": found.id,
            "step_number": step,
            "metrics": {"step": step, **_metrics(measured.get(step))},
        }
        for step in sorted(set(steps), reverse=True)
    ]


def results(told: Sequence[TrainingEvent]) -> bytes:
    """The result file: a CSV of what was measured, a line for each step, later attempts over earlier ones."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for step, found in sorted(_by_step(told).items()):
        writer.writerow((step, _cell(found.training_loss), "", _cell(found.validation_loss), ""))
    return text.getvalue().encode()


def _by_step(told: Iterable[TrainingEvent]) -> dict[int, Metrics]:
    """Step -> what was measured there."""
    found: dict[int, Metrics] = {}
    for event in told:
        if event.kind is EventKind.CHECKPOINT and event.message == "resumed":
            found = {step: one for step, one in found.items() if step <= (event.step or 0)}
        if event.kind in (EventKind.STEP, EventKind.EVALUATION) and event.metrics and event.step:
            new = {k: v for k, v in event.metrics.model_dump().items() if v is not None}
            found[event.step] = found.get(event.step, Metrics()).model_copy(update=new)
    return found


def _metrics(found: Metrics | None) -> dict[str, float]:
    if found is None:
        return {}
    named = {
        "train_loss": found.training_loss,
        "valid_loss": found.validation_loss,
        "full_valid_loss": found.validation_loss,
    }
    return {name: value for name, value in named.items() if value is not None}


def _cell(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"


def _of_worker(found: Submitted, event: TrainingEvent) -> dict[str, Any]:
    number, level = f"2-{event.attempt}-{event.seq}", "info"
    if event.kind in (EventKind.STEP, EventKind.EVALUATION):
        return _of_step(found, number, event)
    if event.kind is EventKind.STAGE:
        text = f"The worker is {event.stage.value}"
    elif event.kind is EventKind.CHECKPOINT:
        text = f"Checkpoint at step {event.step} {event.message}"
    elif event.kind is EventKind.RESULT and event.result is not None:
        ok = event.result.ok
        text = (
            "The worker has finished" if ok else event.result.error_message or "The worker failed"
        )
        level = "info" if ok else "error"
    else:
        text, level = event.message or "", "warn"
    return _event(found, number, event.time, text, level)


def _of_step(found: Submitted, number: str, event: TrainingEvent) -> dict[str, Any]:
    measured = event.metrics or Metrics()
    data = {"step": event.step, "total_steps": event.total_steps, **_metrics(measured)}
    if measured.learning_rate is not None:
        data["learning_rate"] = measured.learning_rate
    losses = [
        f"{words}={value:.4f}"
        for words, value in (
            ("training loss", measured.training_loss),
            ("validation loss", measured.validation_loss),
        )
        if value is not None
    ]
    text = f"Step {event.step}/{event.total_steps or '?'}: {', '.join(losses)}"
    return {**_event(found, number, event.time, text), "type": "metrics", "data": data}


def _event(
    found: Submitted, number: str, at: datetime, text: str, level: str = "info"
) -> dict[str, Any]:
    return {
        "id": f"ftevent-{found.id}-{number}",
        "object": "fine_tuning.job.event",
        "created_at": int(at.timestamp()),
        "level": level,
        "message": scrub(text),
        "type": "message",
        "data": None,
    }


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
