"""Waits for a job to change, at the price of one small read a second, and tells how far it is meanwhile."""

from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple, TypeVar

import anyio

from podtune.app import feed
from podtune.app.asked import Submitted
from podtune.app.desk import Desk
from podtune.core.clock import Monotonic, monotonic
from podtune.core.wire import TrainingStatus
from podtune.workflow.glance import Glance

LOOK_S: Final = 0.5
"""Between two looks."""
TOLD_EVERY: Final = 4
"""Looks between two tellings of progress."""


class Stand(NamedTuple):
    """How a job stands at a moment."""

    found: Submitted
    status: TrainingStatus

    @property
    def is_finished(self) -> bool:
        """Whether nothing more will come of it."""
        return feed.has_ended(self.found)

    @property
    def mark(self) -> tuple[object, ...]:
        """What has to differ for a change; progress within a phase is none."""
        status = self.status
        return (
            self.found.state, status.phase, status.status, status.attempt, status.error_code, self.is_finished,
        )  # fmt: skip


class Look(NamedTuple):
    """Looks at one job of a caller, from a thread."""

    desk: Desk
    job_id: str

    def stand(self) -> Stand:
        """The whole of it.

        Raises:
            NotFoundError: there is no such job of this caller.
        """
        found = self.desk.get(self.job_id)
        return Stand(found, self.desk.status_of(found))

    def glance(self) -> Glance | None:
        """Whether anything was written, for the price of a small read."""
        return self.desk.glance(self.job_id)


_T = TypeVar("_T")
Tell = Callable[[Stand], Awaitable[None]]


async def changed(
    look: Look,
    wait_s: float,
    tell: Tell,
    *,
    closing: anyio.Event | None = None,
    elapsed: Monotonic = monotonic,
) -> tuple[Stand, bool]:
    """How a job stands once it has changed, or after at most `wait_s` seconds; and whether it has.

    Args:
        look: At which job.
        wait_s: Longest wait; 0 for how it stands now.
        tell: Called now and then while it waits.
        closing: Ends the wait once it is set.
        elapsed: Tells how long it has waited.

    Raises:
        NotFoundError: there is no such job of this caller.
    """
    stopped = closing or anyio.Event()
    began = elapsed()
    stand = await _in_thread(look.stand)
    first, seen, count = stand.mark, await _in_thread(look.glance), 0
    if wait_s > 0:
        await tell(stand)
    while not stand.is_finished and stand.mark == first and not stopped.is_set():
        left_s = wait_s - (elapsed() - began)
        if left_s <= 0:
            break
        with anyio.move_on_after(min(LOOK_S, left_s)):
            await stopped.wait()
        now, count = await _in_thread(look.glance), count + 1
        if now is None or now != seen or count % TOLD_EVERY == 0:
            seen, stand = now, await _in_thread(look.stand)
            await tell(stand)
    return stand, stand.mark != first


async def _in_thread(work: Callable[[], _T]) -> _T:
    return await anyio.to_thread.run_sync(work)
