"""Spans of time as people write them: `2h 30m`, `an hour and a half`, `1:30 h`, `hora y media`."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from podtune.intake.words.lexicon import Concept
from podtune.intake.words.tokens import Token

_HOURS: Final = {Concept.HOUR: 1.0, Concept.MINUTE: 1 / 60, Concept.DAY: 24.0}
_ARTICLES: Final = frozenset(
    ("a", "an", "one", "une", "una", "eine", "einer", "un", "ein", "einen", "uma", "um")
)


class Span(NamedTuple):
    """A span and the tokens that say it."""

    hours: float
    first: int
    last: int


def read(tokens: Sequence[Token], at: int) -> Span | None:
    """`2h 30m`, `1.5 hours`, `an hour`, `1-2 hours` (its upper end), from a token on."""
    if clock := _clock(tokens, at):
        return Span(clock, at, at + 3)
    hours, last = 0.0, at - 1
    while last + 2 < len(tokens):
        value = _value(tokens, last + 1)
        if value is None:
            break
        factor = _factor(tokens[last + 1], tokens[last + 2], is_second=hours > 0)
        if factor is not None:
            hours += value * factor
        elif hours or not _is_upper(tokens, last + 2):
            break
        last += 2
    if not hours:
        return _bare(tokens, at)
    if half := _half(tokens, last):
        return Span(hours + _HOURS[tokens[last].concept or Concept.HOUR] / 2, at, half)
    minutes = _minutes(tokens, last)
    return Span(hours + minutes / 60, at, last + 1) if minutes else Span(hours, at, last)


def _value(tokens: Sequence[Token], at: int) -> float | None:
    """The number at a token; 1 for `an hour`, and none for `a quarter of an hour`."""
    number = tokens[at].number
    if number is not None:
        return number.value
    is_one = tokens[at].text in _ARTICLES and tokens[at + 1].concept in _HOURS
    is_part = at > 0 and tokens[at - 1].text in ("of", "d", "de", "di", "einer", "'")
    return 1.0 if is_one and not is_part else None


def _factor(number: Token, unit: Token, *, is_second: bool) -> float | None:
    """How many hours a unit is."""
    if (unit.text == "min" and number.number) or (is_second and unit.text == "m"):
        return 1 / 60  # elsewhere `min` is a minimum
    return _HOURS.get(unit.concept) if unit.concept else None


def _minutes(tokens: Sequence[Token], last: int) -> float | None:
    """`2h30`: what follows an `h` and is not another unit's."""
    rest = tokens[last + 1].number if last + 1 < len(tokens) else None
    if rest is None or rest.value >= 60 or tokens[last].text != "h":
        return None
    gap = tokens[last + 1].start - tokens[last].end
    return rest.value if gap <= _ends(tokens, last + 2) else None


def _half(tokens: Sequence[Token], last: int) -> int | None:
    """`an hour and a half`: where the half behind a unit ends."""
    at = last + 1
    if (
        at >= len(tokens)
        or tokens[at].concept is not Concept.AND
        or tokens[last].concept not in _HOURS
    ):
        return None
    while at + 1 < len(tokens) and (
        tokens[at].concept is Concept.AND or tokens[at].text in _ARTICLES
    ):
        at += 1
    number = tokens[at].number
    is_half = number is not None and number.value == 0.5 and tokens[at].is_spelled
    has_unit = at + 1 < len(tokens) and tokens[at + 1].concept in (*_HOURS, Concept.EPOCHS)
    return at if is_half and not has_unit else None


def _bare(tokens: Sequence[Token], at: int) -> Span | None:
    """`hora y media`: the unit itself stands for one."""
    concept = tokens[at].concept
    factor = _HOURS.get(concept) if concept else None
    half = _half(tokens, at) if factor else None
    return Span(factor * 1.5, at, half) if factor and half else None


def _clock(tokens: Sequence[Token], at: int) -> float | None:
    """`1:30 h` in hours."""
    four = tokens[at : at + 4]
    if len(four) < 4 or four[1].text != ":" or four[3].concept is not Concept.HOUR:
        return None
    whole, minutes = four[0].number, four[2].number
    if whole is None or minutes is None or minutes.value >= 60 or four[0].end != four[1].start:
        return None
    return whole.value + minutes.value / 60


def _ends(tokens: Sequence[Token], at: int) -> int:
    """1 where a clause ends, so that `2 h 30` may be written apart; 0 otherwise."""
    return int(at >= len(tokens) or tokens[at].is_break)


def _is_upper(tokens: Sequence[Token], at: int) -> bool:
    """Whether `-` or `to` and a number with a unit follow."""
    return (
        at + 2 < len(tokens)
        and tokens[at].text in ("-", "to", "bis", "a", "or", "o", "ou", "oder")
        and tokens[at + 1].number is not None
        and tokens[at + 2].concept in _HOURS
    )
