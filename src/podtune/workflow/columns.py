"""How moments and money stand in a column: integer microseconds UTC, integer micro-dollars."""

from datetime import UTC, datetime
from decimal import ROUND_UP, Decimal
from typing import Final

MICRO: Final = Decimal(1_000_000)
"""Micro-dollars in a dollar."""


def micros(moment: datetime) -> int:
    """An aware moment as it stands in a column."""
    return round(moment.timestamp() * 1e6)


def span(seconds: float) -> int:
    """Seconds as a difference of two such columns."""
    return int(seconds * 1e6)


def time_of(value: int) -> datetime:
    """The moment of a column."""
    return datetime.fromtimestamp(value / 1e6, UTC)


def time_or_none(value: int | None) -> datetime | None:
    """The same for a column that may be empty."""
    return None if value is None else time_of(value)


def micro_dollars(usd: Decimal) -> int:
    """Dollars as they stand in a column, rounded up: nothing counts for less than it costs."""
    return int((usd * MICRO).to_integral_value(rounding=ROUND_UP))


def dollars(value: int) -> Decimal:
    """Dollars of a column."""
    return value / MICRO


def dollars_or_none(value: int | None) -> Decimal | None:
    """The same for a column that may be empty."""
    return None if value is None else dollars(value)
