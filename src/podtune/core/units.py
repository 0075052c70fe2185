"""Sizes, durations and counts as people read them. Sizes are bytes or GiB, never an ambiguous "GB"."""

from typing import Final

GIB: Final = 1024**3
MIB: Final = 1024**2


def gib(size_bytes: float) -> str:
    """Bytes as GiB or MiB.

    >>> gib(3 * 1024**3)
    '3.0 GiB'
    >>> gib(19_000_000), gib(300)
    ('18 MiB', '300 B')
    """
    if size_bytes >= GIB:
        return f"{size_bytes / GIB:.1f} GiB"
    if size_bytes >= MIB:
        return f"{size_bytes / MIB:.0f} MiB"
    return f"{size_bytes / 1024:.0f} KiB" if size_bytes >= 1024 else f"{size_bytes:.0f} B"


def duration(seconds: float) -> str:
    """Seconds as a person says them.

    >>> duration(42), duration(184), duration(7260)
    ('42 s', '3 min 04 s', '2 h 01 min')
    """
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def count(number: float) -> str:
    """A whole number with its thousands separated.

    >>> count(1234567)
    '1,234,567'
    """
    return f"{round(number):,}"


def plural(number: int, noun: str) -> str:
    """A count with its noun.

    >>> plural(1, "error"), plural(2, "error")
    ('1 error', '2 errors')
    """
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def short_count(number: float) -> str:
    """A large number in three digits.

    >>> short_count(134_515_008), short_count(4_884_480), short_count(900)
    ('135 M', '4.9 M', '900')
    """
    for limit, suffix in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if number >= limit * 0.9995:
            value = number / limit
            return f"{value:.0f} {suffix}" if value >= 100 else f"{value:.1f} {suffix}"
    return f"{number:.0f}"
