"""Where a job's time went: phases of the workflow, and within the training the stages of its worker.

Takes the workflow's log and the beginnings of stages; clocks of rented machines may be off, so nothing begins
before what stands before it.
"""

import itertools
from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple

from podtune.core.states import JobPhase
from podtune.gateway.dashboard.curves import Beginning
from podtune.workflow.store import LogEntry

MOST: Final = 40
"""Segments; of a job with many recoveries the last ones."""
NARROWEST: Final = 0.8
"""Percent of the bar, so that a short phase is seen."""


class Segment(NamedTuple):
    """One phase or stage."""

    name: str
    seconds: float
    x: float
    """Where it begins on the bar, in percent."""
    width: float
    """In percent."""
    is_now: bool


def segments(
    log: Sequence[LogEntry], stages: Sequence[Beginning], end: datetime, *, is_finished: bool
) -> Sequence[Segment]:
    """The segments of a job, in order.

    Args:
        log: What the workflow did.
        stages: What its workers said.
        end: When it was over; now, while it is not.
        is_finished: Whether it is over.
    """
    begun = _begun(log, stages)[-MOST:]
    if not begun:
        return []
    names = [name for _, name in begun]
    times = [time for time, _ in begun] + [max(end, begun[-1][0])]
    took = [(after - before).total_seconds() for before, after in itertools.pairwise(times)]
    if is_finished and names[-1] == JobPhase.DONE.value:
        names, took = names[:-1], took[:-1]
    whole = sum(took) or 1.0
    widths = [max(NARROWEST, 100 * seconds / whole) for seconds in took]
    scale = 100 / sum(widths) if widths else 1.0
    found: list[Segment] = []
    x = 0.0
    for number, (name, seconds, width) in enumerate(zip(names, took, widths, strict=True)):
        is_now = not is_finished and number == len(names) - 1
        found.append(Segment(name, seconds, round(x, 2), round(width * scale, 2), is_now))
        x += width * scale
    return found


def _begun(log: Sequence[LogEntry], stages: Sequence[Beginning]) -> list[tuple[datetime, str]]:
    """When each phase or stage began; the worker's stages stand within the phase of training."""
    found: list[tuple[datetime, str]] = []
    waiting = list(stages)
    before: tuple[str, int] | None = None
    for number, entry in enumerate(log):
        is_training = entry.phase == JobPhase.TRAINING.value
        if (entry.phase, entry.attempt) != before:
            # Until its first stage begins the worker starts.
            _begin(found, entry.time, "starting" if is_training else entry.phase)
        before = (entry.phase, entry.attempt)
        until = log[number + 1].time if number + 1 < len(log) else None
        while is_training and waiting and waiting[0].attempt <= entry.attempt:
            if until is not None and waiting[0].time >= until:
                break
            _begin(found, waiting[0].time, waiting[0].stage)
            waiting.pop(0)
    return found


def _begin(found: list[tuple[datetime, str]], time: datetime, name: str) -> None:
    if found and found[-1][1] == name:
        return
    found.append((max(time, found[-1][0]) if found else time, name))
