"""The loop of a driver process: gives signs of life, ticks, and goes when idle."""

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, Protocol

from podtune.core.clock import Monotonic, monotonic
from podtune.core.errors import StateError
from podtune.workflow.lease import Driver
from podtune.workflow.reconciler import Reconciler
from podtune.workflow.store import JobStore

log = logging.getLogger(__name__)


class Pace(NamedTuple):
    """How often the driver looks, how long its sign of life counts, and its patience, in seconds."""

    tick_s: float = 0.4
    lease_s: float = 20.0
    idle_s: float = 3.0
    store_s: float = 600.0
    """How long a job store that cannot be used is tried again."""


PACE: Final = Pace()

SIGNS: Final = 4
"""Signs of life while one counts: each is a synced write on PostgreSQL."""


class Round(Protocol):
    """Something besides jobs that a driver does from time to time."""

    def due(self) -> None:
        """Begin what is due, off the loop; returns at once.

        Raises:
            StateError: the job store cannot be used now.
        """
        ...

    def is_busy(self) -> bool:
        """Whether a driver that has no job left stays for it."""
        ...


def run(  # noqa: PLR0913 - wiring, called once
    store: JobStore,
    reconciler: Reconciler,
    driver: Driver,
    *,
    pace: Pace = PACE,
    stop: threading.Event | None = None,
    is_dead: Callable[[str], bool] = lambda holder: False,
    is_standing: bool = False,
    rounds: Sequence[Round] = (),
    elapsed: Monotonic = monotonic,
) -> str:
    """Drive until there is nothing left to do or `stop` is set.

    One that is not standing leaves at once where another like it drives already; a standing one shares
    the work with others and stays when idle. Returns why it ended: `busy`, `idle` or `stopped`.

    Raises:
        StateError: the job store could not be used for too long.
    """
    stop = stop or threading.Event()
    idle_for = unusable_for = 0.0
    held_at: float | None = None
    while True:
        try:
            if held_at is None and not is_standing and _has_double(store, driver, is_dead):
                return "busy"
            if held_at is None or elapsed() - held_at >= pace.lease_s / SIGNS:
                _bury(store, driver, is_dead)
                store.hold(driver, pace.lease_s)
                held_at = elapsed()
            left = reconciler.tick()
            for one in rounds:
                one.due()
            unusable_for = 0.0
            is_idle = not left and not any(one.is_busy() for one in rounds)
            idle_for = idle_for + pace.tick_s if is_idle else 0.0
            if not is_standing and idle_for >= pace.idle_s and store.leave_if_idle(driver.holder):
                if not store.is_needed(driver):
                    return "idle"
                idle_for, held_at = (
                    0.0,
                    None,
                )  # a job came in that very moment, and its command saw this driver alive
        except StateError as error:
            unusable_for += pace.tick_s
            if unusable_for >= pace.store_s:
                raise
            log.warning("%s", error.message)
        if stop.wait(pace.tick_s):
            _take_leave(store, driver)
            return "stopped"


Spawn = Callable[[], None]
"""Starts a driver process and returns at once."""


def ensure(
    store: JobStore,
    spawn: Spawn,
    driver: Driver,
    *,
    is_dead: Callable[[str], bool] = lambda holder: False,
) -> bool:
    """Start a driver like `driver` where one is needed; whether one was started."""
    _bury(store, driver, is_dead)
    if not store.is_needed(driver):
        return False
    spawn()
    return True


def _take_leave(store: JobStore, driver: Driver) -> None:
    """Free what it held; where the store cannot be used, its sign of life lapses."""
    try:
        store.leave(driver.holder)
    except StateError as error:
        log.warning("%s", error.message)


def _bury(store: JobStore, driver: Driver, is_dead: Callable[[str], bool]) -> None:
    """Free what dead drivers of this host held: their leases need not be sat out."""
    for other in store.drivers():
        if other.host == driver.host and other.holder != driver.holder and is_dead(other.holder):
            store.leave(other.holder)
            store.messages.free(other.holder)


def _has_double(store: JobStore, driver: Driver, is_dead: Callable[[str], bool]) -> bool:
    """Whether another driver alive can do all that this one can."""
    return any(
        other[1:] == driver[1:] and other.holder != driver.holder and not is_dead(other.holder)
        for other in store.drivers()
    )
