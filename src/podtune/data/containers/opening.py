"""A file -> its records, whatever it is: told by its bytes first and by its name second.

Compressed files and archives are looked into; notes about the bytes (marks, line ends, encodings)
go to the reading. What a record means is no business of this module.
"""

import re
import tempfile
import zipfile
from collections.abc import Generator, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import chain, islice
from pathlib import Path, PurePosixPath
from typing import IO, Final, NamedTuple

from podtune.core.dataset import Choice
from podtune.core.errors import DatasetError
from podtune.data.containers import (
    archive,
    columnar,
    headers,
    json_text,
    pdf,
    streams,
    tables,
    workbook,
)
from podtune.data.containers.survey import Survey, survey
from podtune.data.formats import (
    columns,
    faq_markdown,
    faq_text,
    mail,
    plain_text,
    templated,
    whatsapp,
)
from podtune.data.record import Note, Problem, Reading, Record

CONTAINERS: Final = {
    "jsonl": "one JSON object a line",
    "json": "one JSON document: an array, or an object with lists, also under `train` and `validation`",
    "json_stream": "JSON objects one after another, over several lines",
    "csv": "a table with commas, semicolons or bars; a `sep=` line is understood; header or none",
    "tsv": "a table with tabs",
    "xlsx": "an Excel workbook; the sheet with questions and answers, or `--sheet`",
    "parquet": "Parquet (needs `podtune[files]`)",
    "md": "Markdown",
    "txt": "plain text",
    "pdf": "a PDF file with text in it",
    "mbox": "a mailbox",
    "zip": "an archive; the member with the data, or `--member`; a Slack export as a whole",
}
"""What a file can be, as `podtune data check` names it; `binary` and `empty` besides."""

LONG_LINE: Final = 64 * 1024
"""Characters from which on the beginning of a file, when it is one line, was cut."""

_TABLE_SUFFIXES: Final = (".csv", ".tsv", ".tab", ".psv")
_JSON_SUFFIXES: Final = (".json", ".jsonl", ".ndjson", ".jsonlines", ".geojson")
_LINE_SUFFIXES: Final = (".jsonl", ".ndjson", ".jsonlines")
_PROSE_SUFFIXES: Final = (".md", ".markdown", ".txt", ".text", ".log")
_MBOX: Final = re.compile(r"From \S+.*\n(?:[\w-]+:|>?From )")


class Opened(NamedTuple):
    """An open file: what it is, and its records, to be read once."""

    container: str
    survey: Survey
    records: Iterator[Record]
    format: str | None = None
    """Where the container tells the format by itself (a mailbox, a FAQ)."""
    mapped: columns.Mapped | None = None
    """For tables: which column plays which role."""
    header: tuple[str, ...] = ()
    """Of a table: its columns, numbered where the first row may be data that nobody should see."""


@contextmanager
def opened(path: Path, reading: Reading) -> Generator[Opened]:
    """Open a file of any kind.

    Raises:
        NotFoundError: there is no such file.
        DatasetError: damaged, encrypted, beyond the bounds, or a member, sheet or column that was
            asked for is not there.
        UnsupportedError: a library for this kind is not installed.
    """
    looked = survey(path)
    with ExitStack() as stack:
        yield _opened(path, looked, reading, stack)


def _opened(path: Path, looked: Survey, reading: Reading, stack: ExitStack) -> Opened:
    if looked.magic == "empty":
        reading.note(Problem("empty_file"), None)
        return Opened("empty", looked, iter(()), "unknown")
    if looked.magic == "binary":
        reading.note(Problem("binary_file", _kind_of(path)), None)
        return Opened("binary", looked, iter(()), "unknown")
    if looked.compression and looked.magic != "text":
        path = _decompressed(path, looked, stack)
    if looked.magic == "zip":
        return _zip(path, looked, reading, stack)
    if looked.magic == "parquet":
        return Opened("parquet" + looked.compression, looked, columnar.records(path))
    if looked.magic == "pdf":
        return _prose(pdf.lines(path), "pdf", looked, reading, unwrap=True)
    return _text(path, looked, reading, stack)


