"""The worker's events, folded into what a screen, a status or a receipt needs."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple

from podtune.core.events import EventKind, Metrics, Task, TrainingEvent
from podtune.core.states import WorkerStage
from podtune.core.wire import Progress, reached


class Folded(NamedTuple):
    """Everything the events of the newest attempt add up to."""

    attempt: int = 0
    stage: WorkerStage | None = None
    step: int = 0
    total_steps: int | None = None
    epoch: float = 0.0
    metrics: Metrics = Metrics()
    task: Task | None = None
    warnings: tuple[str, ...] = ()
    facts: dict[str, Any] = {}  # noqa: RUF012 - replaced, never changed
    first_loss: float | None = None
    losses: tuple[tuple[int, float], ...] = ()
    resumed_from: int | None = None
    last_time: datetime | None = None
    seq: int = 0
    """The newest event taken in."""
    reached: float = 0.0

    def progress(self) -> Progress:
        """The part a status shows."""
        share = None
        if self.task and self.task.total:
            share = self.task.done / self.task.total
        return Progress(
            stage=self.stage,
            step=self.step,
            total_steps=self.total_steps,
            epoch=self.epoch,
            metrics=self.metrics,
            task_done=share,
            eta_seconds=self.eta_seconds(),
            reached=self.reached,
            warnings=self.warnings,
        )

    def eta_seconds(self) -> float | None:
        """Seconds of training left at the present speed."""
        speed = self.metrics.throughput
        processed = self.facts.get("train_tokens")
        rows = self.facts.get("steps_per_epoch")
        if not speed or not processed or not rows or not self.total_steps:
            return None
        return (self.total_steps - self.step) * (processed / rows) / speed


def fold(events: Iterable[TrainingEvent], start: Folded | None = None) -> Folded:
    """Fold events in order; a new attempt begins anew but keeps the loss curve before its step."""
    state = start or Folded()
    for event in events:
        if event.attempt != state.attempt:
            state = Folded(
                attempt=event.attempt,
                losses=state.losses,
                first_loss=state.first_loss,
                reached=state.reached,
            )
        state = _add(state, event)
        state = state._replace(reached=reached(state.progress()))
    return state


def _add(state: Folded, event: TrainingEvent) -> Folded:
    if event.seq < state.seq:
        return _add_late(state, event)
    state = state._replace(seq=event.seq)
    if event.stage is not state.stage:
        state = state._replace(stage=event.stage, task=None)
    state = state._replace(last_time=event.time)
    if event.kind is EventKind.TASK:
        return state._replace(task=event.task)
    if event.kind is EventKind.WARNING and event.message:
        return state._replace(warnings=(*state.warnings, event.message))
    if event.kind is EventKind.FACTS:
        return state._replace(facts={**state.facts, **(event.facts or {})})
    if event.kind is EventKind.CHECKPOINT and event.message == "resumed":
        step = event.step or 0
        kept = tuple(point for point in state.losses if point[0] <= step)
        return state._replace(resumed_from=step, step=step, losses=kept)
    if event.kind in (EventKind.STEP, EventKind.EVALUATION) and event.metrics:
        return _add_metrics(state, event, event.metrics)
    return state


def _add_late(state: Folded, event: TrainingEvent) -> Folded:
    """An event that a gap in a log stream held back: its facts count, its figures are passed by."""
    if event.kind is EventKind.FACTS:
        return state._replace(facts={**(event.facts or {}), **state.facts})
    if event.kind is EventKind.WARNING and event.message:
        return state._replace(warnings=(*state.warnings, event.message))
    return state


def _add_metrics(state: Folded, event: TrainingEvent, found: Metrics) -> Folded:
    new = {k: v for k, v in found.model_dump().items() if v is not None}
    losses = state.losses
    if found.training_loss is not None and event.step is not None:
        kept = tuple(p for p in losses if p[0] < event.step)
        losses = (*kept, (event.step, found.training_loss))
    return state._replace(
        step=event.step if event.step is not None else state.step,
        total_steps=event.total_steps or state.total_steps,
        epoch=event.epoch if event.epoch is not None else state.epoch,
        metrics=state.metrics.model_copy(update=new),
        losses=losses,
        first_loss=losses[0][1] if losses else None,
    )
