"""Spans of time that are limits: `no longer than 90 minutes`. Other spans are left alone."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from podtune.intake.words.candidates import Candidate
from podtune.intake.words.clauses import is_corrected_here, is_negated
from podtune.intake.words.document import Document
from podtune.intake.words.lexicon import Concept
from podtune.intake.words.patterns import Pattern
from podtune.intake.words.tokens import Token

_HOURS: Final = {Concept.HOUR: 1.0, Concept.MINUTE: 1 / 60, Concept.DAY: 24.0}
_ARTICLES: Final = frozenset(
    ("a", "an", "one", "une", "una", "eine", "einer", "un", "ein", "einen", "uma", "um")
)
_CUE: Final = Pattern(
    r"(?:time ?limit|limit|stop|kill|abort|end|cut|cancel|max[a-z.]*|time ?out|timeout|wall ?time|time budget|train|run|trainiere|laufzeit|zeitlimit|temps maxi\w*|duree|tiempo maximo|tempo massimo|tempo maximo|durata|duracion|duracao|durar|dauern|durer|take|takes)"
    r"(?: (?:it|that|the|job|run|training|off|for|after|at|is|of|in|under|nach|fur|apres|pendant|despues de|tras|durante|dopo|per|depois de|por|:|=|das|den|lauf|model|only|just|más|mas|moins|de|auf|no)){0,4}[ :=]{0,3}$"
)
_DATA: Final = Pattern(
    r"(?:last|past|previous|letzten|derniers|dernieres|ultimos|ultimas|ultime|ultimi) *$"
)


_UNTIL: Final = frozenset(("jusqu a", "hasta", "ate", "fino a", "bis"))
_CLOCK_WORDS: Final = frozenset(("las", "as", "alle", "la", "les", "a las"))


class _Span(NamedTuple):
    hours: float
    first: int
    last: int


def read(document: Document, used: set[int]) -> list[Candidate]:
    """`max_hours` where a span is a limit; its tokens are added to `used`."""
    found: list[Candidate] = []
    tokens = document.tokens
    at = 0
    while at < len(tokens):
        span = _span(tokens, at) if at not in used else None
        if span is None:
            at += 1
            continue
        if _is_limit(document, span):
            start, end = tokens[span.first].start, tokens[span.last].end
            found.append(Candidate("max_hours", round(span.hours, 6), start, end))
        used.update(range(span.first, span.last + 1))
        at = span.last + 1
    return found


def _span(tokens: Sequence[Token], at: int) -> _Span | None:
    """`2h 30m`, `1.5 hours`, `an hour`, `1-2 hours` (its upper end), from a token on."""
    hours, first, last = 0.0, at, at - 1
    while last + 2 < len(tokens):
        number, unit = tokens[last + 1], tokens[last + 2]
        value = (
            number.number.value
            if number.number
            else 1.0
            if number.text in _ARTICLES and unit.concept in _HOURS
            else None
        )
        if value is None:
            break
        factor = _HOURS.get(unit.concept) if unit.concept else None
        if factor is None and hours and unit.text == "m":
            factor = 1 / 60
        if factor is None:
            if not hours and _is_upper(tokens, last + 2):
                last += 2
                continue
            break
        hours, last = hours + value * factor, last + 2
    if not hours:
        return None
    if (
        last + 1 < len(tokens)
        and (rest := tokens[last + 1].number)
        and rest.value < 60
        and tokens[last].text == "h"
        and tokens[last + 1].start == tokens[last].end
    ):
        hours, last = hours + rest.value / 60, last + 1
    return _Span(hours, first, last)


def _is_upper(tokens: Sequence[Token], at: int) -> bool:
    """Whether `-` or `to` and a number with a unit follow."""
    return (
        at + 2 < len(tokens)
        and tokens[at].text in ("-", "to", "bis", "a", "or", "o", "ou", "oder")
        and tokens[at + 1].number is not None
        and tokens[at + 2].concept in _HOURS
    )


def _is_limit(document: Document, span: _Span) -> bool:
    tokens = document.tokens
    left: list[Token] = []
    back = span.first - 1
    while back >= 0 and len(left) < 5 and not tokens[back].is_break and tokens[back].number is None:
        left.append(tokens[back])
        back -= 1
    before = document.folded[max(0, tokens[span.first].start - 60) : tokens[span.first].start]
    if _DATA.search(before):
        return False
    concepts = [t.concept for t in left]
    if Concept.MORE_THAN in concepts:
        return is_negated(tokens, span.first - 1 - concepts.index(Concept.MORE_THAN))
    if Concept.AT_LEAST in concepts:
        return False
    until = any(t.text in _UNTIL for t in left)
    if until and (tokens[span.last].text == "h" or any(t.text in _CLOCK_WORDS for t in left[:1])):
        return False  # `jusqu'à 17h` is a time of day
    if Concept.AT_MOST in concepts or Concept.LESS_THAN in concepts:
        return True
    after = tokens[span.last + 1 : span.last + 2]
    if after and after[0].concept is Concept.AT_MOST:
        return True
    if is_corrected_here(tokens, span.first):
        return True
    return _CUE.search(before.replace("'", " ")) is not None and not is_negated(tokens, span.first)
