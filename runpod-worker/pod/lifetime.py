"""How long a rented machine may live, by money and by deadline.

Both count from absolute times that another machine's clock gave, while durations are this
machine's monotonic time: a clock that jumps after the start neither ends a training early nor
lets it run on (reliability-security.md R11, 2026-11-22).
"""

import time
from collections.abc import Callable

from orders import Orders

SKEW_S = 120.0
"""How far two machines' clocks may differ (R11)."""

FOR_EVER_S = 10 * 365 * 86_400.0


class Lifetime:
    """Counts from its making."""

    def __init__(
        self,
        orders: Orders,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """`wall` is looked at once."""
        self._orders, self._monotonic = orders, monotonic
        self._begin = monotonic()
        self._wall = wall()

    def elapsed_s(self) -> float:
        """Since this was made."""
        return self._monotonic() - self._begin

    def left_s(self) -> float:
        """Until the deadline or the end of the money, whichever comes first."""
        return min(self.deadline_left_s(), self.money_left_s())

    def deadline_left_s(self) -> float:
        """By the clock, and never longer than the machine was meant to live at all."""
        deadline = self._deadline()
        by_clock = deadline - self._wall
        by_duration = deadline - self._orders.started
        return min(by_clock, by_duration) - self.elapsed_s()

    def _deadline(self) -> float:
        try:
            shortened = float(self._orders.shortened.read_text(encoding="ascii"))
        except (OSError, ValueError):
            return self._orders.deadline
        return min(self._orders.deadline, shortened)

    def money_left_s(self) -> float:
        """Until the budget is spent at the machine's price, counted from its order."""
        orders = self._orders
        if orders.max_usd <= 0 or orders.usd_per_hour <= 0:
            return FOR_EVER_S
        paid_s = float(orders.max_usd / orders.usd_per_hour * 3600)
        before = max(0.0, self._wall - orders.started)
        return paid_s - before - self.elapsed_s()
