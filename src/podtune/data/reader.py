"""A file on disk -> conversations and a report with every finding at its physical line.

Messages JSONL, prompt/completion JSONL and CSV. Refuses (DatasetError) what is no such file;
never stops at the first bad row and never leaves one out in silence.
"""

import csv
import hashlib
import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple, Protocol

import msgspec

from podtune.core.dataset import Conversation, DatasetReport, Finding, Severity
from podtune.core.errors import DatasetError, NotFoundError, UnsupportedError
from podtune.core.units import plural
from podtune.data import rows
from podtune.data.findings import finding

MAX_BYTES: Final = 512 * 1024**2
"""A file is read whole; larger ones wait for the streaming reader."""

_BOM: Final = "\ufeff"


class Dataset(NamedTuple):
    """The good rows of a file and the report on all of them."""

    conversations: tuple[Conversation, ...]
    report: DatasetReport


class _TableReader(Protocol):
    """What csv.reader gives; its own type has no public name."""

    line_num: int

    def __next__(self) -> list[str]: ...


class _Record(NamedTuple):
    """A record at its physical line: converted, or with the problem that kept it from being read."""

    line: int
    converted: rows.Converted


def read(path: Path, columns: Mapping[str, str] | None = None) -> Dataset:
    """Read a file and judge every row of it.

    Args:
        path: The user's file.
        columns: Role -> column name for tables, where the names do not tell.

    Raises:
        NotFoundError: there is no such file.
        DatasetError: it is a directory, empty, binary, or has no usable form at all.
    """
    raw = _bytes_of(path)
    text = _text_of(path, raw)
    notes: list[Finding] = []
    if text.startswith(_BOM):
        text = text[1:]
        notes.append(finding("bom", line=1))
    if "\r\n" in text:
        notes.append(finding("crlf", line=1))
    is_table = path.suffix.lower() in {".csv", ".tsv"}
    header: dict[str, str] = {}
    if is_table:
        header, records = _table_records(path, text, columns or {}, notes)
    else:
        records = list(_json_records(text, notes))
    conversations, findings = _judge(records)
    report = DatasetReport(
        source=str(path),
        sha256=hashlib.sha256(raw).hexdigest(),
        size_bytes=len(raw),
        format=_format_of(is_table, records),
        container=path.suffix.lower().lstrip(".") if is_table else "jsonl",
        columns=header,
        rows=len(records),
        good_rows=len(conversations),
        findings=tuple(sorted([*notes, *findings], key=lambda f: f.line or 0)),
    )
    return Dataset(tuple(conversations), report)


def refuse_bad_rows(report: DatasetReport, *, skip: bool) -> None:
    """Raise when the file may not be trained on: bad rows without consent, or no good row.

    Raises:
        DatasetError: with every finding in its context.
    """
    errors = report.errors()
    if report.good_rows and (skip or not errors):
        return
    context: dict[str, object] = {
        "source": report.source,
        "rows": report.rows,
        "good_rows": report.good_rows,
        "findings": [f.model_dump(mode="json") for f in report.findings],
    }
    if not report.good_rows:
        raise DatasetError(
            f"no row of {report.source!r} can be trained on ({report.rows} found, {plural(len(errors), 'error')})",
            hint="correct the rows above",
            context=context,
        )
    raise DatasetError(
        f"{plural(len(errors), 'error')} in {plural(report.rows, 'row')} of {report.source!r}; {report.good_rows} good",
        hint=f"correct the rows above, or train on the {plural(report.good_rows, 'good row')} with --skip-bad-rows",
        context=context,
    )


def _bytes_of(path: Path) -> bytes:
    if not path.exists():
        raise NotFoundError(
            f"no data file at {str(path)!r}",
            code="file_not_found",
            hint="check the path; `podtune train examples/support.jsonl` runs the demo",
        )
    if path.is_dir():
        raise DatasetError(
            f"{str(path)!r} is a directory, not a data file",
            code="is_directory",
            hint="name one .jsonl or .csv file in it",
        )
    size = path.stat().st_size
    if size == 0:
        raise DatasetError(
            f"{str(path)!r} is empty",
            code="empty_file",
            hint="put rows into it: JSON lines, or a CSV with a header",
        )
    if size > MAX_BYTES:
        raise UnsupportedError(
            f"{str(path)!r} has {size / 1024**2:.0f} MiB; at most {MAX_BYTES // 1024**2} MiB can be read yet",
            code="file_too_large",
            hint="split the file; larger ones come with the streaming reader",
        )
    try:
        return path.read_bytes()
    except OSError as error:
        raise DatasetError(
            f"{str(path)!r} cannot be read: {error.strerror}",
            code="unreadable",
            hint="check the file's permissions",
        ) from error


def _text_of(path: Path, raw: bytes) -> str:
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        if _is_binary(raw[:65536]):
            raise _binary(path) from error
        line = raw.count(b"\n", 0, error.start) + 1
        raise DatasetError(
            f"{str(path)!r} is not UTF-8 text (line {line})",
            code="not_utf8",
            hint=f"save it as UTF-8, or convert it: iconv -f cp1252 -t utf-8 {path.name} > utf8-{path.name}",
            context={"line": line},
        ) from error
    if "\x00" in text[:65536]:
        raise _binary(path)
    if not text.strip(f" \t\r\n{_BOM}"):
        raise DatasetError(
            f"{str(path)!r} holds only blanks",
            code="empty_file",
            hint="put rows into it: JSON lines, or a CSV with a header",
        )
    return text


