"""The job's data files -> tokenised examples and packed rows, checked again as the plan did."""

from pathlib import Path
from typing import NamedTuple

from podtune.core.dataset import Conversation, DatasetReport, Finding
from podtune.core.errors import DatasetError
from podtune.core.job import WorkerOrder
from podtune.data import canonical, packing, split
from podtune.data.masks import Encoded, Example, encode, folded
from podtune.data.template import TokenizerFolder
from podtune.storage.artifact_folder import sha256_file
from progress import EventWriter

ENCODE_BATCH = 256
"""Conversations tokenised between two progress events."""


class TrainingData(NamedTuple):
    """Everything the trainer and the proof need of the data."""

    train: tuple[Example, ...]
    validation: tuple[Example, ...]
    held_out: tuple[Conversation, ...]
    asked: tuple[Conversation, ...]
    """Held-out conversations, or training ones where nothing is held out: the golden prompts."""
    rows: list[list[int]]
    findings: tuple[Finding, ...]
    train_rows: int
    folded: int
    """Rows whose system text went before the first user turn: the template has no system role."""


def load(
    order: WorkerOrder, job: Path, folder: TokenizerFolder, events: EventWriter
) -> TrainingData:
    """Read, check, split, tokenise and pack.

    Raises:
        DatasetError: the files are not the planned ones, or nothing can be trained on.
    """
    spec = order.plan.spec
    conversations, held_out = _conversations(order, job)
    limit = int(spec.training.max_length)
    train = _encode(conversations, folder, spec.data.system_prompt, limit, events, "tokenise")
    held = _encode(
        held_out, folder, spec.data.system_prompt, limit, events, "tokenise held-out rows"
    )
    refuse_findings(train.findings + held.findings, skip=spec.data.on_bad_rows == "skip")
    if not train.examples:
        raise DatasetError("no example is left to train on", code="no_examples")
    left_out = {f.row for f in held.findings}
    held_out = tuple(c for c in held_out if c.row not in left_out)
    left_out = {f.row for f in train.findings}
    conversations = tuple(c for c in conversations if c.row not in left_out)
    lengths = [len(e.input_ids) for e in train.examples]
    packed = bool(spec.training.packing)
    rows = packing.best_fit_decreasing(lengths, limit) if packed else packing.singles(lengths)
    return TrainingData(
        train.examples,
        held.examples,
        held_out,
        held_out or conversations,
        rows,
        train.findings + held.findings,
        len(conversations),
        folded((*conversations, *held_out), folder, spec.data.system_prompt),
    )


def refuse_findings(findings: tuple[Finding, ...], *, skip: bool) -> None:
    """Raise on rows that the base model's template or the row length keeps out, unless skipped.

    Raises:
        DatasetError: with all findings.
    """
    if not findings or skip:
        return
    first = findings[0]
    raise DatasetError(
        f"{len(findings)} rows cannot be trained on with this base model; the first, line {first.line}: {first.message}",
        code=first.code,
        hint=first.advice + "; or train on the others with --skip-bad-rows",
        context={"findings": [f.model_dump(mode="json") for f in findings]},
    )


def _conversations(
    order: WorkerOrder, job: Path
) -> tuple[tuple[Conversation, ...], tuple[Conversation, ...]]:
    """Training and held-out rows: the planned ones, which the data doctor judged."""
    spec = order.plan.spec
    rows = _rows(job / order.train_file, order.plan.report)
    kept = rows[: spec.data.max_rows]
    if order.validation_file is None or order.plan.validation_report is None:
        return split.sides(kept, spec.data.validation)
    return kept, _rows(job / order.validation_file, order.plan.validation_report)


def _rows(path: Path, report: DatasetReport) -> tuple[Conversation, ...]:
    _refuse_changed(path, report.rows_sha256)
    return tuple(canonical.read(path))


def _refuse_changed(path: Path, sha256: str | None) -> None:
    if sha256_file(path) != sha256:
        raise DatasetError(
            f"{path.name} is not the file that was planned (its sha256 differs)",
            code="data_changed",
            hint="plan again",
        )


def _encode(
    conversations: tuple[Conversation, ...],
    folder: TokenizerFolder,
    system_prompt: str | None,
    limit: int,
    events: EventWriter,
    name: str,
) -> Encoded:
    examples: list[Example] = []
    findings: list[Finding] = []
    total = len(conversations)
    for start in range(0, total, ENCODE_BATCH):
        batch = conversations[start : start + ENCODE_BATCH]
        encoded = encode(batch, folder, system_prompt=system_prompt, max_length=limit)
        examples.extend(encoded.examples)
        findings.extend(encoded.findings)
        events.task(name, min(start + ENCODE_BATCH, total), total, "rows")
    return Encoded(tuple(examples), tuple(findings))
