"""What the records of one file are, and the function that makes conversations of them."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final, cast

import msgspec

from podtune.core.dataset import Confidence, Recognised
from podtune.core.spec import Method
from podtune.data import repairs
from podtune.data.containers.opening import Opened
from podtune.data.formats import chat, columns, pairs, plain_text, rated, registry
from podtune.data.quality import markup
from podtune.data.record import Converted, Problem, Reading, Record, refused

Note = Callable[[Problem], None]
Convert = Callable[[object, Note], Converted]

_OF_ANOTHER: Final = frozenset({"no_messages", "missing_column", "missing_role"})
"""Problems of a record that may be of another format."""

_JSON_CELLS: Final = frozenset(
    {"messages", "conversations", "tools", "chosen", "rejected", "prompt", "completion"}
)
"""Columns of a table whose cells may hold JSON, as pandas writes lists into a CSV."""

_SIDES: Final = frozenset({"chosen", "rejected", "prompt", "completion"})
"""Of these, the columns that mostly hold plain text, which may begin as a list does."""


def tell(file: Opened, sample: Sequence[Record], reading: Reading) -> registry.Told:
    """The format: as somebody said, as the container is, or as the records look."""
    wanted = reading.options.format
    if wanted is not None:
        why = "it was asked for"
        return registry.Told(wanted, Recognised(confidence=Confidence.CERTAIN, why=why))
    if reading.options.as_text and file.format is None:
        found = [r for r in sample if isinstance(r.value, dict)]
        fitting = sum(plain_text.fits(r.value, _named_text(reading)) for r in found)
        if fitting * 2 > len(found):
            why = f"each record has a text ({fitting} of {len(found)} looked at)"
            certain = Recognised(confidence=Confidence.CERTAIN, why=why)
            return registry.Told(plain_text.NAME, certain)
    if file.format is not None:
        certain = Confidence.CERTAIN if file.format != "unknown" else Confidence.GUESS
        why = "its text is written so" if file.format != "unknown" else "nothing in it is known"
        return registry.Told(file.format, Recognised(confidence=certain, why=why))
    if not file.header:
        if _names_sides(reading) and (reading.alone or _has_named(sample, reading)):
            why = "columns were named"
            return registry.Told(registry.TABLE, Recognised(confidence=Confidence.CERTAIN, why=why))
        return registry.recognise(sample)
    told = registry.recognise([_with_json_cells(r) for r in sample], is_table=True)
    plain = {name.strip().lower() for name in file.header}
    is_exact = told.name != "prompt_completion" or {"prompt", "completion"} <= plain
    if told.name not in ("unknown", registry.TABLE) and is_exact and not _names_sides(reading):
        return told
    return _table_told(file.mapped, reading)


def _names_sides(reading: Reading) -> bool:
    """Whether somebody said which column asks, answers or is the system text."""
    return not columns.wanted_columns(reading.options.columns).keys().isdisjoint(columns.ROLES)


def _named_text(reading: Reading) -> str | None:
    return columns.wanted_columns(reading.options.columns).get(columns.TEXT)


def _has_named(sample: Sequence[Record], reading: Reading) -> bool:
    """Whether any record has a key that was named as a column."""
    wanted = set(reading.options.columns.values())
    return any(
        isinstance(r.value, dict) and wanted & cast("dict[str, object]", r.value).keys()
        for r in sample
    )


def _table_told(mapped: columns.Mapped | None, reading: Reading) -> registry.Told:
    if mapped is None:
        why = "no column is known to ask or to answer"
        return registry.Told("unknown", Recognised(confidence=Confidence.GUESS, why=why))
    reading.choices.update(mapped.choices())
    why = f"{mapped.columns['prompt']!r} asks and {mapped.columns['completion']!r} answers"
    return registry.Told(registry.TABLE, Recognised(confidence=mapped.confidence, why=why))


def _with_json_cells(record: Record) -> Record:
    """A table's row as `_with_decoded` has it."""
    if not isinstance(record.value, dict):
        return record
    return record._replace(value=_with_decoded(cast("Mapping[str, object]", record.value)))


def _with_decoded(cells: Mapping[str, object], note: Note | None = None) -> Mapping[str, object]:
    """Cells with those decoded that hold JSON lists, also as Python and numpy write them.

    Args:
        cells: A row of a table.
        note: Told of lists that are no JSON and how they were mended, which wants consent.
    """
    decoded: dict[str, object] = {}
    for key, cell in cells.items():
        name = key.lower()
        if name not in _JSON_CELLS or not isinstance(cell, str):
            continue
        value, repair = _decoded_cell(cell)
        if value is None or (name in _SIDES and not _are_turns(value)):
            continue
        decoded[key] = value
        if repair is not None and note is not None:
            note(Problem("bad_json", f"the list under {name!r}", repair))
    return {**cells, **decoded} if decoded else cells


def _are_turns(value: object) -> bool:
    """Whether a list holds messages and nothing else; an answer may be a list of other things."""
    entries = cast("list[object]", value) if isinstance(value, list) else []
    return bool(entries) and all(
        isinstance(e, dict) and ("role" in e or "from" in e) for e in entries
    )


