"""Delimited text -> rows of cells at their physical lines; one bad quote costs one row.

Finds the delimiter; what the cells mean is told in `formats/columns.py`.
"""

import csv
import re
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from podtune.data.containers.streams import MAX_LINE

DELIMITERS: Final = (",", ";", "\t", "|")
"""Tried in this order."""

_SEP: Final = re.compile(r"sep=(.)\r?$", re.IGNORECASE)
"""The first line by which Excel tells itself the delimiter."""

PATIENCE: Final = 1 << 20
"""Lines of one quoted cell; less with every quote that turned out to be never closed."""

LEAST_PATIENCE: Final = 64

csv.field_size_limit(MAX_LINE)


class Row(NamedTuple):
    """A row's cells; None where its quotes do not close."""

    line: int
    cells: list[str] | None


def separator_line(head: str) -> str | None:
    """The delimiter that a `sep=;` line names."""
    found = _SEP.match(head.split("\n", 1)[0])
    return found.group(1) if found else None


def delimiter_of(head: str, suffix: str) -> str:
    """The delimiter under which the first rows have equally many cells, and more than one.

    Args:
        head: The beginning of the file.
        suffix: `.tsv` says it by name.
    """
    if suffix == ".tsv":
        return "\t"
    return max(DELIMITERS, key=lambda d: _evenness(head, d))


def _evenness(head: str, delimiter: str) -> tuple[float, int]:
    lines = head.split("\n")[:200]
    widths = [
        len(row.cells)
        for row in rows((line.encode() for line in lines[:-1] or lines), delimiter)
        if row.cells and any(cell.strip() for cell in row.cells)
    ]
    if not widths or max(widths) == 1:
        return 0.0, 0
    usual = max(set(widths), key=lambda w: (widths.count(w), w))
    if usual == 1:
        return 0.1, max(widths)
    return widths.count(usual) / len(widths), usual


def has_blanks(head: str, delimiter: str) -> bool:
    """Whether blanks stand before quotes, as in `"a", "b"`, in half the rows that have quotes."""
    lines = [line for line in head.split("\n")[:200] if '"' in line]
    blank = re.compile(rf'(?:^|{re.escape(delimiter)})[ ]++"')
    spaced = sum(
        any(re.match(' +"', cell) for cell in row.cells or ())
        for row in rows((line.encode() for line in lines if blank.search(line)), delimiter)
    )
    return spaced > 0 and spaced * 2 >= len(lines)


def rows(
    lines: Iterable[bytes], delimiter: str, first_line: int = 1, *, blanks: bool = False
) -> Iterator[Row]:
    """Rows of a delimited text.

    A quoted cell may go over several lines. Where its quote never closes, or closes amid text, the
    row it opened in is bad and reading goes on at the next line.

    Args:
        lines: Physical lines without their ends.
        delimiter: One character.
        first_line: Number of the first line.
        blanks: Whether blanks before a cell are none of it.
    """
    feed = _Feed(lines, first_line)
    for number, text in feed:
        if len(text) > MAX_LINE:  # it came cut
            yield Row(number, None)
        elif '"' in text:
            yield Row(number, _quoted(feed, text, delimiter, blanks))
        elif blanks:
            yield Row(number, [cell.lstrip(" ") for cell in text.split(delimiter)])
        else:
            yield Row(number, text.split(delimiter))


class _Feed:
    """Lines with their numbers, some of which may be put back."""

    def __init__(self, lines: Iterable[bytes], first: int) -> None:
        self.patience = PATIENCE
        """Lines that an open cell may go on for."""
        self._lines = enumerate(lines, start=first)
        self._back: deque[tuple[int, str]] = deque()

    def __iter__(self) -> "_Feed":
        return self

    def __next__(self) -> tuple[int, str]:
        if self._back:
            return self._back.popleft()
        number, raw = next(self._lines)
        return number, raw.decode("utf-8", errors="replace")

    def put_back(self, lines: Sequence[tuple[int, str]]) -> None:
        """Lines that were read on in vain; less far next time, so that it stays linear."""
        self._back.extendleft(reversed(lines))
        if len(lines) > LEAST_PATIENCE:
            self.patience = max(LEAST_PATIENCE, self.patience // 2)


def _quoted(feed: _Feed, text: str, delimiter: str, blanks: bool) -> list[str] | None:
    """The cells of a row with quotes in it, reading on while a cell is open; None for a bad one."""
    taken: list[tuple[int, str]] = []

    def following() -> Iterator[str]:
        """Asked for the next line only while a cell is open."""
        yield text + "\n"
        size = len(text)
        while size <= MAX_LINE and len(taken) < feed.patience:
            line = next(feed, None)
            if line is None:
                return
            taken.append(line)
            size += len(line[1])
            yield line[1] + "\n"

    try:
        return next(
            csv.reader(following(), delimiter=delimiter, strict=True, skipinitialspace=blanks)
        )
    except (csv.Error, StopIteration):
        feed.put_back(taken)
        return None
