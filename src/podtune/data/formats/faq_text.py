"""Questions and answers in text: behind labels such as Q: and A:, or questions on lines of their own.

Takes numbered lines, in one pass. Knows no files; of a PDF it only needs to be told that its lines
were wrapped by layout.
"""

# ruff: noqa: RUF001 (letters and marks of other scripts are meant)
import itertools
import re
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from podtune.data.formats.faq_labels import labelled_as, pair_of
from podtune.data.record import Reading, Record

LOOK: Final = 2_000
"""Lines held to tell how questions are marked."""

MAX_LINES: Final = 5_000
"""Lines of one answer."""

MAX_QUESTION: Final = 300
"""Characters of a question without a label."""

_FULL: Final = 0.7
"""Share of the longest line from which on a line was broken by layout."""

_ASKS: Final = re.compile(r"[?？؟][\"'»”’)\]*_ ]{0,4}$")
_ENDS: Final = re.compile(r"[.!?:;…。！？؟][\"'»”’)\]]{0,3}$")
_ITEM: Final = re.compile(r"\s{0,20}(?:[-*•‣–▪◦]\s|\d{1,3}[.)]\s|[a-z][.)]\s)")
_SENTENCE: Final = re.compile(r"(?P<word>[^\W_]{0,40})(?P<end>[.!?。！？؟])\s++(?![\da-zß-ÿ])")
"""A mark with what it ends; a sentence goes on behind it in small letters or with a number."""

_SHORT: Final = frozenset({
    "st", "ste", "sta", "dr", "mr", "mrs", "ms", "prof", "dipl", "ing", "mag", "jr", "sr", "sra", "srta",
    "mme", "mlle", "mt", "ft", "nr", "núm", "art", "abs", "bd", "vol", "str", "av", "avda", "ul",
    "approx", "ca", "bzw", "evtl", "inkl", "incl", "exkl", "excl", "zzgl", "vs", "dept", "tel", "min", "max",
    "mio", "св", "ул", "им",
})  # fmt: skip
"""Abbreviations that stand before names, besides single letters."""

_NUMBERED: Final = re.compile(
    r"(?:Q\s?(?P<number>\d{1,4})\s?[.:)–-]{0,2}|[FPDVSKВП]\s?(?P<lettered>\d{1,4})\s?[.:)]|(?P<item>\d{1,4})[.)]|[QF][.:)])\s+(?=\S)"
    r"|(?:question|frage|pregunta|pergunta|domanda|vraag|pytanie|вопрос)\s?(?P<spelled>\d{1,4})?\s?[.:)–-]\s*(?=\S)",
    re.IGNORECASE,
)
"""The number of a question in a list of them."""

_QUOTED: Final = re.compile(r"[\"'«“„‚‘»].{0,300}[\"'«“”’‘»]")
"""What somebody says in a tale."""

_CJK: Final = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\uff01-\uff65]")
_RULE: Final = re.compile(r"\s{0,8}(?:[-=*_~#]\s?){3,200}")
_TOPIC: Final = re.compile(r"#{1,6} \S.{0,200}|\[[^\[\]]{1,80}\]")
"""A topic's heading in a text: as in Markdown, or in brackets."""


def fits_text(head: str) -> bool:
    """Whether a text is a list of questions and answers.

    Labels, a question's first; or questions on lines of their own, each with an answer below it.
    """
    lines = head.split("\n")[:LOOK]
    pair = pair_of(lines)
    if pair is not None:
        first = next(found for line in lines if (found := labelled_as(line, pair)) is not None)
        return first.is_question
    return _fits_unlabelled(lines)


