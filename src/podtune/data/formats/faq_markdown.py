"""Questions and answers in Markdown: headings that ask, bold questions, folded details.

Takes numbered lines, in one pass; the beginning tells how questions are marked. A page may mark some
by headings and some in bold; text that holds neither is left out and noted. Knows no files.

Source: CommonMark 0.31 (headings, fences, rules); front matter as static site generators write it.
"""

# ruff: noqa: RUF001 (letters and marks of other scripts are meant)
import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from podtune.core.units import plural
from podtune.data.formats.faq_labels import labelled_as, pair_of
from podtune.data.formats.faq_text import gather_text
from podtune.data.formats.markdown_sections import BOLD, Section, has_mark, sections
from podtune.data.quality.markup import has_html, strip_html
from podtune.data.record import Problem, Reading, Record

LOOK: Final = 5_000
"""Lines held to tell how questions are marked."""

SHORT: Final = 800
"""Characters of an answer under a heading that does not ask."""

SHOWN: Final = 5
"""Pieces of text without a question that are named."""

_NAMES: Final = (
    "faq", "f.a.q", "frequently asked", "häufige fragen", "häufig gestellte", "fragen und antworten", "foire aux questions",
    "questions fréquentes", "preguntas frecuentes", "perguntas frequentes", "domande frequenti", "veelgestelde vragen",
    "často kladené", "najczęściej zadawane", "vanliga frågor", "ofte stillede", "usein kysytty", "sık sorulan",
    "частые вопросы", "часто задаваемые", "よくある質問", "常见问题", "常見問題", "자주 묻는", "questions and answers", "q&a",
)  # fmt: skip
"""What such lists are called; then headings of one word are questions too."""


class _Plan(NamedTuple):
    """What counts as a question: every heading that asks, every bold question outside an answer."""

    levels: frozenset[int]
    """Levels at which every heading with a text of its own is one; BOLD: every folded detail."""
    labels: tuple[str, str] | None = None
    """Letters of Q: and A:, where nothing but labels marks questions."""


def fits_markdown(head: str) -> bool:
    """Whether a Markdown text is a list of questions.

    Headings or bold lines that ask and are answered, labels, or short texts under headings of one
    level.
    """
    plan = _plan(head.split("\n")[:LOOK])
    if plan is None:
        return False
    if plan.labels is not None:
        return True
    lines = enumerate(head.split("\n")[:LOOK], start=1)
    return any(answer.strip() for _, _, answer in _questions(sections(lines), plan, []))


def gather_markdown(lines: Iterable[tuple[int, str]], reading: Reading) -> Iterator[Record]:
    """One record for every question, in order; a question without an answer has an empty one.

    Args:
        lines: Physical lines with their numbers.
        reading: Told how many answers held HTML, and which lines hold no question.
    """
    stream = iter(lines)
    held = list(itertools.islice(stream, LOOK))
    plan = _plan([line for _, line in held])
    if plan is None:
        return
    together = itertools.chain(held, stream)
    if plan.labels is not None:
        yield from gather_text(together, reading)
        return
    pages = 0
    left: list[_Span] = []
    for number, question, answer in _questions(sections(together), plan, left):
        if has_html(answer):
            answer, pages = strip_html(answer), pages + 1
        turns = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
        yield Record(number, {"messages": turns})
    if pages:
        reading.note(Problem("html_stripped", plural(pages, "answer")), None)
    if left:
        reading.note(Problem("text_not_used", _lines_of(left)), left[0].first)


class _Span(NamedTuple):
    """Lines that are no question's, and after how many questions they stand."""

    after: int
    first: int
    last: int


def _lines_of(left: Sequence[_Span]) -> str:
    """Which lines they are; what no question parts is one piece.

    >>> _lines_of([_Span(1, 4, 4), _Span(1, 6, 9), _Span(2, 20, 20)])
    'lines 4-9, 20'
    """
    pieces: list[str] = []
    for _, spans in itertools.groupby(left, key=lambda span: span.after):
        first, *rest = spans
        last = rest[-1].last if rest else first.last
        pieces.append(f"{first.first}-{last}" if last > first.first else f"{last}")
    more = f" and {len(pieces) - SHOWN} more" if len(pieces) > SHOWN else ""
    noun = "line" if len(pieces) == 1 and "-" not in pieces[0] else "lines"
    return f"{noun} {', '.join(pieces[:SHOWN])}{more}"


