"""The application's contract as answers are written: ours around `core.submission` and `core.wire`.

The answer to a submit holds `external_job_id` and nothing else, as the founding document shows it: a client
may check it strictly. What a request is warned of stands in the status object's `warnings`.
"""

import hashlib
import json
from datetime import datetime
from typing import Final, cast

from pydantic import BaseModel, ConfigDict, JsonValue

from podtune.app import sources
from podtune.app.asked import Asked, Submitted
from podtune.app.idempotency import FIELD, mark_of
from podtune.core import submission
from podtune.core.spec import Place
from podtune.core.submission import Submission
from podtune.core.wire import WARNINGS_SHOWN, TrainingStatus

KIND: Final = "training"
WARNINGS: Final = "warnings"
"""In the note: what the caller was warned of when it asked."""


class Accepted(BaseModel):
    """The answer to a submit."""

    model_config = ConfigDict(
        frozen=True, json_schema_extra={"examples": [{"external_job_id": "dataset-k3v9q2ab"}]}
    )

    external_job_id: str
    """Ask for the status under this id; the same for every repetition of the request."""


class JobSummary(BaseModel):
    """One job in a list."""

    model_config = ConfigDict(frozen=True)

    external_job_id: str
    job_id: str | None = None
    """The application's own id; null of a job that came another way."""
    kind: str
    """Which face it came by: `training`, `openai`, `dashboard`, `cli` ..."""
    state: str
    """`preparing`, `accepted` or `refused`."""
    phase: str | None = None
    """Where the workflow stands with it; null before it is accepted."""
    outcome: str | None = None
    """`completed`, `failed`, `cancelled`, `timed_out`; null before it is settled."""
    title: str | None = None
    base_model: str | None = None
    where: str | None = None
    created_at: datetime
    finished_at: datetime | None = None
    error_code: str | None = None
    error_message: str | None = None
    ceiling_usd: float | None = None
    """What it may cost; null where nothing is rented."""


class JobList(BaseModel):
    """A page of jobs, the newest first."""

    model_config = ConfigDict(frozen=True)

    jobs: tuple[JobSummary, ...]
    has_more: bool
    """Whether older ones follow: ask again with `after` = the last id."""


def asked(data: object, *, backend: Place, idempotency_key: str | None = None) -> Asked:
    """A request as it came, as the desk takes it.

    Args:
        data: The decoded body.
        backend: Where it is to train.
        idempotency_key: Of the header.

    Raises:
        SpecError: code `bad_request_body`, with every fault at once.
    """
    found = submission.parse(data)
    request = submission.request_of(found, source=found.dataset_url, rents=backend.is_rented)
    stated = {**request.stated, "where.on": backend.value}
    note: dict[str, JsonValue] = {}
    if warnings := submission.warnings_of(found):
        note[WARNINGS] = list(warnings)
    if idempotency_key is not None:
        note[FIELD] = mark_of(idempotency_key)
    return Asked(
        request=request.model_copy(update={"stated": stated}),
        kind=KIND,
        name=found.job_id,
        digest=digest_of(found, backend),
        note=note,
    )


def digest_of(found: Submission, backend: Place) -> str:
    """What makes two requests the same.

    The query of the data set's address does not count: an application signs it anew for each try.
    """
    body = {
        **found.to_wire(),
        "dataset_url": sources.unsigned(found.dataset_url),
        "backend": backend.value,
    }
    text = json.dumps(body, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def with_warnings(status: TrainingStatus, found: Submitted) -> TrainingStatus:
    """A status with what the request was warned of before everything else."""
    told = found.note.get(WARNINGS)
    if not isinstance(told, list):
        return status
    words = tuple(str(one) for one in cast("list[object]", told))
    return status.model_copy(update={"warnings": (*words, *status.warnings)[:WARNINGS_SHOWN]})


def summary(found: Submitted) -> JobSummary:
    """A job as a list tells it."""
    job, error = found.job, found.error
    return JobSummary(
        external_job_id=found.id,
        job_id=found.name if found.kind == KIND else None,
        kind=found.kind,
        state=str(found.state),
        phase=str(job.phase) if job else None,
        outcome=str(job.outcome) if job and job.outcome else None,
        title=job.title if job else None,
        base_model=job.plan.base_model.name if job else None,
        where=str(job.plan.spec.where.on) if job else None,
        created_at=found.created_at,
        finished_at=job.finished_at if job else None,
        error_code=job.error_code if job else error.code if error else None,
        error_message=job.error_message if job else error.message if error else None,
        ceiling_usd=None if found.ceiling_usd is None else float(found.ceiling_usd),
    )


def request_schema() -> dict[str, object]:
    """The JSON schema of a request, in one piece."""
    schema = Submission.model_json_schema()
    parts = schema.pop("$defs", {})
    return cast("dict[str, object]", _in_place(schema, parts))


def _in_place(value: object, parts: dict[str, object]) -> object:
    if isinstance(value, dict):
        known = cast("dict[str, object]", value)
        name = known.get("$ref")
        if isinstance(name, str):
            rest = {k: v for k, v in known.items() if k not in ("$ref", "default")}
            return {
                **cast("dict[str, object]", _in_place(parts[name.rsplit("/", 1)[-1]], parts)),
                **rest,
            }
        return {k: _in_place(v, parts) for k, v in known.items()}
    if isinstance(value, list):
        return [_in_place(one, parts) for one in cast("list[object]", value)]
    return value


EXAMPLE: Final[dict[str, object]] = {
    "job_id": "6f1c9e0a-5b1d-4c57-8f0e-0c4b1b7d2a11",
    "dataset_url": "https://project.supabase.co/storage/v1/object/sign/data/rows.jsonl?token=...",
    "hyperparameters": {
        "base_model": "Qwen/Qwen3-8B",
        "learning_rate": 0.0002,
        "batch_size": 8,
        "num_epochs": 3,
        "lora_rank": 16,
        "lora_alpha": 32,
        "lora_dropout": 0.05,
    },
    "gpu_config": {"gpu_type": "H100", "num_gpus": 1},
    "callback_url": "https://project.supabase.co/functions/v1/training-callback",
}
"""A request as an application sends it."""
