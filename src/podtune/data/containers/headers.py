"""Rows of cells -> records by column, once it is known which row is the header.

Titles may stand above a header, and there may be none. What a column means is told in
`formats/columns.py`.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import Final, NamedTuple

from podtune.core.errors import DatasetError
from podtune.data.containers.tables import Row
from podtune.data.formats import columns
from podtune.data.record import Problem, Reading, Record

HEAD_ROWS: Final = 50
"""Rows looked at before columns are mapped."""


class Table(NamedTuple):
    """A table's records, to be read once, and what its columns are."""

    records: Iterator[Record]
    mapped: columns.Mapped | None
    shown: tuple[str, ...]
    """The columns' names, for people; numbers where the first row may be data."""


def mapped(rows: Iterator[Row], reading: Reading) -> Table | None:
    """Read a table's beginning; None where nothing is in it.

    Raises:
        DatasetError: a column that was named is not there, or there are too many.
    """
    head = list(islice(rows, HEAD_ROWS))
    filled = [r for r in head if r.cells is not None and any(c.strip() for c in r.cells)]
    if not filled:
        return None
    narrow = [r for r in filled if len(r.cells or ()) <= columns.MAX_COLUMNS]
    if not narrow:
        raise columns.too_many(max(len(r.cells or ()) for r in filled))
    wanted = columns.wanted_columns(reading.options.columns)
    at, header, sample = _header(narrow, wanted)
    named = at > 0 and columns.is_named(header, sample)
    body = chain((r for r in head if r.line > at), rows)
    lacking = columns.missing(header, wanted)
    if lacking and not reading.alone:
        wanted = {role: name for role, name in wanted.items() if name not in lacking}
    elif lacking:
        raise DatasetError(
            f"there is no column {lacking[0]!r}; {_named(header, named)}",
            code="missing_column",
            hint="name one that is there: --map prompt=NAME",
        )
    found = columns.by_names(header, wanted) or columns.by_content(header, sample, wanted)
    shown = header if named or found is not None else columns.numbered(len(header))
    return Table(_records(body, header), found, tuple(shown))


def likeness(head: Sequence[Row]) -> int:
    """How much a table looks like questions and answers: 2 by its names, 1 by its texts, or 0."""
    narrow = [r for r in head if len(r.cells or ()) <= columns.MAX_COLUMNS]
    _, header, sample = _header(narrow, {})
    if columns.by_names(header, {}) is not None:
        return 2
    return 1 if columns.by_content(header, sample, {}) is not None else 0


def _named(header: list[str], named: bool) -> str:
    """A table's columns for an error; a first row that may be data is not shown."""
    if (
        not named
        or len(header) > 40
        or any(len(name) > 40 or len(name.split()) > 5 for name in header)
    ):
        return f"its {len(header)} columns have no names"
    return f"its columns: {', '.join(header)}"


def _header(
    filled: Sequence[Row], wanted: Mapping[str, str]
) -> tuple[int, list[str], list[list[str]]]:
    """The line of the header (0 for none), its names, and sample rows beneath it.

    Titles and notes may stand above a header; it is the first of ten rows that has the columns
    somebody named, or that names both sides.
    """
    cells = [r.cells or [] for r in filled]
    for index, row in enumerate(cells[:10]):
        names = columns.unique(row)
        if wanted and not columns.missing(names, wanted):
            return filled[index].line, names, cells[index + 1 :]
        if columns.by_names(names, {}) is not None and columns.has_header(row, cells[index + 1 :]):
            return filled[index].line, names, cells[index + 1 :]
    if columns.has_header(cells[0], cells[1:]):
        return filled[0].line, columns.unique(cells[0]), cells[1:]
    return 0, columns.numbered(max(len(c) for c in cells)), cells


def _records(rows: Iterable[Row], header: list[str]) -> Iterator[Record]:
    width = len(header)
    for line, cells in rows:
        if cells is None:
            yield Record(line, problem=Problem("bad_quoting"))
        elif not any(cell.strip() for cell in cells):
            yield Record(line, problem=Problem("empty_line"))
        elif len(cells) > width and any(cell.strip() for cell in cells[width:]):
            detail = f"{len(cells)} under {width} columns"
            yield Record(line, problem=Problem("too_many_cells", detail))
        else:
            yield Record(line, dict(zip(header, cells, strict=False)))