def _plan(lines: Sequence[str]) -> _Plan | None:
    """How questions are marked, by the beginning of a text; None where none are."""
    found = list(sections(enumerate(lines, start=1)))
    headings = [part for part in found if part.level != BOLD]
    if any(part.asks for part in headings):
        asking = {part.level for part in headings if part.asks}
        return _Plan(frozenset(level for level in asking if _mostly_asks(headings, level)))
    if any(part.asks for part in found):
        return _Plan(frozenset({BOLD}))
    pair = pair_of(lines)
    if pair is not None:
        return _Plan(frozenset(), pair)
    level = _level_of_short_texts(headings)
    return _Plan(frozenset({level})) if level else None


def _mostly_asks(headings: Sequence[Section], level: int) -> bool:
    """Whether half of a level's headings ask; then the others are questions in other words."""
    with_text = [part for part in headings if part.level == level and part.text()]
    return 2 * sum(part.asks for part in with_text) >= len(with_text)


def _level_of_short_texts(headings: Sequence[Section]) -> int:
    """The level whose headings all have short texts, three at least; 0 where none has."""
    named = any(name in part.title.lower() for part in headings for name in _NAMES)
    best, most = 0, 2
    for level in range(1, BOLD):
        parts = [
            part
            for at, part in enumerate(headings)
            if part.level == level and not _is_topic(part, headings, at)
        ]
        words = sum(len(part.title.split()) for part in parts)
        spoken = named or words >= 3 * len(parts) or any(not part.title.isascii() for part in parts)
        if len(parts) > most and spoken and all(0 < len(part.text()) <= SHORT for part in parts):
            best, most = level, len(parts)
    return best


def _is_topic(part: Section, headings: Sequence[Section], at: int) -> bool:
    """Whether a heading only has headings below it."""
    return not part.text() and at + 1 < len(headings) and headings[at + 1].level > part.level


def _questions(
    parts: Iterable[Section], plan: _Plan, left: list[_Span]
) -> Iterator[tuple[int, str, str]]:
    """Line, question and answer. A heading below a question belongs to its answer.

    Args:
        parts: Sections in order.
        plan: What counts as a question.
        left: Gets the lines of sections that are neither.
    """
    current: Section | None = None
    found = 0
    for part in parts:
        counts = _counts(part, plan, current)
        if current is not None and not counts and part.level > min(current.level, BOLD - 1):
            current = current.with_part(part)
            continue
        if current is not None and counts and _opens_topic(current, part):
            _leave(current, found, left)
        elif current is not None:
            yield _taken_apart(current)
            found += 1
        if not counts:
            _leave(part, found, left)
        current = part if counts else None
    if current is not None:
        yield _taken_apart(current)


def _leave(part: Section, found: int, left: list[_Span]) -> None:
    """Remember which lines of a section are not used."""
    span = part.span()
    if span is not None:
        left.append(_Span(found, *span))


def _counts(part: Section, plan: _Plan, current: Section | None) -> bool:
    """Whether a section is a question by the plan, behind the question that is open.

    A bold question inside the answer of a heading that asks is text of that answer.
    """
    if part.level == BOLD:
        inside = current is not None and current.level < BOLD and not _opens_topic(current, part)
        return part.asks and not inside and (BOLD in plan.levels or _asks_in_bold(part))
    return part.asks or (part.level in plan.levels and bool(part.text()))


def _asks_in_bold(part: Section) -> bool:
    """Whether it is a bold question or a folded one, and no folded detail of something else."""
    return has_mark(part.title) or "<summary" not in part.raw.lower()


def _opens_topic(part: Section, below: Section) -> bool:
    """Whether a heading is the topic of the question below it and no question itself."""
    return below.level > part.level and not (part.asks and part.text())


def _taken_apart(part: Section) -> tuple[int, str, str]:
    answer = part.text()
    label = labelled_as(answer, ("Q", "A"))
    if label is not None and not label.is_question:
        answer = label.text
    return part.line, part.title, answer
