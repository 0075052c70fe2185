"""What a rented job will cost by the steps that were measured on its machine.

Times are the worker's own, so two clocks are never compared: only differences between its events count.
A plan's speed follows from a data sheet; after some steps there is a better figure.
"""

import statistics
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Final, NamedTuple

from podtune.core.clock import Clock
from podtune.core.events import EventKind, TrainingEvent
from podtune.core.job import Job, Requote
from podtune.core.states import WorkerStage
from podtune.planning import price
from podtune.workflow import intents
from podtune.workflow.folder import EventTail
from podtune.workflow.intents import Intent
from podtune.workflow.rental import offer_of

NEEDED: Final = 20
"""Optimizer steps from which a cost is told. Chosen: five groups of four."""

WARM_UP: Final = 3
"""Steps after a load or a restart that are left out: kernels are chosen and memory is claimed in them.
Chosen."""

GROUPS: Final = 5
"""Parts the measured steps fall into; one of them that stands out does not count."""

WINDOW: Final = 400
"""Newest measured spans that count; a speed of long ago says nothing of the rest."""

EVERY: Final = timedelta(minutes=1)
"""Between two figures of one job."""


class Span(NamedTuple):
    """Some steps in a row."""

    steps: int
    seconds: float


class Measured(NamedTuple):
    """What the events of one process of a worker add up to."""

    attempt: int = 0
    seq: int = -1
    """The newest event taken in; a late one says nothing of speed."""
    step: int | None = None
    """Of the newest step event."""
    total_steps: int | None = None
    at: datetime | None = None
    """When that step ended, by the worker's clock."""
    warming: int = WARM_UP
    """Steps that are still left out."""
    spans: tuple[Span, ...] = ()

    @property
    def steps(self) -> int:
        """Steps that were measured."""
        return sum(span.steps for span in self.spans)

    @property
    def is_training(self) -> bool:
        """Whether steps are left."""
        return self.step is not None and self.step < (self.total_steps or 0)


def fold(events: Iterable[TrainingEvent], start: Measured | None = None) -> Measured:
    """Take events in, in the order in which they came."""
    state = start or Measured()
    for event in events:
        state = _add(state, event)
    return state


def seconds_per_step(spans: Sequence[Span]) -> float | None:
    """The median of the means of `GROUPS` parts in a row; None below `NEEDED` steps.

    A mean counts what comes again and again between steps (a look at the held-out rows, a checkpoint),
    which a median of single steps would pass by; a stall makes one part large, and the median passes
    that by, which a plain mean would carry on into all steps that are left.
    """
    if sum(span.steps for span in spans) < NEEDED:
        return None
    count = len(spans)
    parts = [
        spans[i * count // GROUPS : (i + 1) * count // GROUPS]
        for i in range(GROUPS)
        if i * count // GROUPS < (i + 1) * count // GROUPS
    ]
    return statistics.median(
        sum(span.seconds for span in part) / sum(span.steps for span in part) for part in parts
    )


def make(job: Job, measured: Measured, orders: Sequence[Intent], now: datetime) -> Requote | None:
    """What the whole job will cost: spent so far, the steps that are left, and what follows them.

    None before enough steps were measured, and once none is left.
    """
    each = seconds_per_step(measured.spans)
    if each is None or not measured.is_training:
        return None
    left = (measured.total_steps or 0) - (measured.step or 0)
    seconds = left * each + price.tail_s(job.plan.time, job.plan.memory.adapter_parameters)
    spent = intents.total(orders, now)
    return Requote(
        at=now,
        steps=measured.steps,
        seconds_per_step=each,
        usd=spent + price.dollars(_hourly(job, orders), seconds),
        ends_at=now + timedelta(seconds=seconds),
    )


class Requotes:
    """Follows the events of rented jobs, and tells now and then what each will cost."""

    def __init__(self, clock: Clock) -> None:
        """Nothing is read yet."""
        self._clock = clock
        self._tails: dict[str, EventTail] = {}
        self._measured: dict[str, Measured] = {}
        self._next_at: dict[str, datetime] = {}

    def now_and_then(
        self, job: Job, events: Path, orders: Callable[[], Sequence[Intent]]
    ) -> Requote | None:
        """A figure where it is time for one and enough was measured.

        Args:
            job: A rented one that trains.
            events: Its `events.jsonl`.
            orders: Gives all machines that were ordered for it.
        """
        now = self._clock()
        if now < self._next_at.get(job.id, now):
            return None
        tail = self._tails.setdefault(job.id, EventTail(events))
        known = self._measured.get(job.id)
        measured = self._measured[job.id] = fold(tail.read(), known)
        if measured.attempt != job.attempt or measured.steps < NEEDED:
            return None
        self._next_at[job.id] = now + EVERY
        return make(job, measured, orders(), now)

    def forget(self, job: Job) -> None:
        """The machine is gone."""
        for table in (self._tails, self._measured, self._next_at):
            table.pop(job.id, None)


def _add(state: Measured, event: TrainingEvent) -> Measured:
    if event.attempt < state.attempt:
        return state
    if event.attempt > state.attempt:
        state = Measured(attempt=event.attempt)
    if event.seq <= state.seq:
        return state
    state = state._replace(seq=event.seq)
    if _begins_anew(event):
        return Measured(attempt=state.attempt, seq=state.seq)
    if event.kind is not EventKind.STEP or event.step is None:
        return state
    return _add_step(state, event, event.step)


def _begins_anew(event: TrainingEvent) -> bool:
    """Whether the model is loaded again: after a failure perhaps with other sizes."""
    loads = event.kind is EventKind.STAGE and event.stage is WorkerStage.LOADING
    return loads or (event.kind is EventKind.CHECKPOINT and event.message == "resumed")


def _add_step(state: Measured, event: TrainingEvent, step: int) -> Measured:
    last, since = state.step, state.at
    if last is not None and step <= last:  # went back without a word: another process
        state, last = Measured(attempt=state.attempt, seq=state.seq), None
    known = state._replace(step=step, at=event.time, total_steps=event.total_steps)
    if last is None or since is None:
        return known._replace(warming=WARM_UP - 1)
    steps, seconds = step - last, (event.time - since).total_seconds()
    if state.warming > 0:
        return known._replace(warming=state.warming - steps)
    if seconds <= 0:  # the worker's clock was set back
        return known
    return known._replace(spans=(*state.spans, Span(steps, seconds))[-WINDOW:])


def _hourly(job: Job, orders: Sequence[Intent]) -> Decimal:
    """Dollars an hour of the machine the job runs on, as it is counted."""
    open_ones = [order.usd_per_hour for order in orders if order.absent_at is None]
    return max(open_ones, default=offer_of(job).hourly)
