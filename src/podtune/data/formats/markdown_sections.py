"""Markdown as a row of sections: headings, bold questions and folded details, with their texts.

Takes numbered lines, in one pass. Code stays as it is; front matter, comments, rules, tables of
contents and links to the top go. Knows nothing of answers.
"""

# ruff: noqa: RUF001 (letters and marks of other scripts are meant)
import re
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from podtune.data.formats.faq_labels import labelled_as

BOLD: Final = 7
"""The level of a bold question or a folded detail: below every heading."""

MAX_LINES: Final = 5_000
"""Lines of one section."""

_MAX_MARKED: Final = 1_000
"""Characters of a line that can be a heading or a bold question."""

_ATX: Final = re.compile(r"[ ]{0,3}(#{1,6})(?:[ \t]+(.*))?$")
_UNDERLINE: Final = re.compile(r"[ ]{0,3}(=+|-+)[ \t]*$")
_FENCE: Final = re.compile(r"[ ]{0,3}(`{3,}|~{3,})")
_RULE: Final = re.compile(r"[ ]{0,3}(?:(?:-[ \t]*){3,200}|(?:\*[ \t]*){3,200}|(?:_[ \t]*){3,200})$")
_KEY: Final = re.compile(r"[\w\- ]{1,60}:|\s*$|\s*-")
_BOLD: Final = re.compile(
    r"[ ]{0,3}(?:[-*+][ ]+|\d{1,3}[.)][ ]+)?(?:\*\*\*|\*\*|__)(?P<bold>[^*_\n][^\n]{0,300}?)(?:\*\*\*|\*\*|__)[ ]*(?P<rest>.*)$"
)
_SUMMARY: Final = re.compile(r"<summary[^<>]{0,200}>(.{0,500}?)</summary>(.*)$", re.IGNORECASE)
_DETAILS: Final = re.compile(r"[ ]{0,12}</?details[^<>]{0,100}>[ ]*", re.IGNORECASE)
_ANCHORED: Final = re.compile(
    r"[ \t]{0,40}(?:[-*+][ ]|\d{1,3}[.)][ ]|>[ ])?[ ]{0,4}(?:\*\*)?[^\w\[\n]{0,8}\[[^\[\]]{1,300}\]\(#[^()\s]{0,300}\)(?:\*\*)?[^\w\n]{0,8}$"
)
"""A line that is only a link within the page: of a table of contents, or to the top."""
_CONTENTS: Final = re.compile(r"\[\[?_?toc_?\]?\]|\{:? ?toc ?\}|\* TOC|<!-- toc -->", re.IGNORECASE)
_ASKS: Final = re.compile(r"[?？؟](?:[^\w?]|\([^()]{0,40}\)){0,12}$")
_LINK: Final = re.compile(r"!?\[([^\[\]]{0,300})\]\([^()\s]{0,500}\)")
_ATTRIBUTES: Final = re.compile(r"\s*\{[#.:][^{}]{0,100}\}\s*$")
_ANCHOR: Final = re.compile(
    r"<a\s[^<>]{0,200}>|</a>|</?(?:b|strong|em|i|h[1-6]|code)>", re.IGNORECASE
)
_NUMBER: Final = re.compile(r"(?:\d{1,3}[.)]|\d{1,3}(?:\.\d{1,3}){1,3}\.?)[ ]+")
_PAIR: Final = ("Q", "A")


class Section(NamedTuple):
    """A heading or a bold question with the lines below it."""

    line: int
    level: int
    """1 to 6, or BOLD."""
    title: str
    asks: bool
    raw: str
    """The title as it was written."""
    body: list[str]
    at: list[int]
    """The number of each line below."""

    def span(self) -> tuple[int, int] | None:
        """The first and the last line below that hold text; None where none does."""
        filled = [at for at, line in zip(self.at, self.body, strict=True) if line.strip()]
        return (filled[0], filled[-1]) if filled else None

    def text(self) -> str:
        """The lines below as one text."""
        return re.sub(r"\n{3,}", "\n\n", "\n".join(self.body)).strip()

    def with_part(self, part: "Section") -> "Section":
        """The same with a section below it as part of its text."""
        space = max(0, MAX_LINES - len(self.body))
        self.body.extend([part.raw, *part.body][:space])
        self.at.extend([part.line, *part.at][:space])
        return self


def sections(lines: Iterable[tuple[int, str]]) -> Iterator[Section]:
    """The sections of a text; what stands before the first is left out."""
    current: Section | None = None
    for number, line, begun in _marked(lines):
        if begun is not None:
            if current is not None:
                yield current
            current = Section(number, *begun, [], [])
        if current is not None and len(current.body) < MAX_LINES and line is not None:
            current.body.append(line)
            current.at.append(number)
    if current is not None:
        yield current


_Begun = tuple[int, str, bool, str]
"""Level, title, whether it asks, and the line as written."""