def gather_text(
    lines: Iterable[tuple[int, str]], reading: Reading, *, unwrap: bool = False
) -> Iterator[Record]:
    """One record for every question, in order; a question without an answer has an empty one.

    Args:
        lines: Physical lines with their numbers.
        reading: Not needed yet; every form is called alike.
        unwrap: Whether lines were broken by layout, as in a PDF, and are to be joined.
    """
    del reading
    stream = iter(lines)
    held = list(itertools.islice(stream, LOOK))
    width = max((len(line) for _, line in held), default=0)
    pair = pair_of(line for _, line in held)
    together = itertools.chain(held, stream)
    found = _labelled(together, pair) if pair is not None else _unlabelled(together, width)
    for number, question, answer in found:
        yield Record(
            number,
            {
                "messages": [
                    {"role": "user", "content": _text(question, width if unwrap else 0)},
                    {"role": "assistant", "content": _text(answer, width if unwrap else 0)},
                ]
            },
        )


_Found = tuple[int, list[str], list[str]]


def _labelled(lines: Iterable[tuple[int, str]], pair: tuple[str, str]) -> Iterator[_Found]:
    """Questions and answers by their labels; an answer's label inside an answer is text of it."""
    number = 0
    question: list[str] | None = None
    answer: list[str] | None = None
    for at, line in lines:
        label = labelled_as(line, pair)
        if label is not None and label.is_question:
            if question is not None:
                yield number, question, _without_topic(answer or [])
            number, question, answer = at, [label.text], None
        elif label is not None and question is not None and answer is None:
            answer = [label.text]
        elif question is not None:
            part = question if answer is None else answer
            if len(part) < MAX_LINES:
                part.append(line)
    if question is not None:
        yield number, question, _without_topic(answer or [])


def _without_topic(answer: list[str]) -> list[str]:
    """The answer without rules, and without the heading of the next topic at its end."""
    kept = list(answer)
    while kept and (not kept[-1].strip() or _is_bound(kept[-1])):
        kept.pop()
    above = kept[-2] if len(kept) > 1 else "text"
    last = kept[-1].strip() if kept else ""
    shouted = last.isupper() and len(last) <= 80 and not _ENDS.search(last)
    if not above.strip() and (shouted or _TOPIC.fullmatch(last)):
        return _without_topic(kept[:-1])
    return kept


def _is_bound(line: str) -> bool:
    return len(line) <= 250 and _RULE.fullmatch(line) is not None


def _fits_unlabelled(lines: Sequence[str]) -> bool:
    numbered = list(enumerate(lines, start=1))
    width = max((len(line) for line in lines), default=0)
    found = list(_unlabelled(numbered, width))
    above = [line.strip() for line in lines[: found[0][0] - 1] if line.strip()] if found else []
    if len(found) < 2 or len(above) > 3 or any(_ENDS.search(line[-8:]) for line in above):
        return False  # above a list stands its title, above a question in a tale stand sentences
    answers = [
        sum(len(line) for line in answer)
        for _, _, answer in found[: -1 if len(found) > 2 else None]
    ]
    return all(size <= 1_500 for size in answers) and 3 * answers.count(0) <= len(found)


class _Asked(NamedTuple):
    """A question without a label: its first line, its place in what is held, its lines, its number."""

    line: int
    start: int
    text: list[str]
    number: int | None


def _unlabelled(lines: Iterable[tuple[int, str]], width: int) -> Iterator[_Found]:
    """Questions that are lines of their own, and the lines below each as its answer."""
    current: _Asked | None = None
    answer: list[tuple[int, str]] = []
    for at, line in lines:
        answer.append((at, line))
        asked = _asked(answer, width, current)
        if asked is None:
            if len(answer) > MAX_LINES or (current is None and len(answer) > 10):
                answer.pop(0 if current is None else -1)
            continue
        if current is not None:
            above = [text for _, text in answer[: asked.start]]
            yield current.line, current.text, _without_topic(above)
        current, answer = asked, []
    if current is not None:
        yield current.line, current.text, _without_topic([text for _, text in answer])


