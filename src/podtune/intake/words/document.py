"""What the readers of single fields are given: one request in all its forms."""

from bisect import bisect_right
from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple

from podtune.intake.words.clauses import is_negated, is_replaced
from podtune.intake.words.literals import Literal
from podtune.intake.words.tokens import Token

REACH: Final = 40
"""Tokens a clause is followed to either side: more than any that a person writes, and time stays linear."""


class Document(NamedTuple):
    """A request on its way: the same places in all its texts."""

    text: str
    """Normalised, secrets masked, spelled as typed."""
    folded: str
    """Small letters without accents; literals, models and cards blanked."""
    loose: str
    """The same with hyphens, apostrophes and underscores as blanks."""
    words: str
    """Small letters without accents; literals blanked, models and cards still there."""
    tokens: Sequence[Token]
    literals: Sequence[Literal]
    language: str
    """ISO 639-1, by the commonest small words."""
    now: datetime
    """Local time that `tomorrow` counts from."""

    def at(self, place: int) -> int:
        """Index of the token that holds a place of the text, or comes next after it."""
        return min(bisect_right(self.tokens, place, key=lambda t: t.end), len(self.tokens) - 1)

    def is_negated(self, place: int) -> bool:
        """Whether what begins at a place is negated or replaced by something else."""
        if not self.tokens:
            return False
        index = self.at(place)
        return is_negated(self.tokens, index) or is_replaced(self.tokens, index)

    def clause(self, index: int) -> tuple[int, int]:
        """The places in the text between the breaks around a token."""
        first, last = index, index
        while first and index - first < REACH and not self.tokens[first - 1].is_break:
            first -= 1
        end = min(len(self.tokens), index + REACH) - 1
        while last < end and not self.tokens[last + 1].is_break:
            last += 1
        return self.tokens[first].start, self.tokens[last].end
