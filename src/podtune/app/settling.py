"""Asking for the bill of machines that are gone, off the loop, until it is final or given up.

RunPod books by the hour and behind the time. Nothing waits for a bill: a round of this is made by every
driver, also by one that a later command starts, and keeps none alive.
"""

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from podtune.core.clock import Clock
from podtune.core.errors import PodtuneError
from podtune.core.limits import Limits
from podtune.workflow.intents import Intent
from podtune.workflow.store import JobStore

log = logging.getLogger(__name__)

EVERY: Final = timedelta(minutes=10)
"""Between two rounds over one account, whoever makes them: bills are of whole hours. Chosen."""

AT_ONCE: Final = 20
"""Machines asked for in one round. RunPod allows 60 calls a minute (answers of 2026-11)."""

FINAL_LAGS: Final = 12
"""A figure of a machine that is gone for so many times `bill_lag_s` (a day) is taken as it is; before, once it
was told twice. Chosen: how late RunPod books is documented nowhere."""

GIVEN_UP_AFTER: Final = timedelta(days=7)
"""A machine without a bill by then stays unsettled. Chosen."""

LONGEST: Final = timedelta(hours=12)
"""Between two questions for one machine."""

Billed = Callable[[str, datetime], Decimal | None]
"""What a machine cost by the provider's bill, by id and the moment of its order; None while it says nothing."""


def pause_after(gone_for: timedelta) -> timedelta:
    """How long to wait before the bill of a machine that is gone so long is asked for again."""
    return min(LONGEST, max(EVERY, gone_for / 4))


def is_final(order: Intent, figure: Decimal, now: datetime, limits: Limits) -> bool:
    """Whether what the bill says will not grow any more, as far as anybody can tell."""
    settled = timedelta(seconds=FINAL_LAGS * limits.bill_lag_s)
    if order.absent_at is not None and now - order.absent_at >= settled:
        return True
    return figure == order.billed_usd


def is_given_up(order: Intent, now: datetime) -> bool:
    """Whether nobody asks for a bill any more."""
    gone = order.absent_at is not None and now - order.absent_at > GIVEN_UP_AFTER
    return gone and order.settled_at is None


def is_of_queue(order: Intent) -> bool:
    """Whether it was a job of a serverless endpoint, which no bill names (`queue_provider.instance_id`)."""
    return "/" in (order.instance_id or "")


class Settling:
    """Rounds of one driver; one of several drivers makes each."""

    def __init__(  # noqa: PLR0913 - wiring, called once
        self,
        store: JobStore,
        billed: Billed,
        *,
        account: str,
        holder: str,
        executor: Executor,
        clock: Clock,
        limits: Limits,
    ) -> None:
        """`billed` asks the account that `account` is the fingerprint of."""
        self._store, self._billed = store, billed
        self._account, self._holder = account, holder
        self._executor, self._clock, self._limits = executor, clock, limits
        self._next_at: datetime | None = None
        self._under_way: Future[None] | None = None
        self._not_before: dict[str, datetime] = {}

    def due(self) -> None:
        """Begin a round when it is time for one."""
        now = self._clock()
        if self._under_way is not None:
            if not self._under_way.done():
                return
            error, self._under_way = self._under_way.exception(), None
            if error is not None:  # the next round asks again
                told = error.message if isinstance(error, PodtuneError) else repr(error)
                log.warning("bills could not be asked for: %s", told)
        if self._next_at is not None and now < self._next_at:
            return
        self._next_at = now + EVERY
        self._under_way = self._executor.submit(self._round)

    def is_busy(self) -> bool:
        """Never: a bill that is late keeps no driver."""
        return False

    def _round(self) -> None:
        """Ask for what is due, unless another driver did a moment ago."""
        due, seconds = self._open_ones(), EVERY.total_seconds()
        lease = f"settle {self._account}"
        if not due or self._store.take_lease(lease, self._holder, seconds) is None:
            return
        for order in due[:AT_ONCE]:
            try:
                self._ask(order)
            except PodtuneError as error:
                log.info("the bill of %s: %s", order.instance_id, error.message)
                return

    def _open_ones(self) -> Sequence[Intent]:
        """Machines to ask for now, the one that waits longest first."""
        now = self._clock()
        lag = timedelta(seconds=self._limits.bill_lag_s)
        found = self._store.unsettled(self._account, now - GIVEN_UP_AFTER, now - lag)
        found = [order for order in found if not is_of_queue(order)]
        here = {order.instance_id for order in found}
        self._not_before = {name: at for name, at in self._not_before.items() if name in here}
        waits = [(self._not_before.get(order.instance_id or ""), order) for order in found]
        due = [(at or order.intent_at, order) for at, order in waits if (at or now) <= now]
        return [order for _, order in sorted(due, key=lambda one: one[0])]

    def _ask(self, order: Intent) -> None:
        """Ask once. A bill of nothing for a machine that ran is no bill."""
        now, machine = self._clock(), order.instance_id or ""
        gone_for = now - (order.absent_at or now)
        self._not_before[machine] = now + pause_after(gone_for)
        figure = self._billed(machine, order.intent_at)
        if figure is None or figure <= 0:
            return
        final = is_final(order, figure, now, self._limits)
        if final or figure != order.billed_usd:
            self._store.note_bill(order, figure, now if final else None)
