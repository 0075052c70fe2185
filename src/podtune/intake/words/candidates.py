"""What the readers of single fields give back."""

from typing import NamedTuple

Value = str | int | float | bool | list[str]
"""What a field may hold."""


class Candidate(NamedTuple):
    """A value somebody may have stated."""

    field: str
    value: Value
    start: int
    """Where its words begin in the text that is read."""
    end: int
