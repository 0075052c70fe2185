"""Writing data: a source as canonical JSON lines, whole or split, with what was left out beside it."""

import json
from pathlib import Path
from typing import IO, Any, NamedTuple

from podtune.app import sources
from podtune.app.settings import Settings
from podtune.app.whole_file import writing
from podtune.core.dataset import Conversation, DatasetReport
from podtune.core.errors import ConflictError, DatasetError, SpecError
from podtune.data import canonical, reader, reports, split
from podtune.data.judge import Rejected
from podtune.data.record import ReadOptions
from podtune.data.sources import files_of
from podtune.storage.artifact_folder import sha256_file

REJECTED = "rejected.jsonl"
"""Rows that were left out: line, row, codes, reason; never their text."""


_LISTED = {"line", "row", "codes", "reason"}


class Written(NamedTuple):
    """A file that was written."""

    path: Path
    rows: int
    sha256: str

    def as_json(self) -> dict[str, Any]:
        """For machines."""
        return {"path": str(self.path), "rows": self.rows, "sha256": self.sha256}


class Result(NamedTuple):
    """What `convert` or `split` made of a source."""

    report: DatasetReport
    written: tuple[Written, ...]
    rejected: Written | None


def convert(
    source: str, to: Path, settings: Settings, options: ReadOptions, *, overwrite: bool = False
) -> Result:
    """Write the good rows of a source as canonical JSON lines; same bytes in, same bytes out.

    Args:
        source: A path, a pattern, or an address.
        to: The file to write; `rejected.jsonl` comes to lie beside it where rows are left out.
        settings: Of this installation.
        options: How it is read, and the repairs consented to.
        overwrite: Whether files that are there may go.

    Raises:
        ConflictError: a file to be written is there.
        DatasetError: no row is good, or a choice is open; nothing is written.
    """
    to = to.expanduser().absolute()
    beside = to.with_name(REJECTED)
    if to == beside:
        raise SpecError(
            f"{REJECTED} is where the rows go that are left out",
            code="bad_option",
            hint="name another file with -o",
        )
    _refuse_own_source(source, (to, beside))
    _refuse_existing((to, beside), overwrite=overwrite)
    with writing(to, "-o") as good, writing(beside, "-o") as bad:
        report = _pass(source, settings, options, _sink(good), bad)
    return Result(report, (_kept(to, report.good_rows),), _kept_if_any(beside))


def divide(
    source: str,
    folder: Path,
    settings: Settings,
    options: ReadOptions,
    *,
    share: float,
    overwrite: bool = False,
) -> Result:
    """Write `train.jsonl` and `validation.jsonl`: by question, so that no repeat straddles.

    Args:
        source: A path, a pattern, or an address.
        folder: Where the files go.
        settings: Of this installation.
        options: How it is read, and the repairs consented to.
        share: Of the rows that is held out, over 0 and under 0.5.
        overwrite: Whether files that are there may go.

    Raises:
        ConflictError: a file to be written is there.
        DatasetError: no row is good, a choice is open, or there is one question only.
    """
    folder = folder.expanduser().absolute()
    paths = [folder / "train.jsonl", folder / "validation.jsonl"]
    _refuse_own_source(source, (*paths, folder / REJECTED))
    _refuse_existing((*paths, folder / REJECTED), overwrite=overwrite)
    rows: list[Conversation] = []
    with writing(folder / REJECTED, "-o") as bad:
        report = _pass(source, settings, options, rows.append, bad)
        sides = split.sides(rows, share)
        if not sides.validation:
            raise DatasetError(
                "every row asks the same question: none can be held out",
                code="nothing_to_hold_out",
                hint="add other questions, or train with --set data.validation=0",
            )
        for path, kept in zip(paths, sides, strict=True):
            with writing(path, "-o") as stream:
                stream.writelines(canonical.line_of(row) for row in kept)
    written = tuple(_kept(p, len(kept)) for p, kept in zip(paths, sides, strict=True))
    return Result(report, written, _kept_if_any(folder / REJECTED))


def _pass(
    source: str, settings: Settings, options: ReadOptions, sink: reader.Sink, bad: IO[bytes]
) -> DatasetReport:
    """Read a source once; refused where nothing is good or a choice is open."""

    def reject(row: Rejected, file: str | None) -> None:
        value = {"line": row.line, "row": row.row, "codes": row.codes, "reason": row.reason}
        value |= {"file": file} if file else {}
        bad.write(json.dumps(value, ensure_ascii=False).encode() + b"\n")

    with sources.looked_at(source, settings) as path:
        report = reader.inspect(path, options, sink, reject).report
    report = report.model_copy(update={"source": sources.stored(source)})
    reports.refuse_open_choices(report)
    reports.refuse_bad_rows(report, skip=True)
    return report


def _sink(stream: IO[bytes]) -> reader.Sink:
    def write(row: Conversation) -> None:
        stream.write(canonical.line_of(row))

    return write


def _kept(path: Path, rows: int) -> Written:
    return Written(path, rows, sha256_file(path))


def _kept_if_any(path: Path) -> Written | None:
    if not path.is_file():
        return None
    with path.open("rb") as stream:
        return _kept(path, sum(1 for _ in stream))


def _refuse_existing(paths: tuple[Path, ...], *, overwrite: bool) -> None:
    there = [path for path in paths if path.exists() and not _is_older_list(path)]
    if there and not overwrite:
        raise ConflictError(
            f"{str(there[0])!r} is there already",
            code="target_exists",
            hint="name another with -o, or add --overwrite",
        )


def _is_older_list(path: Path) -> bool:
    """Whether a file is the list of rejected rows of an earlier run, which the next replaces."""
    if path.name != REJECTED:
        return False
    try:
        with path.open("rb") as stream:
            lines = [json.loads(line) for line in stream.readlines(1 << 16)[:100]]
    except (OSError, ValueError):
        return False
    return all(isinstance(v, dict) and _LISTED <= v.keys() <= _LISTED | {"file"} for v in lines)


def _refuse_own_source(source: str, targets: tuple[Path, ...]) -> None:
    """A source is never written over, with or without consent; nor is a file of it."""
    if sources.is_address(source):
        return
    read = [path.absolute() for path in files_of(source)]
    for to in targets:
        if to in read or any(to.exists() and p.exists() and to.samefile(p) for p in read):
            raise ConflictError(
                f"{str(to)!r} is the source itself",
                code="target_is_source",
                hint="name another file with -o; a source is never written over",
            )
