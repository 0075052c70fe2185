"""What a workbook would take before it is opened: bytes unpacked, cells, text.

The library that reads workbooks has no bounds: it holds a whole sheet, filled or not, and a copy of
a shared text for each cell that names it.
"""

import re
import zipfile
from array import array
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Final, cast

from podtune.core.errors import DatasetError
from podtune.core.units import gib
from podtune.data.containers.archive import FAULTS
from podtune.data.containers.streams import BLOCK, MAX_RATIO, RATIO_FROM, damaged

MAX_UNPACKED: Final = 1024**3
"""Bytes of XML in a workbook."""

MAX_CELLS: Final = 4_000_000
"""Rows times columns of a sheet, at 70 bytes each (measured 2026-11: 15 million took 1,030 MB). Two
filled cells in opposite corners would take a terabyte, and end the process."""

MAX_SHARED: Final = 256 * 1024**2
"""Bytes of shared texts, counted once for each cell of a sheet that names them."""

_CELL: Final = re.compile(
    rb"""<(?:[\w.-]+:)?c\s(?:[^<]*?\s)?r\s*=\s*["']([A-Za-z]{1,3})(\d{1,7})["']"""
)
_ROW: Final = re.compile(rb"""<(?:[\w.-]+:)?row\s(?:[^<]*?\s)?r\s*=\s*["'](\d{1,7})["']""")
_CELL_TAG: Final = re.compile(rb"<(?:[\w.-]+:)?c[\s/>]")
_ROW_TAG: Final = re.compile(rb"<(?:[\w.-]+:)?row[\s/>]")
_TEXT_TAG: Final = re.compile(rb"<(?:[\w.-]+:)?si[\s/>]")
_NAMES_TEXT: Final = re.compile(rb"""\st\s*=\s*["']s["']""")
_NAMED_TEXT: Final = re.compile(
    rb"""\st\s*=\s*["']s["'][^<]*+<(?:(?:[\w.-]+:)?f\b[^<]*+<[^<]*+<)?(?:[\w.-]+:)?v[^<>]*+>\s*+(\d{1,9})"""
)
_KEPT: Final = 4096
"""Bytes of a block that are looked at again, for what goes over its edge."""


def check(path: Path) -> None:
    """Unpack every part within the bounds.

    Raises:
        DatasetError: damaged, or beyond them.
    """
    room = min(MAX_UNPACKED, max(RATIO_FROM, MAX_RATIO * path.stat().st_size))
    try:
        with zipfile.ZipFile(path) as archive:
            texts = _Texts()
            for info in archive.infolist():
                room -= _looked_into(archive, info, room, texts, path.name)
            if texts.at_most > MAX_SHARED:
                _refuse_copies(archive, path.name)
    except FAULTS as error:
        raise damaged(path.name) from error


def _looked_into(
    archive: zipfile.ZipFile, info: zipfile.ZipInfo, room: int, texts: "_Texts", name: str
) -> int:
    """Bytes of a part as it really unpacks."""
    area, size = _Area(), 0
    for block in _blocks(archive, info):
        size += len(block)
        if size > room:
            raise too_large(
                name, f"unpack to over {gib(MAX_UNPACKED)}, or {MAX_RATIO} times its size"
            )
        texts.see(block)
        area.see(block)
        if area.cells > MAX_CELLS:
            raise too_large(name, f"take {area.cells:,} cells, filled or not")
    texts.end()
    return size


def _blocks(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Iterator[bytes]:
    """A part's bytes, whatever its entry says; no tag of an ordinary length is torn."""
    info.file_size = 1 << 62
    info.CRC = cast("int", None)  # that of the size that was said
    with archive.open(info) as part:
        rest = b""
        while block := part.read(BLOCK):
            block = rest + block
            end = block.rfind(b"<")
            if end <= 0 or len(block) - end > BLOCK:
                end = len(block)
            yield block[:end]
            rest = block[end:]
        yield rest


class _Texts:
    """How long shared texts are at most, and how many cells name one."""

    def __init__(self) -> None:
        self._longest = self._cells = self._open = 0
        self._begun = False

    @property
    def at_most(self) -> int:
        """Bytes, were each as long as the longest."""
        return self._longest * self._cells

    def see(self, block: bytes) -> None:
        """Take a block into account."""
        self._cells += len(_NAMES_TEXT.findall(block))
        first, *more = _TEXT_TAG.split(block)
        self._begun = self._begun or bool(more)
        if self._begun:
            self._longest = max(self._longest, self._open + len(first), *map(len, more))
            self._open = len(more[-1]) if more else self._open + len(first)

    def end(self) -> None:
        """The end of a part."""
        self._open, self._begun = 0, False


def _refuse_copies(archive: zipfile.ZipFile, name: str) -> None:
    """Add up the texts that cells name, where the longest in each cell would be too much."""
    lengths = array("I")
    for info in archive.infolist():
        begun = False
        for block in _blocks(archive, info):
            first, *more = _TEXT_TAG.split(block)
            if begun:
                lengths[-1] += len(first)
            lengths.extend(map(len, more))
            begun = begun or bool(more)
            if len(lengths) > MAX_CELLS:
                raise too_large(name, f"hold over {MAX_CELLS:,} texts")
    for info in archive.infolist():
        total = 0
        for at in _named_texts(_blocks(archive, info)):
            total += lengths[at] if at < len(lengths) else 0
            if total > MAX_SHARED:
                raise too_large(name, f"take over {gib(MAX_SHARED)} of texts in a sheet")


def _named_texts(blocks: Iterator[bytes]) -> Iterator[int]:
    """Numbers of the shared texts that cells name."""
    rest = b""
    for block in chain(blocks, (b"",)):
        found = rest + block
        end = max(0, len(found) - _KEPT) if block else len(found)
        yield from (int(m[1]) for m in _NAMED_TEXT.finditer(found) if m.start() < end)
        rest = found[end:]


class _Area:
    """How far the cells of a sheet reach, at most."""

    def __init__(self) -> None:
        self._row = self._column = 0
        """The farthest that are named."""
        self._rows = self._width = self._open = 0
        """Rows that do not name their place; cells of one row where some do not; of the last one."""

    @property
    def cells(self) -> int:
        """Rows times columns."""
        return (self._row + self._rows) * (self._column + self._width)

    def see(self, xml: bytes) -> None:
        """Take a block into account."""
        placed, rows = _CELL.findall(xml), _ROW.findall(xml)
        self._row = max([self._row, *map(int, rows), *(int(row) for _, row in placed)])
        self._column = max([self._column, *(_number(c) for c in {c for c, _ in placed})])
        in_rows = [len(_CELL_TAG.findall(part)) for part in _ROW_TAG.split(xml)]
        self._rows += max(0, len(in_rows) - 1 - len(rows))
        in_rows[0] += self._open
        if sum(in_rows) - self._open > len(placed):
            self._width = max(self._width, *in_rows)
        self._open = in_rows[-1]


def _number(letters: bytes) -> int:
    """A column's number, from 1."""
    number = 0
    for letter in letters.upper():
        number = 26 * number + letter - 64
    return number


def too_large(name: str, what: str) -> DatasetError:
    """The error for a workbook beyond the bounds."""
    return DatasetError(
        f"{name!r} would {what}; that is more than is read",
        code="decompression_bound",
        hint="save the sheet as CSV",
    )
