"""The end of a worker's log, and what is added to it: whole lines of plain text, bounded."""

import re
from pathlib import Path
from typing import Final, NamedTuple

from podtune.app.html_page import visible
from podtune.core.events import MARKER
from podtune.core.redact import scrub

TAIL_BYTES: Final = 64 << 10
"""Shown at first, and at most in one go: some 600 lines."""
_STYLES: Final = re.compile(r"\x1b\[[0-9;?]{0,20}[A-Za-z]")
"""Colours and moves of the cursor (ECMA-48 CSI)."""
_EVENTS: Final = re.compile(rf"^{re.escape(MARKER)}[^\n]*+\n?", re.MULTILINE)
"""What the curves and the list of events show."""


class Piece(NamedTuple):
    """Some lines, and where the next ones begin."""

    text: str
    offset: int


def end(path: Path) -> Piece:
    """The last lines of a log; nothing where there is none."""
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        return Piece("", 0)
    start = max(0, size - TAIL_BYTES)
    piece = after(path, start)
    if start and "\n" in piece.text:  # the first line was cut
        return piece._replace(text=piece.text.split("\n", 1)[1])
    return piece


def after(path: Path, offset: int, *, is_over: bool = False) -> Piece:
    """Whole lines from an offset on; of a log that is over, the last one without its end too.

    A line that is longer than what is read in one go is given in pieces.
    """
    try:
        with path.open("rb") as stream:
            stream.seek(offset)
            block = stream.read(TAIL_BYTES)
    except FileNotFoundError:
        return Piece("", offset)
    if (not is_over and len(block) < TAIL_BYTES) or (b"\n" in block and len(block) == TAIL_BYTES):
        block = block[: block.rfind(b"\n") + 1]
    return Piece(plain(block.decode("utf-8", errors="replace")), offset + len(block))


def plain(text: str) -> str:
    r"""A log's text without events, colours, hidden signs and keys.

    >>> plain("\x1b[31mred\x1b[0m\r\n 10%\r 20%\x00")
    'red\n 10%\n 20%␀'
    """
    lines = _STYLES.sub("", text).replace("\r\n", "\n").replace("\r", "\n")
    return visible(scrub(_EVENTS.sub("", lines)))
