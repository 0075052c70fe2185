"""An Excel workbook -> rows of cells as text, with the sheet's row numbers as lines.

Rows become text while they are read; of a sheet that is not chosen only the head is kept.
"""

import shutil
import tempfile
import zipfile
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from datetime import date, datetime, time
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any, Final, NamedTuple, cast

from podtune.data.containers import workbook_bounds
from podtune.data.containers.archive import FAULTS
from podtune.data.containers.streams import damaged, missing_library
from podtune.data.containers.tables import Row

HEAD_ROWS: Final = 50
"""Filled rows of a sheet that are at hand before it is read."""


class Sheet(NamedTuple):
    """A sheet that holds anything."""

    name: str
    head: tuple[Row, ...]
    """Its first filled rows."""
    height: int
    """Rows down to the last that holds anything."""
    rows: Callable[[], Iterator[Row]]
    """All its filled rows, read anew."""


def is_workbook(archive: zipfile.ZipFile) -> bool:
    """Whether a zip archive is an .xlsx."""
    return "[Content_Types].xml" in archive.namelist() and any(
        name.startswith("xl/") for name in archive.namelist()
    )


def is_workbook_file(path: Path) -> bool:
    """Whether a file is an .xlsx; a damaged archive is none."""
    try:
        with zipfile.ZipFile(path) as archive:
            return is_workbook(archive)
    except FAULTS:
        return False


def sheets(path: Path) -> list[Sheet]:
    """All sheets that hold anything.

    Raises:
        DatasetError: damaged, encrypted, or beyond the bounds.
        UnsupportedError: the reading library is not installed.
    """
    workbook_bounds.check(path)
    with _book(path) as book:
        return [sheet for name in book.sheet_names if (sheet := _sheet(path, book, name)).head]


@contextmanager
def _book(path: Path) -> Generator[Any]:
    """The library's workbook, whose faults are ours."""
    try:
        import python_calamine
    except ImportError as error:
        raise missing_library("python-calamine", "read Excel workbooks") from error
    try:
        with _by_suffix(path) as named:
            yield cast("Any", python_calamine.CalamineWorkbook).from_path(str(named))
    except (python_calamine.CalamineError, OSError, ValueError) as error:
        raise damaged(path.name) from error
    except BaseException as error:
        if type(error).__name__ == "PanicException":  # of the library's Rust, and no Exception
            raise damaged(path.name) from None
        raise


@contextmanager
def _by_suffix(path: Path) -> Generator[Path]:
    """The path under the one suffix that was looked into; by others the library reads otherwise."""
    if path.suffix.lower() == ".xlsx":
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="podtune-") as folder:
        yield Path(shutil.copyfile(path, Path(folder) / "book.xlsx"))


def _sheet(path: Path, book: Any, name: str) -> Sheet:
    """One sheet's beginning; what the library holds of it is let go."""
    opened = book.get_sheet_by_name(name)
    head = tuple(islice(_filled(opened), HEAD_ROWS))

    def rows() -> Iterator[Row]:
        with _book(path) as again:
            yield from _filled(again.get_sheet_by_name(name))

    return Sheet(name, head, opened.height, rows)


def _filled(sheet: Any) -> Iterator[Row]:
    """Rows with anything in them, as text, at the sheet's row numbers."""
    left = [""] * (sheet.start[1] if sheet.start else 0)
    for number, row in enumerate(sheet.iter_rows(), start=1):
        cells = [as_text(value) for value in row]
        if any(cells):
            yield Row(number, left + cells)


def as_text(value: object) -> str:
    """A cell as people see it: numbers by their digits, dates as ISO.

    >>> as_text(42.0), as_text(0.5), as_text(1e-07), as_text(True), as_text(None)
    ('42', '0.5', '0.0000001', 'TRUE', '')
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float):
        return _digits(value)
    if isinstance(value, datetime | date | time):
        return value.isoformat().replace("T00:00:00", "")
    return str(value)


def _digits(value: float) -> str:
    """A number without an exponent, unless it would be longer than any that people write."""
    if not 1e-20 < abs(value) < 1e21:  # also what is no number
        return "0" if value == 0 else repr(value)
    text = format(Decimal(repr(value)), "f")
    return text.removesuffix(".0")
