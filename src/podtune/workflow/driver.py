"""The one process that drives a home's jobs: holds the lease, ticks, and goes when idle."""

import logging
import threading
from collections.abc import Callable
from typing import Final, NamedTuple

from podtune.workflow.reconciler import Reconciler
from podtune.workflow.store import JobStore, LeaseLostError

log = logging.getLogger(__name__)


class Pace(NamedTuple):
    """How often the driver looks and how long its lease and its patience last, in seconds."""

    tick_s: float = 0.4
    lease_s: float = 20.0
    idle_s: float = 3.0


PACE: Final = Pace()


def run(  # noqa: PLR0913 - wiring, called once
    store: JobStore,
    reconciler: Reconciler,
    *,
    holder: str,
    pace: Pace = PACE,
    stop: threading.Event | None = None,
    is_dead: Callable[[str], bool] = lambda holder: False,
    account: str | None = None,
) -> str:
    """Drive until there is nothing left to do, the lease is lost, or `stop` is set.

    `account` is whose rented machines this driver sees; others read it in the lease. Returns why it ended: `busy` (somebody else drives), `idle`, `lease lost` or `stopped`.
    """
    stop = stop or threading.Event()
    idle_for = 0.0
    while True:
        other = store.lease_holder()
        dead = other if other and other != holder and is_dead(other) else None
        token = store.take_lease(holder, pace.lease_s, dead=dead, account=account)
        if token is None:
            return "busy"
        try:
            left = reconciler.tick(token)
        except LeaseLostError as error:
            log.warning("%s", error.message)
            return "lease lost"
        idle_for = 0.0 if left else idle_for + pace.tick_s
        if idle_for >= pace.idle_s and store.release_if_idle(holder):
            return "idle"
        if stop.wait(pace.tick_s):
            return "stopped"


Spawn = Callable[[], None]
"""Starts a driver process and returns at once."""


def ensure(
    store: JobStore, spawn: Spawn, *, is_dead: Callable[[str], bool] = lambda holder: False
) -> bool:
    """Start a driver when there is unfinished work and nobody drives; whether one was started."""
    holder = store.lease_holder()
    if not store.has_unfinished() or (holder is not None and not is_dead(holder)):
        return False
    spawn()
    return True
