"""A file, a folder or a pattern of files -> conversations, and a report with every finding.

Streams: what is held of a row are a few numbers. Never stops at the first bad row and never leaves
one out in silence; a row's text is in no finding.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any, Final, NamedTuple, cast

from podtune.core.dataset import Conversation, DatasetReport, Severity
from podtune.core.errors import DatasetError, SpecError
from podtune.core.spec import Method
from podtune.data import repairs, reports, sources
from podtune.data.containers import opening
from podtune.data.conversion import converter, tell, with_digits
from podtune.data.findings import CODES, Findings
from podtune.data.formats import columns, plain_text, rated, registry
from podtune.data.judge import KEYS_KEPT, Among, Judge, Rejected
from podtune.data.names import split_of
from podtune.data.quality.repeats import Repeats
from podtune.data.record import Problem, Reading, ReadOptions, Record
from podtune.data.sizes import Sizes

NO_OPTIONS: Final = ReadOptions()

_COUNTED: Final = frozenset(
    {registry.TABLE, "chat_messages", "sharegpt", "alpaca", "prompt_completion", "preference"}
)
"""Formats whose other keys are named; an export of a help desk has dozens."""

_USED_KEYS: Final = frozenset(
    {"messages", "conversations", "conversation", "dialogue", "tools", "functions", "system", "split",
     "prompt", "completion", "response", "output", "input", "context", "instruction", "history", "text", "answer",
     "chosen", "rejected", "request", "body", "choices", "mapping", "current_node"}
)  # fmt: skip


class Inspected(NamedTuple):
    """What one pass over a source found."""

    report: DatasetReport
    first_row: Conversation | None
    first_raw: object
    """The first good record as it stood in the file."""
    sizes: tuple[Sizes, ...]
    """Of the good rows, by file."""
    held_rows: int = 0
    """Good rows that the source itself holds out."""


class Dataset(NamedTuple):
    """The good rows of a source and the report on all of them."""

    conversations: tuple[Conversation, ...]
    report: DatasetReport


Sink = Callable[[Conversation], None]
RejectSink = Callable[[Rejected, str | None], None]


def read(path: Path | str, options: ReadOptions = NO_OPTIONS) -> Dataset:
    """Read a source and judge every row of it; the good rows are held in memory.

    Raises:
        As `inspect`.
    """
    kept: list[Conversation] = []
    report = inspect(path, options, kept.append).report
    if report.files:  # each counts its own rows
        kept = [row._replace(row=number) for number, row in enumerate(kept, start=1)]
    return Dataset(tuple(kept), report)


def inspect(
    path: Path | str,
    options: ReadOptions = NO_OPTIONS,
    sink: Sink | None = None,
    reject: RejectSink | None = None,
) -> Inspected:
    """Judge every row of a file, a folder or a pattern, in one pass over each file.

    Args:
        path: A file, a folder, or a pattern with `*`.
        options: Columns, sheet, member, speaker, format and repairs that somebody asked for.
        sink: Gets every good row in the file's order.
        reject: Gets every row that is not used, and the file's name where there are several.

    Raises:
        NotFoundError: there is no such file, or nothing fits the pattern.
        DatasetError: it cannot be read at all: damaged, encrypted, beyond the bounds, or a sheet,
            member, column or speaker that was asked for is not there.
        SpecError: an unknown repair or format.
        UnsupportedError: a library that this kind of file needs is not installed.
    """
    options = _checked(options)
    files = sources.files_of(path)
    repeats = Repeats()
    if len(files) == 1 and Path(path).expanduser() == files[0]:
        return _inspect_file(files[0], _Pass(options, repeats, sink, reject))
    asked: dict[int, int] = {}
    found = [
        _inspect_file(
            file,
            _Pass(
                options, repeats, sink, reject, Among(n, split_of(file.name), asked), alone=False
            ),
        )
        for n, file in enumerate(files)
    ]
    return Inspected(
        reports.together(str(path), [f.report for f in found]),
        next((f.first_row for f in found if f.first_row is not None), None),
        next((f.first_raw for f in found if f.first_row is not None), None),
        tuple(s for f in found for s in f.sizes),
        sum(f.held_rows for f in found),
    )


def _checked(options: ReadOptions) -> ReadOptions:
    fixes = repairs.checked_names(options.fixes)
    if options.format is not None and options.format not in registry.NAMES:
        raise SpecError(
            f"no format is named {options.format!r}",
            code="unknown_format",
            hint=f"one of: {', '.join(registry.NAMES)}",
        )
    wanted = columns.wanted_columns(options.columns)
    unknown = sorted(set(wanted) - {*columns.ROLES, *columns.BESIDE})
    if unknown:
        raise SpecError(
            f"no column has the role {unknown[0]!r}",
            code="unknown_role",
            hint="--map with one of: prompt, completion, system, label (of a rating), text",
        )
    return options.model_copy(update={"fixes": fixes, "columns": wanted})


class _Pass(NamedTuple):
    """What the files that are read as one have in common, and where their rows go."""

    options: ReadOptions
    repeats: Repeats
    sink: Sink | None
    reject: RejectSink | None
    among: Among = Among()
    alone: bool = True


def _inspect_file(path: Path, run: _Pass) -> Inspected:
    findings = Findings()
    reading = Reading(run.options, findings.add, {}, run.alone)
    with opening.opened(path, reading) as file:
        records, sample = _sampled(file.records)
        told = tell(file, [_legible(r) for r in sample], reading)
        if run.alone:
            _refuse_unused(run.options, file, told, sample)
        judge = Judge(
            converter(file, told.name, reading),
            run.options,
            findings,
            run.repeats,
            run.among,
            tells_rows=told.name != "unknown",
        )
        if told.name in registry.LOGS and file.format != told.name:
            records = registry.LOGS[told.name].gather(records, reading)
        elif file.format == "slack":
            records = registry.LOGS["slack"].gather(records, reading)
        judge.prime(sample)
        for record in with_digits(records, told.name):
            judged = judge.take(record)
            if isinstance(judged, Rejected):
                if run.reject is not None:
                    run.reject(judged, None if run.alone else path.name)
            elif judged is not None and run.sink is not None:
                run.sink(judged)
            if told.name in _COUNTED:
                _count_keys(record, judge, reading, file)
        judge.finish()
        _file_findings(file, told, judge, findings, sample)
    return Inspected(
        reports.of_file(path, file, told, judge, reading, findings),
        judge.first_row,
        judge.first_raw,
        (judge.sizes,),
        judge.held_rows,
    )


def _legible(record: Record) -> Record:
    """A record of the sample, mended where it is broken: only to tell what the file is."""
    if record.problem is None or not record.raw:
        return record
    mended = repairs.mend_json(record.raw)
    return record if mended is None else record._replace(value=mended.value)


def _refuse_unused(
    options: ReadOptions, file: opening.Opened, told: registry.Told, sample: Sequence[Record]
) -> None:
    """Raise where something was asked for that this file cannot have.

    Raises:
        SpecError: naming the option.
        DatasetError: no record has the key that a column was said to be.
    """
    keys = sorted(
        {k for r in sample if isinstance(r.value, dict) for k in cast("dict[str, Any]", r.value)}
    )
    lacking = [] if file.header or not keys else columns.missing(keys, options.columns)
    if lacking:
        raise DatasetError(
            f"no record has a key {lacking[0]!r}; the first have: {', '.join(keys[:12])}",
            code="missing_column",
            hint="name one that is there: --map prompt=NAME",
        )
    talks = {*registry.LOGS, "message_table", "whatsapp", "mbox", "unknown"}
    for name, value, fits in (
        ("sheet", options.sheet, file.container.startswith(("xlsx", "zip"))),
        ("member", options.member, file.container == "zip"),
        ("speaker", options.speaker, told.name in talks),
    ):
        if value is not None and not fits:
            raise SpecError(
                f"--{name} says nothing here: the file is {told.name} in {file.container}",
                code="option_not_used",
                hint=f"leave --{name} away",
            )


def _sampled(records: Iterator[Record]) -> tuple[Iterator[Record], list[Record]]:
    head = list(islice(records, registry.SAMPLE))
    return chain(head, records), head


def _count_keys(record: Record, judge: Judge, reading: Reading, file: opening.Opened) -> None:
    """Count the keys of a record that nothing is made of."""
    if not isinstance(record.value, dict) or file.format is not None:
        return
    fields = cast("dict[str, Any]", record.value)
    if len(fields) < 2:
        return
    used = {choice.value for choice in reading.choices.values()} | set(
        reading.options.columns.values()
    )
    if reading.options.method is Method.KTO:
        used |= {key for key in fields if key.lower() in rated.KEYS}
    if file.mapped is not None:
        used |= {*file.mapped.columns.values()}
    for key in fields:
        if (
            key not in _USED_KEYS
            and key not in used
            and (key in judge.dropped_keys or len(judge.dropped_keys) < KEYS_KEPT)
        ):
            judge.dropped_keys[key] += 1


def _file_findings(
    file: opening.Opened,
    told: registry.Told,
    judge: Judge,
    findings: Findings,
    sample: Sequence[Record],
) -> None:
    """What concerns a file with no row at all."""
    has_error = any(CODES[code].severity is Severity.ERROR for code in findings.counts)
    if judge.rows == 0 and not has_error:
        if file.container in ("txt", "md", "pdf"):
            findings.add(Problem("plain_text"))
        else:
            findings.add(Problem("empty_file"))
    if told.name == "unknown" and judge.rows:
        if file.header:
            shown = ", ".join(name[:40] for name in file.header[:12])
            findings.add(Problem("missing_column", f"its columns: {shown}"))
        elif any(plain_text.fits(record.value) for record in sample):
            findings.add(Problem("plain_text"))
        else:
            findings.add(Problem("no_messages", "no record has keys that are known"))
