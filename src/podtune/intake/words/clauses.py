"""How far a word reaches: clauses, what is negated, what is taken back, and which value is the last word.

Works on tokens only; knows no field but by name.
"""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from podtune.intake.words.candidates import Candidate, Value
from podtune.intake.words.lexicon import Concept
from podtune.intake.words.tokens import Sort, Token

_REACH: Final = 14
"""Tokens a negation reaches at most. Chosen: longer than a list of five cards."""

_OPEN: Final = (Concept.BUT, Concept.AND)
"""What ends a negation inside a clause."""


def is_negated(tokens: Sequence[Token], at: int) -> bool:
    """Whether a `not` of the same clause stands before a token and nothing turns it round again."""
    for back in range(at - 1, max(-1, at - 1 - _REACH), -1):
        token = tokens[back]
        if token.is_break or token.concept in _OPEN:
            return False
        if token.concept is Concept.NOT:
            return not is_exclamation(tokens, back)
    return False


def is_replaced(tokens: Sequence[Token], at: int) -> bool:
    """Whether `instead of` stands right before a token."""
    for back in range(at - 1, max(-1, at - 4), -1):
        token = tokens[back]
        is_thing = token.sort in (Sort.LITERAL, Sort.MODEL, Sort.CARD)
        if token.is_break or (is_thing and tokens[back + 1].concept is not Concept.OR):
            return False
        if token.concept is Concept.INSTEAD_OF:
            return True
    return False


def is_exclamation(tokens: Sequence[Token], at: int) -> bool:
    """Whether a `no` stands for a whole sentence: `no, make it 2`."""
    return at + 1 < len(tokens) and (tokens[at + 1].is_break or tokens[at + 1].text == ":")


def corrections(tokens: Sequence[Token]) -> list[int]:
    """Where in the text somebody takes back what was said."""
    return [
        token.start
        for at, token in enumerate(tokens)
        if token.concept is Concept.CORRECTION
        or (token.concept is Concept.NOT and is_exclamation(tokens, at))
    ]


def is_corrected_here(tokens: Sequence[Token], at: int) -> bool:
    """Whether a correction is announced shortly before a token."""
    for back in range(at - 1, max(-1, at - 7), -1):
        token = tokens[back]
        if token.concept is Concept.CORRECTION:
            return True
        if token.concept is Concept.NOT and is_exclamation(tokens, back):
            return True
        if token.sort in (Sort.LITERAL, Sort.MODEL, Sort.CARD):
            return False
    return False


class Settled(NamedTuple):
    """One value a field, and the fields of which several are left."""

    chosen: dict[str, Candidate]
    conflicts: list[str]


def settle(candidates: Iterable[Candidate], corrected_at: Sequence[int]) -> Settled:
    """The last word where one was taken back; two different words otherwise are a conflict."""
    by_field: dict[str, list[Candidate]] = {}
    for candidate in sorted(candidates, key=lambda c: c.start):
        by_field.setdefault(candidate.field, []).append(candidate)
    chosen: dict[str, Candidate] = {}
    conflicts: list[str] = []
    for field, found in by_field.items():
        last = found[-1]
        taken_back = [at for at in corrected_at if found[0].end <= at <= last.start]
        if taken_back:
            found = [c for c in found if c.start >= max(taken_back)]
        if len({_key(c.value) for c in found}) > 1:
            conflicts.append(field)
        else:
            chosen[field] = found[0]
    return Settled(chosen, conflicts)


def _key(value: Value) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return repr(float(value))
    return repr(value).lower()