def _marked(lines: Iterable[tuple[int, str]]) -> Iterator[tuple[int, str | None, _Begun | None]]:
    """Every line that is text, and every beginning of a section with the text on its own line."""
    fence = ""
    before: tuple[int, str] | None = None
    """A line that may turn out to be a heading, by the next."""
    after_blank = True
    for number, line in _plain(lines):
        mark = _FENCE.match(line)
        if fence or mark:
            fence = _fence_after(fence, mark[1] if mark else "")
            if before:
                yield (*before, None)
            before = None
            yield number, line, None
            continue
        if before and _UNDERLINE.match(line):
            level = 1 if "=" in line else 2
            yield before[0], None, (level, _title(before[1]), _asks(before[1]), before[1])
            before, after_blank = None, True
            continue
        if before:
            yield (*before, None)
            before = None
        begun, rest = _begun(line)
        if begun is not None:
            yield number, rest, begun
        elif after_blank and _may_be_title(line):
            before = (number, line)
        elif not _is_furniture(line):
            yield number, line, None
        after_blank = not line.strip() or begun is not None
    if before:
        yield (*before, None)


def _plain(lines: Iterable[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    """Lines without front matter and comments."""
    in_front = in_comment = False
    first = True
    for number, line in lines:
        bare = line.rstrip("\r\n")
        if first and bare.strip():
            first = False
            if bare.strip() in {"---", "+++"}:
                in_front = True
                continue
        if in_front:
            closes = bare.strip() in {"---", "...", "+++"}
            in_front = not closes and (bool(_KEY.match(bare)) or "=" in bare or bare[:1].isspace())
            if closes or in_front:
                continue
        if in_comment or "<!--" in bare:
            bare, in_comment = _without_comments(bare, in_comment)
        yield number, bare


def _without_comments(line: str, inside: bool) -> tuple[str, bool]:
    """A line without its comments, and whether one is still open at its end."""
    kept: list[str] = []
    rest = line
    while rest:
        part, mark, rest = rest.partition("-->" if inside else "<!--")
        if not inside:
            kept.append(part)
        if mark:
            inside = not inside
    return "".join(kept), inside


def _fence_after(fence: str, mark: str) -> str:
    """The fence that is open behind a line: closed only by as long a one of its kind."""
    if not fence:
        return mark
    return "" if mark.startswith(fence) else fence


def has_mark(title: str) -> bool:
    """Whether a title ends in a question mark."""
    return _ASKS.search(title[-200:].rstrip()) is not None


def _begun(line: str) -> tuple[_Begun | None, str | None]:
    """The section a line begins, and the text behind its title."""
    if len(line) > _MAX_MARKED:
        return None, None
    heading = _ATX.match(line)
    if heading is not None:
        title = (heading[2] or "").rstrip().rstrip("#").rstrip()
        return (len(heading[1]), _title(title), _asks(title), line), None
    folded = _SUMMARY.search(line)
    if folded is not None:
        title = _title(folded[1])
        return (BOLD, title, bool(title), line), folded[2].strip() or None
    return _bold(line)


def _bold(line: str) -> tuple[_Begun | None, str | None]:
    """A bold question, alone or with its answer behind it, or behind a bold label."""
    bold = _BOLD.match(line)
    if bold is None:
        return None, None
    title, rest = bold["bold"].strip(), bold["rest"].strip()
    label = labelled_as(title if title[-1:] in ":：.)" else title + ":", _PAIR)
    if label is not None and label.is_question and not label.text.strip(":") and rest:
        return (BOLD, _title(rest.lstrip(":： ")), True, line), None
    if not _asks(title):
        return None, None
    return (BOLD, _title(title), True, line), rest.lstrip(":-–— ") or None


def _asks(title: str) -> bool:
    """Whether a title is a question, by its mark or by its label."""
    label = labelled_as(title.strip(), _PAIR)
    bare = _ATTRIBUTES.sub("", title)
    return has_mark(bare) or (label is not None and label.is_question)


def _title(raw: str) -> str:
    """A title without markup, numbers, labels and anchors."""
    bare = _ANCHOR.sub("", _LINK.sub(r"\1", _ATTRIBUTES.sub("", raw)))
    bare = bare.strip().strip("*_").strip()
    number = _NUMBER.match(bare)
    bare = bare[number.end() :].strip("*_ ") if number else bare
    label = labelled_as(bare, _PAIR)
    if label is not None and label.is_question and label.text:
        bare = label.text
    return bare.replace("**", "").replace("`", "").strip()


def _may_be_title(line: str) -> bool:
    """Whether a line can be a heading when the next one underlines it."""
    return (
        bool(line.strip())
        and len(line) <= 300
        and not line.startswith(("    ", "\t", ">", "|", "- ", "* ", "+ "))
        and not _is_furniture(line)
    )


def _is_furniture(line: str) -> bool:
    """Whether a line is a rule, a part of a table of contents, or the bounds of a folded detail."""
    return (
        len(line) <= _MAX_MARKED
        and any(pattern.fullmatch(line) is not None for pattern in (_RULE, _ANCHORED, _DETAILS))
    ) or _CONTENTS.fullmatch(line.strip()[:20]) is not None
