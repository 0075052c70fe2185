"""The job's data files -> the units of its method and packed rows, checked again as the plan did."""

from pathlib import Path
from typing import NamedTuple

from podtune.core.dataset import Conversation, DatasetReport, Finding
from podtune.core.errors import DatasetError
from podtune.core.job import WorkerOrder
from podtune.core.spec import Method
from podtune.data import canonical, packing, split, units
from podtune.data.masks import folded
from podtune.data.prompts import Asked, asked
from podtune.data.template import TokenizerFolder
from podtune.data.units import Unit, Units
from podtune.storage.artifact_folder import sha256_file
from progress import EventWriter

ENCODE_BATCH = 256
"""Rows tokenised between two progress events."""


class TrainingData(NamedTuple):
    """Everything the trainer and the proof need of the data."""

    method: Method
    train: tuple[Unit, ...]
    """Examples for sft and cpt, pairs for dpo and orpo, rated answers for kto."""
    validation: tuple[Unit, ...]
    held_out: tuple[Conversation, ...]
    asked: tuple[Conversation, ...]
    """Held-out rows, or training ones where nothing is held out: the golden prompts."""
    rows: list[list[int]]
    """Packed rows of indices into `train`."""
    findings: tuple[Finding, ...]
    """What kept rows out."""
    counts: dict[str, int]
    """Code of a note on rows that are in -> how many: shortened, divided, closed."""
    tokens_left_out: int
    """Tokens that shortened rows lost."""
    train_rows: int
    folded: int
    """Rows whose system text went before the first user turn: the template has no system role."""

    @property
    def train_tokens(self) -> int:
        """Tokens of all training units."""
        return sum(units.tokens(unit) for unit in self.train)

    @property
    def trained_tokens(self) -> int:
        """Of them, the ones a loss is taken on."""
        return sum(units.trained(unit) for unit in self.train)


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
    train = _encode(order, conversations, folder, events, "tokenise")
    held = _encode(order, held_out, folder, events, "tokenise held-out rows")
    refuse_findings(train.findings + held.findings, skip=spec.data.on_bad_rows == "skip")
    if not train.units:
        raise DatasetError("no example is left to train on", code="no_examples")
    units.refuse_one_sided(spec.method, train.units)
    held_out = _without(held.findings, held_out)
    conversations = _without(train.findings, conversations)
    lengths = [units.tokens(unit) for unit in train.units]
    packed = bool(spec.training.packing)
    whole = units.joined((train, held))
    is_text = spec.method is Method.CPT
    kept = (*conversations, *held_out)
    return TrainingData(
        method=spec.method,
        train=train.units,
        validation=held.units,
        held_out=held_out,
        asked=held_out or conversations,
        rows=packing.best_fit_decreasing(lengths, limit) if packed else packing.singles(lengths),
        findings=whole.findings,
        counts=dict(whole.counts),
        tokens_left_out=whole.tokens_left_out,
        train_rows=len(conversations),
        folded=0 if is_text else folded(kept, folder, spec.data.system_prompt),
    )


def prompts(
    rows: tuple[Conversation, ...], folder: TokenizerFolder, order: WorkerOrder
) -> list[Asked]:
    """What the model is asked about rows, one prompt each; of plain texts, how they begin."""
    spec = order.plan.spec
    return asked(rows, folder, spec.data.system_prompt, spec.method)


def _without(
    findings: tuple[Finding, ...], rows: tuple[Conversation, ...]
) -> tuple[Conversation, ...]:
    """The rows that are trained on or held out after all."""
    left_out = {finding.row for finding in findings}
    return tuple(row for row in rows if row.row not in left_out)


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
    order: WorkerOrder,
    rows: tuple[Conversation, ...],
    folder: TokenizerFolder,
    events: EventWriter,
    name: str,
) -> Units:
    """The units of rows, with an event after every batch."""
    spec = order.plan.spec
    parts: list[Units] = []
    for start in range(0, len(rows), ENCODE_BATCH):
        parts.append(
            units.encode(
                spec.method,
                rows[start : start + ENCODE_BATCH],
                folder,
                system_prompt=spec.data.system_prompt,
                max_length=int(spec.training.max_length),
                long_rows=spec.training.long_rows,
            )
        )
        events.task(name, min(start + ENCODE_BATCH, len(rows)), len(rows), "rows")
    return units.joined(parts)