_MAGICS: Final = (
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"\x89PNG", "a PNG image"),
    (b"GIF8", "a GIF image"),
    (b"\xd0\xcf\x11\xe0", "an Office file of before 2007: save it as .xlsx or CSV"),
    (b"SQLite format 3", "a SQLite database: export its table as CSV"),
    (b"7z\xbc\xaf", "a 7z archive: unpack it"),
    (b"Rar!", "a RAR archive: unpack it"),
    (b"ARROW1", "an Arrow file: save it as Parquet"),
    (b"\x7fELF", "a program"),
)
"""First bytes of files that people mistake for data."""


def _kind_of(path: Path) -> str:
    with path.open("rb") as stream:
        head = stream.read(16)
    return next((name for magic, name in _MAGICS if head.startswith(magic)), "a binary file")


def _text(path: Path, looked: Survey, reading: Reading, stack: ExitStack) -> Opened:
    _note_bytes(looked, reading)
    suffix = _suffix(path)
    stream = stack.enter_context(streams.opened(path, looked.compression))
    found = _json(looked, stream, suffix, reading.note)
    if found is not None:
        if found.container.startswith("json_stream") or (
            found.container.startswith("json")
            and not found.container.startswith("jsonl")
            and suffix in _LINE_SUFFIXES
        ):
            reading.note(Problem("not_one_object_per_line"), None)
        return found
    lines = streams.lines(stream, looked.codec, lone_cr=looked.lone_cr)
    if suffix in _TABLE_SUFFIXES or (
        suffix not in _PROSE_SUFFIXES and suffix != ".mbox" and _looks_tabular(looked.head, suffix)
    ):
        return _table(lines, looked, suffix, reading)
    if suffix == ".mbox" or reading.options.format == "mbox" or _MBOX.match(looked.head):
        raw = streams.lines(stream)  # undecoded: each part of a mail names its own encoding
        records = mail.gather_lines(enumerate(raw, start=1), reading)
        return Opened("mbox" + looked.compression, looked, records, "mbox")
    container = "md" if suffix in {".md", ".markdown"} else "txt"
    if reading.options.as_text:
        lines = _whole_lines(lines, path)
    return _prose(_numbered(lines), container, looked, reading, unwrap=False)


def _note_bytes(looked: Survey, reading: Reading) -> None:
    if looked.has_bom:
        reading.note(Problem("bom"), None)
    if looked.encoding != "utf-8":
        reading.note(Problem("encoding_converted", f"read as {looked.encoding}"), None)
    if looked.crlf:
        reading.note(Problem("crlf"), None)


def _suffix(path: Path) -> str:
    name = path.name.lower()
    for packed in (".gz", ".zst", ".gzip", ".zstd"):
        name = name.removesuffix(packed)
    return PurePosixPath(name).suffix


def _json(looked: Survey, stream: IO[bytes], suffix: str, note: Note) -> Opened | None:
    """JSON of any shape, or None; a `[` alone makes no JSON of a text."""
    start = looked.head.lstrip()[:1]
    named = suffix in _JSON_SUFFIXES
    if not named and not (start == "{" or (start == "[" and _is_json_array(looked.head))):
        return None
    shape = json_text.shape(looked.head) if start in ("{", "[") else "jsonl"
    is_line = start == "{" and "\n" not in looked.head.strip()
    if is_line and suffix in _LINE_SUFFIXES and len(looked.head) > LONG_LINE:
        shape = "jsonl"  # a first line that is longer than what was looked at
    if shape == "jsonl":
        lines = streams.lines(stream, looked.codec, lone_cr=looked.lone_cr)
        return Opened(shape + looked.compression, looked, json_text.from_lines(lines))
    blocks = streams.blocks(stream, looked.codec, lone_cr=looked.lone_cr)
    if shape == "json" and suffix != ".json" and is_line:
        shape = "jsonl"  # a single line
    records = json_text.from_document(blocks, looked.head, note)
    return Opened(shape + looked.compression, looked, records)


def _is_json_array(head: str) -> bool:
    return re.match(r"\s*\[\s*[{\[]", head) is not None


def _numbered(lines: Iterable[bytes]) -> Iterator[tuple[int, str]]:
    return ((n, line.decode("utf-8", errors="replace")) for n, line in enumerate(lines, start=1))