def _decoded_cell(cell: str) -> tuple[object, str | None]:
    """The list in a cell and the repair that it needed; nothing where there is none."""
    if not cell.lstrip().startswith(("[{", "[\n", "[ {")):
        return None, None
    raw = cell.encode("utf-8", errors="replace")
    try:
        return cast("object", msgspec.json.decode(raw)), None
    except (msgspec.DecodeError, RecursionError):
        mended = repairs.mend_json(raw.replace(b"}\n {", b"}, {"))  # numpy writes no commas
        return (None, None) if mended is None else (mended.value, mended.repair)


def with_digits(records: Iterator[Record], name: str) -> Iterator[Record]:
    """Records of questions and answers, with numbers as they are written: `1.50` stays `1.50`."""
    return map(_with_digits, records) if name == registry.TABLE else records


def _with_digits(record: Record) -> Record:
    if not record.raw or not isinstance(record.value, dict):
        return record
    fields = cast("Mapping[str, object]", record.value)
    numbers = [key for key, value in fields.items() if isinstance(value, float)]
    if not numbers:
        return record
    written = _as_written(record.raw)
    return record._replace(value={**fields, **{key: written[key] for key in numbers}})


_as_written: Final = msgspec.json.Decoder(dict[str, object], float_hook=str).decode


def converter(
    file: Opened, name: str, reading: Reading
) -> Callable[[object, Callable[[Problem], None]], Converted]:
    """How a record of this format becomes messages; records of another go by their own rules."""
    if name == plain_text.NAME:
        return lambda value, note: plain_text.convert(value, _named_text(reading))
    if file.format is not None or name in registry.LOGS:
        return lambda value, note: registry.of_name("chat_messages").convert(
            cast("Mapping[str, object]", value if isinstance(value, dict) else {}), note
        )
    if name == registry.TABLE:
        return _with_rating(_table_converter(file, reading), reading)
    return _with_rating(_record_converter(file, name), reading)


def _with_rating(convert: Convert, reading: Reading) -> Convert:
    """The same, with the rating that stands beside a conversation."""
    wanted = columns.wanted_columns(reading.options.columns).get(columns.LABEL)
    is_asked = reading.options.method is Method.KTO

    def rate(value: object, note: Note) -> Converted:
        converted = convert(value, note)
        if not isinstance(value, dict):
            return converted
        fields = cast("Mapping[str, object]", value)
        return rated.labelled(converted, fields, wanted=wanted, is_asked=is_asked)

    return rate


def _record_converter(file: Opened, name: str) -> Convert:
    """How a record with known keys becomes messages."""
    own = registry.of_name(name)
    is_table = bool(file.header)

    def convert(value: object, note: Callable[[Problem], None]) -> Converted:
        if not isinstance(value, dict):
            return refused(Problem("no_messages", f"it is {chat.kind_of(value)}"))
        fields = cast("Mapping[str, object]", value)
        mended: list[Problem] = []
        if is_table:
            fields = _with_decoded(fields, mended.append)
        converted = own.convert(fields, note)
        if not converted.messages:
            converted = _of_another(own, fields, converted, note)
        for problem in mended:
            note(problem if converted.messages else problem._replace(repair=None))
        return converted

    return convert


def _of_another(
    own: registry.Format, fields: Mapping[str, object], converted: Converted, note: Note
) -> Converted:
    """A record that the file's format cannot use, by the rules of its own where those can."""
    other = registry.of_record(fields)
    if other is own or other.name in ("unknown", "prompts_only"):
        return converted
    noted: list[Problem] = []
    tried = other.convert(fields, noted.append)
    if not tried.messages and not {p.code for p in converted.problems} & _OF_ANOTHER:
        return converted
    for problem in (Problem("mixed_formats"), *noted):
        note(problem)
    return tried


def _table_converter(
    file: Opened, reading: Reading
) -> Callable[[object, Callable[[Problem], None]], Converted]:
    mapped = file.mapped.columns if file.mapped is not None else None
    is_table = bool(file.header) or file.container.startswith("parquet")

    def convert(value: object, note: Callable[[Problem], None]) -> Converted:
        nonlocal mapped
        if not isinstance(value, dict):
            return refused(Problem("no_messages", f"it is {chat.kind_of(value)}"))
        fields = cast("Mapping[str, object]", value)
        if mapped is None:
            found = columns.by_names(list(fields), reading.options.columns)
            if found is None:
                return refused(Problem("missing_column", chat.named_keys(fields)))
            mapped = found.columns
            reading.choices.update(found.choices())
        if is_table:  # out of a help desk; in JSON, HTML may be what is to be learnt
            fields = _without_html(fields, mapped.values(), note)
        return pairs.table_row(fields, mapped)

    return convert


def _without_html(
    fields: Mapping[str, object], used: Iterable[str], note: Note
) -> Mapping[str, object]:
    """Cells of the columns that are used as text; code that shows HTML stays as it is."""
    changed = {
        key: markup.strip_html(value)
        for key in used
        if isinstance(value := fields.get(key), str) and markup.has_html(value)
    }
    if not changed:
        return fields
    note(Problem("html_stripped"))
    return {**fields, **changed}
