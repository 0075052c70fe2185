"""What was found in one file or in several -> the report; and whether it may be trained on."""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from podtune.core.dataset import DatasetReport, Finding, Severity
from podtune.core.errors import DatasetError
from podtune.core.units import plural
from podtune.data.containers.opening import Opened
from podtune.data.findings import CODES, Findings, found
from podtune.data.formats import plain_text
from podtune.data.formats.registry import TABLE, Told
from podtune.data.judge import Judge, size_problems
from podtune.data.record import Problem, Reading


def of_file(
    path: Path, file: Opened, told: Told, judge: Judge, reading: Reading,
    findings: Findings,
) -> DatasetReport:  # fmt: skip
    """The report on one file, once all of it was judged."""
    mapped = file.mapped.columns if file.mapped is not None and told.name == TABLE else {}
    return DatasetReport(
        source=str(path),
        sha256=file.survey.sha256,
        size_bytes=file.survey.size_bytes,
        format=told.name,
        container=file.container,
        encoding=file.survey.encoding,
        recognised=told.recognised,
        columns=mapped,
        choices=reading.choices,
        rows=judge.rows,
        good_rows=judge.good,
        good_rows_after_repair=judge.after_repair,
        duplicates=judge.duplicates,
        repaired=dict(judge.repaired),
        dropped_keys=dict(judge.dropped_keys),
        findings=findings.sorted(),
        counts=dict(findings.counts),
    )


_OF_ALL: Final = frozenset({"few_rows", "too_few_rows"})
"""Findings about how many rows there are, said of all files together."""


def together(source: str, reports: Sequence[DatasetReport]) -> DatasetReport:
    """Several files as one: sums, and findings with their file's name.

    Files in which nothing is known are no data: they are named in one note, and count for nothing.
    """
    counts: dict[str, int] = {}
    repaired: dict[str, int] = {}
    findings: list[Finding] = []
    names = _names(reports)
    used = [(report, name) for report, name in zip(reports, names, strict=True) if _is_data(report)]
    for report, name in used:
        findings.extend(
            f.model_copy(update={"file": name}) for f in report.findings if f.code not in _OF_ALL
        )
        for code, count in report.counts.items():
            if code not in _OF_ALL:
                counts[code] = counts.get(code, 0) + count
        for repair, count in report.repaired.items():
            repaired[repair] = repaired.get(repair, 0) + count
    rows, good = sum(r.rows for r, _ in used), sum(r.good_rows for r, _ in used)
    is_text = all(report.format == plain_text.NAME for report, _ in used)
    for problem in () if is_text else size_problems(rows, good):
        findings.append(found(problem))
        counts[problem.code] = 1
    others = [name for report, name in zip(reports, names, strict=True) if not _is_data(report)]
    if others:
        shown = ", ".join(others[:8]) + (" ..." if len(others) > 8 else "")
        findings.append(found(Problem("file_not_used", shown)))
        counts["file_not_used"] = len(others)
    if not used:
        findings.append(found(Problem("empty_file", "no file of it holds a row")))
        counts["empty_file"] = 1
    digest = hashlib.sha256(
        "".join(f"{r.sha256} {name}\n" for r, name in zip(reports, names, strict=True)).encode()
    )
    formats = sorted({r.format for r, _ in used})
    return DatasetReport(
        source=source,
        sha256=digest.hexdigest(),
        size_bytes=sum(r.size_bytes for r in reports),
        format=formats[0] if len(formats) == 1 else "several" if formats else "unknown",
        container="folder",
        encoding=None,
        rows=rows,
        good_rows=good,
        good_rows_after_repair=sum(r.good_rows_after_repair for r, _ in used),
        duplicates=sum(r.duplicates for r, _ in used),
        repaired=repaired,
        findings=tuple(findings),
        counts=counts,
        files=tuple(reports),
    )


def _is_data(report: DatasetReport) -> bool:
    return report.rows > 0 and report.format != "unknown"


def _names(reports: Sequence[DatasetReport]) -> list[str]:
    """The files' names beneath the folder they have in common."""
    paths = [Path(r.source).absolute() for r in reports]
    base = Path(os.path.commonpath([p.parent for p in paths]))
    return [p.relative_to(base).as_posix() for p in paths]


def refuse_bad_rows(report: DatasetReport, *, skip: bool) -> None:
    """Raise when the source may not be trained on: bad rows without consent, or no good row.

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
        code = errors[0].code if report.rows == 0 and errors else None
        raise DatasetError(
            f"no row of {report.source!r} can be trained on ({report.rows} found, {plural(len(errors), 'error')})",
            code=code,
            hint="correct the rows above" + _repair_hint(report),
            context=context,
        )
    raise DatasetError(
        f"{plural(len(errors), 'error')} in {plural(report.rows, 'row')} of {report.source!r}; {report.good_rows} good",
        hint=f"correct the rows above{_repair_hint(report)}, or train on the {plural(report.good_rows, 'good row')} with --skip-bad-rows",
        context=context,
    )


def _repair_hint(report: DatasetReport) -> str:
    offered = sorted({f.repair for f in report.errors() if f.repair})
    return f" (or mend them: {' '.join(f'--fix {name}' for name in offered)})" if offered else ""


def refuse_open_choices(report: DatasetReport) -> None:
    """Raise where two readings are about as good and nobody said which is meant.

    Raises:
        DatasetError: `choice_needed`, with what may be said.
    """
    for file in report.files or (report,):
        for name, choice in file.choices.items():
            if choice.close:
                others = ", ".join(repr(o) for o in (choice.value, *choice.others))
                raise DatasetError(
                    f"{Path(file.source).name}: the {name.replace('_', ' ')} may be {others}",
                    code="choice_needed",
                    hint=f"say which with {choice.option}; `podtune data check` shows a row of it",
                    context={"choice": name, "taken": choice.value, "others": list(choice.others)},
                )


def only_warnings(report: DatasetReport) -> dict[str, int]:
    """Warning code -> count, for a short summary."""
    return {
        code: count
        for code, count in report.counts.items()
        if CODES[code].severity is Severity.WARNING
    }
