"""Spans of time that are limits: `no longer than 90 minutes`. Other spans are left alone."""

from collections.abc import Sequence
from typing import Final

from podtune.intake.words import timespans
from podtune.intake.words.candidates import Candidate
from podtune.intake.words.clauses import is_corrected_here, is_negated
from podtune.intake.words.document import Document
from podtune.intake.words.lexicon import Concept
from podtune.intake.words.patterns import Pattern
from podtune.intake.words.tokens import Token

_STOPS: Final = r"stop\w*|kill|abort\w*|end|cut|cancel|halt|quit|give up|bail(?: out)?|(?:shut|switch|turn|take) (?:(?:it|that|everything|the (?:job|run|pod|machine)) )?(?:down|off)|pull out|finish|abbrech\w*|brich|beend\w*|schluss|aufhoren|arrete[rz]?|interromp\w*|coupe[rz]?|par[aeo]r?|deten\w*|corta\w*|ferma\w*|encerr\w*|termina\w*"
_CUE: Final = Pattern(
    rf"\b(?:time ?limit|limit|{_STOPS}|max[a-z.]*|time ?out|timeout|wall ?time|time budget|train|run|trainiere|laufzeit|zeitlimit|temps maxi\w*|duree|tiempo maximo|tempo massimo|tempo maximo|durata|duracion|duracao|durar|dauern|durer|take|takes)"
    r"(?: (?:it|that|the|job|run|training|off|for|after|at|is|of|in|under|nach|fur|apres|pendant|despues de|tras|durante|dopo|per|depois de|al cabo de|au bout de|au bout d|dans|lo|la|il|o|tudo|todo|tout|por|:|=|das|den|lauf|model|only|just|más|mas|moins|de|auf|no)){0,4}[ :=]{0,3}$"
)
_AFTER: Final = Pattern(
    r"\b(?:after|nach|spatestens nach|apres|au bout (?:de|d)|despues de|tras|al cabo de|dopo|depois de|apos|passad[ao]s|passat[eio]) (?:about |etwa |environ |unos |circa )?$"
)
_STOPPED: Final = Pattern(
    rf" ?(?:(?:please|bitte|alles|ihn|es|it|the|job|run|lauf|den|training|das|automatisch|automatically|hard|must|soll|muss|ist|wird|the|is|to|be|it) ?){{0,5}}\b(?:{_STOPS})\b"
)
"""What is said behind a span: `nach 2 Stunden abbrechen`."""
_FIRST_OF_TWO: Final = Pattern(
    r"[ ,(]{0,3}(?:whichever|whatever) (?:comes|is|happens|ends|occurs|of)|[ ,(]{0,3}(?:je nachdem|was (?:zuerst|eher|fruher))|[ ,(]{0,3}(?:au premier|selon|lo que|o que|quel che|cio che)\b"
)
_DATA: Final = Pattern(
    r"(?:last|past|previous|letzten|derniers|dernieres|ultimos|ultimas|ultime|ultimi) *$"
)
_LASTING: Final = Pattern(
    r"\b(?:calls?|recordings?|videos?|sessions?|meetings?|conversations?|interviews?|lectures?|episodes?|clips?|answers?|repl(?:y|ies)|responds?|responses?|anrufe?|gesprache?|aufnahmen|antworte?t?e?n?|appels|repond\w*|llamadas|responde\w*|chiamate|rispond\w*|chamadas)\b[^.;,\n]{0,25}$"
)
"""`calls of up to 2 hours`, `a bot that answers within 2 minutes`."""


_UNTIL: Final = frozenset(("jusqu a", "hasta", "ate", "fino a", "bis"))
_CLOCK_WORDS: Final = frozenset(("las", "as", "alle", "la", "les", "a las"))


def read(document: Document, used: set[int]) -> list[Candidate]:
    """`max_hours` where a span is a limit; its tokens are added to `used`."""
    found: list[Candidate] = []
    tokens = document.tokens
    at = 0
    while at < len(tokens):
        span = timespans.read(tokens, at) if at not in used else None
        if span is None:
            at += 1
            continue
        if _is_limit(document, span):
            start, end = tokens[span.first].start, tokens[span.last].end
            found.append(Candidate("max_hours", round(span.hours, 6), start, end))
        used.update(range(span.first, span.last + 1))
        at = span.last + 1
    return found


def _is_second(tokens: Sequence[Token], at: int) -> bool:
    """`max 500 steps or 2 hours`: the limit is said before the first of two."""
    counted = tokens[max(0, at - 2) : at]
    if (
        len(counted) < 2
        or counted[0].number is None
        or counted[1].concept not in (Concept.STEPS, Concept.EPOCHS)
    ):
        return False
    limits = (Concept.AT_MOST, Concept.LESS_THAN)
    return any(t.concept in limits for t in tokens[max(0, at - 5) : at - 2])


def _is_limit(document: Document, span: timespans.Span) -> bool:
    tokens = document.tokens
    left: list[Token] = []
    back = span.first - 1
    while back >= 0 and len(left) < 5 and not tokens[back].is_break and tokens[back].number is None:
        left.append(tokens[back])
        back -= 1
    before = document.folded[max(0, tokens[span.first].start - 60) : tokens[span.first].start]
    if _DATA.search(before) or _LASTING.search(before):
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
    is_second = bool(left) and left[0].concept is Concept.OR and _is_second(tokens, span.first - 1)
    return (
        is_corrected_here(tokens, span.first)
        or is_second
        or _is_ended(document, span, before.replace("'", " "))
    )


def _is_ended(document: Document, span: timespans.Span, before: str) -> bool:
    """`stop after 2 hours`, `nach 2 Stunden abbrechen`, `... or 2 hours, whichever comes first`."""
    tokens = document.tokens
    behind = document.loose[tokens[span.last].end : tokens[span.last].end + 60]
    if _FIRST_OF_TWO.match(behind) or (_AFTER.search(before) and _STOPPED.match(behind)):
        return True
    return _CUE.search(before) is not None and not is_negated(tokens, span.first)
