"""What the harnesses of `make faults` count, and how counts of several are added."""

from typing import NamedTuple, Self


class Counts(NamedTuple):
    """Whole numbers; those from `leaks` on are bad, and have to be 0."""

    schedules: int = 0
    """Seeded simulations."""
    kills: int = 0
    """Drivers ended by SIGKILL at a point, by real processes."""
    pairs: int = 0
    """Runs with two deaths, each at a point of its own."""
    recoveries: int = 0
    leaks: int = 0
    """Machines left, or without a proof that they are gone."""
    double_launches: int = 0
    overspent: int = 0
    """The cloud's bill was above our meter, or either above the ceiling."""
    unfinished: int = 0
    wrong_outcomes: int = 0
    wrong_callbacks: int = 0
    leaked_secrets: int = 0

    def plus(self, other: Self) -> Self:
        """The sum of both, name by name."""
        return self._make(mine + theirs for mine, theirs in zip(self, other, strict=True))

    @property
    def bad(self) -> dict[str, int]:
        """What should not be there."""
        after = self._fields.index("leaks")
        return {name: n for name, n in zip(self._fields[after:], self[after:], strict=True) if n}
