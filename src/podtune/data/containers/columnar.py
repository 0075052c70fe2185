"""A Parquet file -> records, batch by batch."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, cast

from podtune.core.errors import DatasetError
from podtune.data.containers.streams import damaged, missing_library
from podtune.data.containers.workbook import as_text
from podtune.data.record import Record

MAX_ROWS: Final = 5_000_000
"""Rows of one file (threat model, `hostile bytes`)."""

BATCH: Final = 512
"""Rows in memory at once."""


def records(path: Path) -> Iterator[Record]:
    """The file's rows; a null inside a nested value is an absent key.

    Raises:
        DatasetError: damaged, or beyond the bounds.
        UnsupportedError: pyarrow is not installed.
    """
    try:
        import pyarrow as arrow
        import pyarrow.parquet as parquet
    except ImportError as error:
        raise missing_library("pyarrow", "read Parquet files") from error
    source: Any = parquet
    faults: tuple[type[Exception], ...] = (
        cast("Any", arrow).ArrowException, OSError, ValueError, ArithmeticError, LookupError,
    )  # fmt: skip
    try:
        with source.ParquetFile(str(path)) as opened:
            count = int(opened.metadata.num_rows)
            if count > MAX_ROWS:
                raise DatasetError(
                    f"{path.name!r} has {count:,} rows; at most {MAX_ROWS:,} are read",
                    code="too_many_rows",
                    hint="split the file",
                )
            for batch in opened.iter_batches(batch_size=BATCH):
                for row in batch.to_pylist():
                    yield Record(None, {key: _plain(value) for key, value in row.items()})
    except faults as error:
        raise damaged(path.name) from error


def _plain(value: object) -> object:
    """Arrow's Python values as JSON ones, without nulls in objects."""
    if isinstance(value, dict):
        fields = cast("Mapping[str, object]", value)
        return {k: _plain(v) for k, v in fields.items() if v is not None}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in cast("list[object]", value)]
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="replace")
    return as_text(value)