def _whole_lines(lines: Iterable[bytes], path: Path) -> Iterator[bytes]:
    """Lines none of which comes cut: of a text that is learnt nothing may be missing.

    Raises:
        DatasetError: one is longer than can be read.
    """
    for line in lines:
        if len(line) > streams.MAX_LINE:
            raise DatasetError(
                f"{path.name!r} has a line of over {streams.MAX_LINE >> 20} MiB",
                code="line_too_long",
                hint="break it into several lines",
            )
        yield line


def _looks_tabular(head: str, suffix: str) -> bool:
    """Whether a file without a telling name is a table: even rows of several cells."""
    if tables.separator_line(head):
        return True
    first = head.split("\n", 1)[0]
    delimiter = tables.delimiter_of(head, suffix)
    cells = first.split(delimiter)
    return (
        1 < len(cells) <= columns.MAX_COLUMNS
        and columns.by_names(columns.unique(cells), {}) is not None
    )


def _table(lines: Iterator[bytes], looked: Survey, suffix: str, reading: Reading) -> Opened:
    told = tables.separator_line(looked.head)
    first_line = 1
    if told:
        next(lines, None)
        first_line = 2
    delimiter = told or tables.delimiter_of(looked.head, suffix)
    container = ("tsv" if delimiter == "\t" else "csv") + looked.compression
    blanks = tables.has_blanks(looked.head, delimiter)
    rows = tables.rows(lines, delimiter, first_line, blanks=blanks)
    return _mapped(rows, container, looked, reading)


def _mapped(rows: Iterator[tables.Row], container: str, looked: Survey, reading: Reading) -> Opened:
    found = headers.mapped(rows, reading)
    if found is None:
        return Opened(container, looked, iter(()), "unknown")
    return Opened(container, looked, found.records, None, found.mapped, found.shown)


def _prose(
    lines: Iterator[tuple[int, str]], container: str, looked: Survey, reading: Reading, *, unwrap: bool
) -> Opened:  # fmt: skip
    """Text without a structure of its own: told by how it begins."""
    name = container + looked.compression
    if reading.options.as_text:
        return Opened(name, looked, plain_text.gather_text(lines), plain_text.NAME)
    first = list(islice(lines, 2000))
    head = "\n".join(text for _, text in first)
    rest = chain(first, lines)
    wanted = reading.options.format
    if wanted == "whatsapp" or (wanted is None and whatsapp.fits_text(head)):
        return Opened(name, looked, whatsapp.gather_lines(rest, reading), "whatsapp")
    found = templated.split_text(head)
    if found is not None and wanted in (None, found[0]):
        return Opened(name, looked, templated.gather_text(rest, reading), found[0])
    if wanted == "faq_markdown" or (
        wanted is None and container == "md" and faq_markdown.fits_markdown(head)
    ):
        return Opened(name, looked, faq_markdown.gather_markdown(rest, reading), "faq_markdown")
    if wanted == "faq_text" or (wanted is None and faq_text.fits_text(head)):
        records = faq_text.gather_text(rest, reading, unwrap=unwrap)
        return Opened(name, looked, records, "faq_text")
    if wanted is None and faq_markdown.fits_markdown(head):
        return Opened(name, looked, faq_markdown.gather_markdown(rest, reading), "faq_markdown")
    return Opened(name, looked, iter(()), "unknown")


