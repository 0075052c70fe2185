"""HTML in text, and the text without it.

Takes a message, gives text. What may be code stays as it is: a text is HTML only where all its tags
are those of formatted text, balanced, and none stands in code. So `a < b`, `List<int>`, `<think>`,
a page that somebody wrote and a lesson about `<div>` stay. What it does not know: how a page looks;
a link keeps its words and loses its address.
"""

import html
import re
from collections import Counter
from typing import Final

# elements of formatted text, as help desks and editors write them (HTML Living Standard, section 4)
_LINES: Final = frozenset(
    "address article aside blockquote dd div dl dt figure figcaption hr ol pre section table tbody tfoot thead tr ul".split()  # noqa: SIM905
)
_PARAGRAPHS: Final = frozenset(["p", "h1", "h2", "h3", "h4", "h5", "h6"])
_INLINE: Final = frozenset(
    "a abbr b big br caption center cite code col colgroup del em font i img ins kbd li mark s small span strike strong sub sup td th tt u".split()  # noqa: SIM905
)
_RICH: Final = _LINES | _PARAGRAPHS | _INLINE
_OF_PAGES: Final = frozenset("body fieldset footer form header html main nav".split())  # noqa: SIM905
"""Blocks that only whole pages have."""

_ALONE: Final = frozenset({"br", "hr", "img", "col"})
_BLOCKS: Final = _LINES | _PARAGRAPHS | {"br", "li"}
"""Elements that need no words to be formatting."""

_CODE: Final = r"(?P<code>```.*?(?:```|\Z)|`[^`\n]*+`)"
_COMMENT: Final = r"(?P<comment><!--(?:(?!-->|<!--).)*+-->)"
_VALUE: Final = r"\s*+=\s*+(?:\"[^\"]*+\"|'[^']*+'|[^\s\"'<>=`]++)"
_NAME: Final = r"<(?P<end>/)?(?P<name>[A-Za-z][\w:\-]*+)"
_WRITTEN: Final = re.compile(
    rf"{_CODE}|{_COMMENT}|{_NAME}(?P<proper>(?:\s++[A-Za-z_:@][\w:.\-]*+{_VALUE})*+\s*+/?>)?|<(?P<odd>[!?/][A-Za-z])",
    re.DOTALL,
)
"""Whatever looks like a tag; `proper` where it is one, with values to its attributes."""

_PIECES: Final = re.compile(
    rf"{_CODE}|{_COMMENT}|{_NAME}(?:\s++[A-Za-z_:@][\w:.\-]*+(?:{_VALUE})?+)*+\s*+/?>|<!doctype[^<>]*+>",
    re.IGNORECASE | re.DOTALL,
)
_HIDDEN: Final = {
    name: re.compile(rf"</{name}\s*>", re.IGNORECASE)
    for name in ("head", "script", "style", "title")
}
"""Elements whose content nobody reads."""

_SPOKEN_OF: Final = re.compile(
    r"\s+(?:tags?|elements?|element[eo]s?|balises?|etiquetas?)\b", re.IGNORECASE
)


def has_html(text: str) -> bool:
    """Whether a text is formatted with HTML, and is no code that shows some.

    >>> has_html("<p>Hello</p>"), has_html("a < b and c > d"), has_html("Use the <b> tag")
    (True, False, False)
    >>> has_html("<html><p>a page</p></html>"), has_html("Vec<i> and Map<b> then </b>")
    (False, False)
    """
    if "<" not in text or ">" not in text or "```" in text or "~~~" in text:
        return False
    opened: Counter[str] = Counter()
    formatted = False
    inner = -1
    for piece in _WRITTEN.finditer(text):
        if piece["code"] or piece["comment"]:
            continue
        name = (piece["name"] or "").lower()
        if name not in _RICH or not piece["proper"] or _SPOKEN_OF.match(text, piece.end()):
            return False
        if name in _ALONE:
            formatted = formatted or name in _BLOCKS
        elif piece["end"]:
            if not opened[name]:
                return False
            opened[name] -= 1
            is_used = name in _BLOCKS or bool(text[inner : piece.start()].strip())
            formatted = formatted or is_used
        else:
            if not opened.total() and _is_indented(text, piece.start()):
                return False
            opened[name] += 1
        inner = piece.end()
    return formatted and not opened.total()


def _is_indented(text: str, at: int) -> bool:
    """Whether a line is set in as Markdown's code is."""
    start = text.rfind("\n", 0, at) + 1
    return text[start:at].isspace() and ("\t" in text[start:at] or at - start >= 4)


def strip_html(text: str) -> str:
    r"""The text of HTML: blocks on lines of their own, items as "- ", entities as characters.

    Text that is no HTML comes back as it is; code in backticks stays as it is.

    >>> strip_html("<p>Tea &amp; cake</p><ul><li>one</li><li>two</li></ul>")
    'Tea & cake\n\n- one\n- two'
    """
    return page_text(text) if has_html(text) else text


def page_text(text: str) -> str:
    """The text of what is known to be HTML, be it a whole page; scripts and styles go."""
    parts: list[str] = []
    at = 0
    unclosed: set[str] = set()
    while piece := _PIECES.search(text, at):
        parts.append(html.unescape(text[at : piece.start()]))
        at = piece.end()
        name = (piece["name"] or "").lower()
        if piece["code"]:
            parts.append(piece["code"])
        elif name:
            parts.append(_break(name, bool(piece["end"])))
        if name in _HIDDEN and not piece["end"] and name not in unclosed:
            closing = _HIDDEN[name].search(text, at)
            if closing is None:
                unclosed.add(name)  # looked for once: a text full of them is slow
            else:
                at = closing.end()
    parts.append(html.unescape(text[at:]))
    return _tidy("".join(parts))


def _break(name: str, is_end: bool) -> str:
    """What stands for a tag; U+FDD0 to U+FDD3 (noncharacters) mark breaks until `_tidy`."""
    if name in _PARAGRAPHS:
        return "\ufdd1"
    if name == "li":
        return "" if is_end else "\ufdd2"
    if name == "br":
        return "\ufdd3"
    if name in ("td", "th"):
        return " " if is_end else ""
    return "\ufdd0" if name in _LINES or name in _OF_PAGES else ""


def _tidy(text: str) -> str:
    """Breaks become line ends; blanks beside a break go."""
    text = re.sub(r"(?<![^\S\n])[^\S\n]++(?=[\n\ufdd0-\ufdd3])", "", text.replace("\u00a0", " "))
    text = re.sub(r"(?:[\n\ufdd0-\ufdd3][^\S\n]*+)++", _line_ends, text)
    return text.strip()


def _line_ends(found: re.Match[str]) -> str:
    """The line ends of a run of breaks: one for blocks, two for paragraphs, as many as `br`s."""
    run = found[0]
    if not any(mark in run for mark in "\ufdd0\ufdd1\ufdd2\ufdd3"):
        return run
    lines = max(run.count("\ufdd3"), 2 if "\ufdd1" in run else 1)
    return "\n" * min(lines, 2) + ("- " if "\ufdd2" in run else "")