def _is_binary(head: bytes) -> bool:
    """Whether bytes are no text in any one-byte encoding: a NUL, or over 3 % control characters."""
    controls = sum(byte < 9 or 13 < byte < 27 for byte in head)
    return b"\x00" in head or controls > 0.03 * len(head)


def _binary(path: Path) -> DatasetError:
    return DatasetError(
        f"{str(path)!r} is a binary file",
        code="binary_file",
        hint="give a text file: JSONL or CSV in UTF-8",
    )


def _json_records(text: str, notes: list[Finding]) -> Iterator[_Record]:
    decoder = msgspec.json.Decoder()
    lines = text.split("\n")
    if not lines[-1]:
        lines.pop()
    for number, line in enumerate(lines, start=1):
        stripped = line.strip()
        if not stripped:
            notes.append(finding("empty_line", line=number))
            continue
        try:
            converted = rows.from_object(decoder.decode(stripped))
        except (msgspec.DecodeError, UnicodeEncodeError, RecursionError) as error:
            problem = rows.Problem("bad_json", _without_text(str(error)))
            converted = rows.Converted((), (problem,))
        yield _Record(number, converted)


def _without_text(reason: str) -> str:
    """The decoder's reason, which names positions and never quotes the row."""
    return reason.removeprefix("JSON is malformed: ").split(" - at `$")[0][:120]


def _table_records(
    path: Path, text: str, wanted: Mapping[str, str], notes: list[Finding]
) -> tuple[dict[str, str], list[_Record]]:
    csv.field_size_limit(MAX_BYTES)
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=_delimiter(path, text), strict=True
    )
    try:
        header = next(reader)
    except csv.Error as error:
        raise DatasetError(
            f"the first line of {str(path)!r} is no table header: {error}",
            code="bad_quoting",
            hint="the first line names the columns, such as prompt,completion",
        ) from error
    found = rows.columns_of(header, wanted)
    missing = [wanted.get(role, role) for role in ("prompt", "completion") if role not in found]
    if missing:
        raise DatasetError(
            f"{str(path)!r} has no column for {' and '.join(missing)}; {_names(header)}",
            code="missing_column",
            hint="name them: --set data.columns.prompt=NAME --set data.columns.completion=NAME",
        )
    positions = {role: header.index(name) for role, name in found.items()}
    return found, list(_cells(reader, positions, len(header), notes))


def _names(header: Sequence[str]) -> str:
    """A table's columns; without a header the first row is data, which is never shown."""
    if not header:
        return "its first line is blank"
    if len(header) > 40 or any(len(name) > 40 or len(name.split()) > 5 for name in header):
        return f"its first line has {len(header)} cells and looks like data: add a header"
    return f"its columns: {', '.join(header)}"


def _cells(
    reader: _TableReader, positions: Mapping[str, int], width: int, notes: list[Finding]
) -> Iterator[_Record]:
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error:
            yield _Record(line, rows.Converted((), (rows.Problem("bad_quoting"),)))
            continue
        if not any(cell.strip() for cell in cells):
            notes.append(finding("empty_line", line=line))
            continue
        values = {role: cells[at] for role, at in positions.items() if at < len(cells)}
        if any(cell.strip() for cell in cells[width:]):
            problem = rows.Problem("too_many_cells", f"{len(cells)} under {width} columns")
            yield _Record(line, rows.Converted((), (problem,)))
            continue
        lacking = [role for role in ("prompt", "completion") if role not in values]
        if lacking:
            problem = rows.Problem("missing_column", f"the row has {len(cells)} cells")
            yield _Record(line, rows.Converted((), (problem,)))
            continue
        yield _Record(
            line, rows.from_pair(values["prompt"], values["completion"], values.get("system"))
        )


def _delimiter(path: Path, text: str) -> str:
    if path.suffix.lower() == ".tsv":
        return "\t"
    first = text.split("\n", 1)[0]
    return max(",;\t", key=first.count)


def _judge(records: list[_Record]) -> tuple[list[Conversation], list[Finding]]:
    conversations: list[Conversation] = []
    findings: list[Finding] = []
    seen: dict[tuple[tuple[str, str], ...], int] = {}
    for number, record in enumerate(records, start=1):
        findings.extend(
            finding(p.code, record.line, number, p.detail) for p in record.converted.problems
        )
        messages = record.converted.messages
        if not messages:
            continue
        key = tuple((m.role, " ".join(m.content.split())) for m in messages)
        if key in seen:
            findings.append(finding("duplicate", record.line, number, f"of line {seen[key]}"))
        seen.setdefault(key, record.line)
        conversations.append(Conversation(messages=messages, line=record.line))
    if conversations and len(conversations) < 10:
        findings.append(finding("too_few_rows", detail=f"{len(conversations)} good rows"))
    return conversations, findings


def _format_of(is_table: bool, records: Sequence[_Record]) -> str:
    if is_table:
        return "qa_table"
    pairs = sum(r.converted.is_pair for r in records)
    return "prompt_completion" if pairs * 2 > len(records) else "chat_messages"


def only_warnings(report: DatasetReport) -> dict[str, int]:
    """Warning code -> count, for a short summary."""
    counts: dict[str, int] = {}
    for item in report.findings:
        if item.severity is Severity.WARNING:
            counts[item.code] = counts.get(item.code, 0) + 1
    return counts