def _asked(held: Sequence[tuple[int, str]], width: int, before: _Asked | None) -> _Asked | None:
    """The question that the last line ends; None where it ends none.

    Behind a blank line whatever ends in a question mark is one, but for what is said in a tale and
    for the second half of a sentence. Elsewhere it has to be a sentence
    by itself, and a numbered one the next by its number, or it may be a step of an answer.
    """
    last = held[-1][1].strip()
    if not _ASKS.search(last[-8:]) or len(last) > MAX_QUESTION or last[0] in "-*•":
        return None
    start = len(held) - 1
    while start and len(held) - start < 3 and _goes_on(held[start - 1][1], width):
        start -= 1
    lines = [text.strip() for _, text in held[start:]]
    mark = _NUMBERED.match(lines[0])
    if mark is not None:
        lines[0] = lines[0][mark.end() :]
    asked = _Asked(held[start][0], start, lines, _number(mark) if mark is not None else None)
    whole = " ".join(lines)
    above = held[start - 1][1].strip() if start else ""
    if len(whole) > MAX_QUESTION or not any(letter.isalnum() for letter in whole):
        return None
    if not above and (start or before is None):
        goes_on = whole[0].islower() and _has_sentences(whole)
        return None if goes_on or _QUOTED.fullmatch(whole) else asked
    if mark is None:
        return asked if _stands_out(whole, above, width) else None
    return asked if mark["item"] is None or _is_next(asked, before) else None


def _number(mark: re.Match[str]) -> int:
    """The number in front of a question; 0 behind a label without one."""
    return int(mark[mark.lastgroup]) if mark.lastgroup else 0


def _is_next(asked: _Asked, before: _Asked | None) -> bool:
    """Whether a numbered question is the first, or follows the one before it by its number."""
    if before is None or before.number is None:
        return before is None
    return asked.number == before.number + 1


def _stands_out(whole: str, above: str, width: int) -> bool:
    """Whether a question without a blank line above is a line of its own, and one sentence."""
    first = whole.lstrip("¿ ")[:1]
    begins = not first.islower() and first not in "\"'«“„‚‘»"
    alone = not above or _ENDS.search(above[-8:]) is not None or len(above) < _FULL * width
    enough = len(whole.split()) >= 2 or _CJK.search(whole) is not None
    return begins and alone and enough and not _has_sentences(whole)


def _has_sentences(text: str) -> bool:
    """Whether a sentence ends inside a text: no abbreviation, no ordinal, nothing before a number."""
    return any(
        mark["end"] != "." or not (len(mark["word"]) <= 1 or mark["word"].casefold() in _SHORT)
        for mark in _SENTENCE.finditer(text)
    )


def _goes_on(line: str, width: int) -> bool:
    """Whether layout broke this line: it is long, and no sentence ends with it."""
    text = line.strip()
    return bool(text) and len(text) >= _FULL * width and not _ENDS.search(text[-8:])


def _text(lines: Sequence[str], width: int) -> str:
    """Lines as one text; with a width, those that layout broke are joined."""
    if not lines:
        return ""
    if not width:
        first, *rest = lines
        below = textwrap.dedent("\n".join(line.rstrip() for line in rest))
        return f"{first.rstrip()}\n{below}".strip()
    parts: list[str] = []
    before = ""
    for line in lines:
        text = line.strip().replace("\u00ad", "")
        if parts and text and before and not _breaks(before, text, width):
            parts[-1] += _joint(parts[-1], text) + text
        else:
            parts.append(text)
        before = text
    return re.sub(r"\n{3,}", "\n\n", "\n".join(parts)).strip()


def _breaks(before: str, after: str, width: int) -> bool:
    """Whether a new line was meant: an item, or a sentence that ended well before the edge."""
    return bool(_ITEM.match(after)) or (
        _ENDS.search(before[-8:]) is not None and len(before) < _FULL * width
    )


def _joint(before: str, after: str) -> str:
    """What joins two halves of a broken line: nothing between Chinese letters or behind a hyphen."""
    both_cjk = _CJK.match(before[-1:]) and _CJK.match(after[:1])
    hyphen = before.endswith("-") and before[-2:-1].isalpha()
    return "" if both_cjk or hyphen else " "