def _decompressed(path: Path, looked: Survey, stack: ExitStack) -> Path:
    """A compressed archive, workbook, Parquet or PDF file, which have to be read at any place."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="podtune-")))
    target = folder / f"inner{_suffix(path)}"
    with streams.opened(path, looked.compression) as stream, target.open("wb") as out:
        while block := stream.read(1 << 20):
            out.write(block)
    return target


def _zip(path: Path, looked: Survey, reading: Reading, stack: ExitStack) -> Opened:
    try:
        opened_zip = stack.enter_context(zipfile.ZipFile(path))
    except archive.FAULTS as error:
        raise streams.damaged(path.name) from error
    if workbook.is_workbook(opened_zip):
        return _workbook(path, looked, reading)
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="podtune-")))
    found = archive.members(opened_zip)
    days = archive.slack_days(found)
    if days and reading.options.member is None:
        records = _slack(opened_zip, days, folder, reading.note)
        return Opened("zip", looked._replace(encoding="utf-8"), records, "slack")
    parts = archive.split_members(found) if reading.options.member is None else ()
    if parts:
        return _parts(opened_zip, parts, folder, looked, reading, stack)
    info = archive.choose(found, reading)
    inner = _member(opened_zip, info, folder, reading, stack)
    return inner._replace(container="zip", survey=_of_archive(looked, inner.survey))


def _member(
    opened_zip: zipfile.ZipFile, info: zipfile.ZipInfo, folder: Path, reading: Reading, stack: ExitStack
) -> Opened:  # fmt: skip
    path = archive.unpack(opened_zip, info, folder)
    looked = survey(path)
    if looked.magic == "zip" and (looked.compression or not workbook.is_workbook_file(path)):
        raise DatasetError(
            "an archive inside the archive is not looked into",
            code="nested_archive",
            hint="unpack it, and name the file inside",
        )
    return _opened(path, looked, reading, stack)


def _of_archive(outer: Survey, inner: Survey) -> Survey:
    return outer._replace(encoding=inner.encoding, head=inner.head, codec=inner.codec)


def _parts(
    opened_zip: zipfile.ZipFile, parts: tuple[zipfile.ZipInfo, zipfile.ZipInfo], folder: Path,
    looked: Survey, reading: Reading, stack: ExitStack,
) -> Opened:  # fmt: skip
    """Training and held-out rows in members of their own, read as one file of both."""
    train = _member(opened_zip, parts[0], folder, reading, stack)
    held_folder = folder / "held"
    held_folder.mkdir()
    held = _member(opened_zip, parts[1], held_folder, reading, stack)
    value = f"{parts[0].filename}, {parts[1].filename}"
    reading.choices["member"] = Choice(value=value, option="--member NAME")
    records = chain(_tagged(train.records, "train"), _tagged(held.records, "validation"))
    return train._replace(
        container="zip", survey=_of_archive(looked, train.survey), records=records
    )


def _tagged(records: Iterable[Record], split: str) -> Iterator[Record]:
    return (record._replace(split=split) for record in records)


def _slack(
    opened_zip: zipfile.ZipFile, days: list[zipfile.ZipInfo], folder: Path, note: Note
) -> Iterator[Record]:
    for info in days:
        path = archive.unpack(opened_zip, info, folder)
        looked = survey(path)
        with streams.opened(path, "") as stream:
            blocks = streams.blocks(stream, looked.codec, lone_cr=looked.lone_cr)
            yield from json_text.from_document(blocks, looked.head, note)


def _workbook(path: Path, looked: Survey, reading: Reading) -> Opened:
    found = workbook.sheets(path)
    names = [sheet.name for sheet in found]
    wanted = reading.options.sheet
    wanted = next((n for n in names if wanted and n.casefold() == wanted.casefold()), wanted)
    if wanted is not None and wanted not in names and not reading.alone:
        wanted = None
    if wanted is not None and wanted not in names:
        raise DatasetError(
            f"the workbook has no filled sheet {wanted!r}",
            code="unknown_sheet",
            hint=f"--sheet with one of: {', '.join(names[:10])}",
        )
    if not found:
        reading.note(Problem("empty_file"), None)
        return Opened("xlsx", looked, iter(()), "unknown")
    scored = sorted(((_sheet_score(s), -i) for i, s in enumerate(found)), reverse=True)
    best = found[-scored[0][1]] if wanted is None else found[names.index(wanted)]
    close = wanted is None and len(scored) > 1 and scored[1][0][0] == scored[0][0][0] > 0
    reading.choices["sheet"] = Choice(
        value=best.name,
        others=tuple(n for n in names if n != best.name)[:10],
        close=close,
        option="--sheet NAME",
    )
    return _mapped(best.rows(), "xlsx" + looked.compression, looked, reading)


def _sheet_score(sheet: workbook.Sheet) -> tuple[int, int]:
    """How much a sheet looks like questions and answers, then how many rows it has."""
    return headers.likeness(sheet.head), sheet.height
