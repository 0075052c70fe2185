"""Plain text for continued pre-training: files as they are, and records with a `text`.

Nobody asks and nobody answers: all of a text is learnt, and its end. A long file becomes several
rows, so that memory stays flat and a share of it can be held out; put together again they are the
file's text without the blanks round it.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, cast

from podtune.core.dataset import TEXT_ROLE, Message
from podtune.data.formats import chat
from podtune.data.record import Converted, Problem, Record, refused

NAME: Final = "plain_text"

KEYS: Final = ("text", "content", "document", "page_content")
"""Keys of a record's text, by the names of published corpora; the first that is there counts."""

PART: Final = 1 << 16
"""Characters after which a file's text goes on in another row, at the next paragraph."""


def key_of(fields: Mapping[str, object], wanted: str | None = None) -> str | None:
    """The key of a record's text: as somebody said, by its name, or the only one there is."""
    if wanted is not None:
        return wanted if wanted in fields else None
    by_lower = {key.strip().lower(): key for key in fields}
    known = next((by_lower[key] for key in KEYS if key in by_lower), None)
    return known or (next(iter(fields)) if len(fields) == 1 else None)


def fits(value: object, wanted: str | None = None) -> bool:
    """Whether a record has a text."""
    if not isinstance(value, dict):
        return False
    fields = cast("Mapping[str, object]", value)
    return isinstance(fields.get(key_of(fields, wanted) or ""), str)


def convert(value: object, wanted: str | None = None) -> Converted:
    """A record's text, every blank of it; what else the record holds is not used."""
    if not isinstance(value, dict):
        return refused(Problem("not_plain_text", f"it is {chat.kind_of(value)}"))
    fields = cast("Mapping[str, object]", value)
    text = fields.get(key_of(fields, wanted) or "")
    if not isinstance(text, str):
        return refused(Problem("not_plain_text", chat.named_keys(fields)))
    if not text.strip():
        return refused(Problem("empty_text"))
    message = Message(TEXT_ROLE, text)
    return Converted((message,), continues=fields.get("continues") is True)


def gather_text(lines: Iterable[tuple[int, str]]) -> Iterator[Record]:
    """A file's lines as records of about `PART` characters, each at the line it begins on.

    A record ends at an empty line, at twice the size at any line; all but the last say that they
    go on. Blanks round the whole text are left out, everything else stays.
    """
    held, begins = "", 0
    for first, part in _parts(lines):
        text = part if held else part.lstrip()
        if held and text.strip():
            yield Record(begins, {"text": held, "continues": True})
            held = ""
        elif held:  # blanks go with what they follow
            held += text
            continue
        if text:
            held, begins = text, first + part[: len(part) - len(text)].count("\n")
    if held:
        yield Record(begins, {"text": held.rstrip()})


def _parts(lines: Iterable[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    """Runs of lines with the number of their first; all but the last end in a line break."""
    part: list[str] = []
    first = size = 0
    for number, line in lines:
        if size >= PART and (not line.strip() or size >= 2 * PART):
            yield first, "\n".join([*part, ""])
            part, size = [], 0
        if not part:
            first = number
        part.append(line)
        size += len(line) + 1
    if part:
        yield first, "\n".join(part)
