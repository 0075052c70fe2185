"""JSON text -> records with their physical lines.

JSON lines, arrays, objects one after another, and arrays under the keys of one object. Elements are
decoded one by one, so that memory is flat and one bad element costs one row.
"""

from collections.abc import Iterable, Iterator

import msgspec

from podtune.data.containers.json_elements import Element, elements
from podtune.data.containers.json_wrapping import Unread, where
from podtune.data.containers.streams import MAX_LINE
from podtune.data.record import Note, Problem, Record

_decode = msgspec.json.Decoder().decode


def decode(raw: bytes, line: int | None, split: str | None = None) -> Record:
    """One JSON value as a record, or with the problem that keeps it from that."""
    if len(raw) > MAX_LINE:
        return Record(line, problem=Problem("bad_json", f"longer than {MAX_LINE >> 20} MiB"))
    try:
        return Record(line, _decode(raw), None, raw, split)
    except (msgspec.DecodeError, UnicodeDecodeError, UnicodeEncodeError, RecursionError) as error:
        reason = without_text(str(error)) if _is_utf8(raw) else "not UTF-8"
        return Record(line, None, Problem("bad_json", reason), raw, split)


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True


def without_text(reason: str) -> str:
    """The decoder's reason, which names positions and never quotes the row."""
    return reason.removeprefix("JSON is malformed: ").split(" - at `$")[0][:120]


def from_lines(lines: Iterable[bytes]) -> Iterator[Record]:
    """JSON lines. An empty line is a record whose problem is `empty_line`."""
    for number, line in enumerate(lines, start=1):
        stripped = line.strip()
        if not stripped:
            yield Record(number, problem=Problem("empty_line"))
            continue
        yield decode(stripped, number)


def shape(head: str) -> str:
    """`jsonl`, `json` (one value) or `json_stream` (several over many lines), by the beginning."""
    stripped = head.lstrip()
    if stripped.startswith("["):
        return _array_or_lines(stripped)
    first, _, rest = stripped.partition("\n")
    if _is_value(first.strip().rstrip(",")):
        return "jsonl" if rest.strip() else "json"
    if _mostly_objects(rest.split("\n")[:200]):
        return "jsonl"  # of which the first line is broken
    values = list(_starts(elements([head.encode("utf-8", errors="replace")], 0)))
    if len(values) > 1 and _on_lines_of_their_own(values):
        return "jsonl"
    if len(values) == 1 and values[0].whole and values[0].raw.count(b"\n") == 0:
        return "jsonl"
    return "json_stream" if len(values) > 1 else "json"


def _mostly_objects(lines: list[str]) -> bool:
    """Whether most lines are objects each, as in no document that goes over several lines."""
    filled = [line.strip() for line in lines if line.strip()]
    objects = sum(line.startswith("{") and _is_value(line) for line in filled)
    return objects * 2 > len(filled)


def _array_or_lines(head: str) -> str:
    """An array of records; or lines that are arrays each (a form nobody should use)."""
    lines = [line for line in head.split("\n")[:3] if line.strip()]
    complete = [line for line in lines if _is_value(line.strip())]
    return "jsonl" if len(lines) > 1 and len(complete) == len(lines) else "json"


def _is_value(line: str) -> bool:
    try:
        _decode(line)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return False
    return True


def _on_lines_of_their_own(values: list[Element]) -> bool:
    """Whether nearly every value keeps to one line, so that bad ones are lines too."""
    single = sum(1 for v in values if b"\n" not in v.raw)
    return single * 2 > len(values)


def _starts(found: Iterator[Element]) -> Iterator[Element]:
    return (element for element in found if not element.stray)


def from_document(chunks: Iterable[bytes], head: str, note: Note) -> Iterator[Record]:
    """The records of one JSON document, or of objects side by side.

    Args:
        chunks: The text as UTF-8, in blocks.
        head: Its beginning, from which is told where its records are.
        note: Gets the lists of the document that are not read.
    """
    wrapped = where(head)
    unread = Unread()
    for element in elements(chunks, wrapped.depth):
        split = None
        if wrapped.depth == 2:
            if element.key is None or not wrapped.reads(element.key):
                unread.see(element)
                continue
            split = wrapped.split_of(element.key)
        if element.stray:
            yield Record(element.line, problem=Problem("bad_json", "text between the objects"))
        elif not element.whole:
            yield Record(element.line, problem=Problem("bad_json", _why_broken(element)))
        else:
            yield decode(element.raw, element.line, split)
    if unread.named:
        note(Problem("list_not_used", unread.named), None)


def _why_broken(element: Element) -> str:
    reason = "its brackets or quotes never close"
    if len(element.raw) > MAX_LINE:
        reason = f"longer than {MAX_LINE >> 20} MiB"
    return f"{reason}: {element.unread:,} bytes from here on were not read"
