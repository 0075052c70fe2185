"""A submission as the fine-tuning API's job object.

Takes what stands in the job store and what the worker's events add up to. `podtune` in it is ours: plan, cost and what
nobody else tells; the SDK shows it in `job.model_extra`.

Source: the SDK's `FineTuningJob` (openai 3.54.0) and peers.md 3a, read on 2026-11-23: `hyperparameters` is always an
object, `error` null where there is none, `paused` only of a job that was paused.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final, cast

from podtune.app import hosted_models
from podtune.app.asked import SubmissionState, Submitted
from podtune.core.errors import PodtuneError
from podtune.core.job import Job
from podtune.core.plan import Plan
from podtune.core.progress import Folded
from podtune.core.redact import scrub
from podtune.core.spec import AUTO, Method
from podtune.core.states import Desired, JobPhase, Outcome
from podtune.core.wire import TrainingStatus
from podtune.workflow.holds import PAUSED

_OUTCOMES: Final[Mapping[Outcome, str]] = {
    Outcome.COMPLETED: "succeeded",
    Outcome.FAILED: "failed",
    Outcome.CANCELLED: "cancelled",
    Outcome.TIMED_OUT: "failed",
}
_ENDED: Final = ("succeeded", "failed", "cancelled")
_WAITS: Final = (JobPhase.QUEUED, JobPhase.VALIDATING, JobPhase.STAGING, JobPhase.PROVISIONING)
_FILE_CODES: Final = frozenset({"bad_data", "no_examples", "method_mismatch", "choice_needed"})
"""Errors that are a file's fault."""


def status_of(found: Submitted) -> str:
    """How a job stands, in the API's words."""
    if found.state is SubmissionState.PREPARING:
        return "validating_files"
    if found.job is None:
        return (
            "cancelled" if found.error is not None and found.error.code == "cancelled" else "failed"
        )
    job = found.job
    if job.outcome is Outcome.COMPLETED:
        return "succeeded"
    if is_paused(found) and (job.outcome is Outcome.CANCELLED or job.desired is Desired.CANCELLED):
        return "paused"
    if job.outcome is not None:
        return _OUTCOMES[job.outcome]
    return "queued" if job.phase in _WAITS and not job.recovering else "running"


def is_paused(found: Submitted) -> bool:
    """Whether its owner paused it, and did not resume it since."""
    return found.note.get(PAUSED) is True


def result_file(found: Submitted) -> str | None:
    """The id of a completed job's result file; None of any other."""
    done = found.job is not None and found.job.outcome is Outcome.COMPLETED
    return f"file-results-{found.id}" if done else None


def model_name(found: Submitted, step: int | None = None) -> str:
    """What its result is called, or a checkpoint of it."""
    base = found.note.get("base_model") or (
        found.job.plan.base_model.name if found.job else "unknown"
    )
    suffix = found.note.get("suffix")
    return hosted_models.name_of(
        str(base), found.tenant, str(suffix) if suffix else None, found.id, step
    )


def job_object(
    found: Submitted,
    *,
    folded: Folded | None,
    status: TrainingStatus | None,
    now: datetime,
) -> dict[str, Any]:
    """The job object.

    Args:
        found: As it stands.
        folded: What its worker's events add up to; None before there is a job.
        status: Of the same moment; None where nobody asked (a list).
        now: The moment.
    """
    note, job = found.note, found.job
    word = status_of(found)
    finished = _finished_at(found) if word in _ENDED else None
    results = result_file(found)
    return {
        "id": found.id,
        "object": "fine_tuning.job",
        "created_at": _unix(found.created_at),
        "finished_at": None if finished is None else _unix(finished),
        "model": note.get("model") or (job.plan.base_model.name if job else ""),
        "fine_tuned_model": model_name(found) if word == "succeeded" else None,
        "organization_id": f"org-{found.tenant or hosted_models.DEFAULT_OWNER}",
        "result_files": [results] if results else [],
        "status": word,
        "training_file": note.get("training_file") or "",
        "validation_file": note.get("validation_file"),
        "trained_tokens": _trained_tokens(folded) if word == "succeeded" else None,
        "seed": note.get("seed")
        if note.get("seed") is not None
        else (job.plan.spec.training.seed if job else 0),
        "hyperparameters": _hyperparameters(note, job),
        "method": _method(note, job),
        "error": _error(found) if word == "failed" else None,
        "estimated_finish": _estimated(folded, now) if word == "running" else None,
        "integrations": [],
        "metadata": note.get("metadata") or {},
        "podtune": _ours(found, status),
    }


def _finished_at(found: Submitted) -> datetime:
    """When it ended; of one whose machine is still being ended, when it was last written."""
    if found.job is None:
        return found.created_at
    return found.job.finished_at or found.job.updated_at


def _hyperparameters(note: Mapping[str, Any], job: Job | None) -> dict[str, Any]:
    asked = cast("Mapping[str, Any]", note.get("hyperparameters") or {})
    found = {
        "n_epochs": asked.get("n_epochs") or AUTO,
        "batch_size": asked.get("batch_size") or AUTO,
        "learning_rate_multiplier": asked.get("learning_rate_multiplier") or AUTO,
    }
    if job is not None and found["n_epochs"] == AUTO:
        epochs = job.plan.spec.training.epochs
        found["n_epochs"] = max(1, round(epochs)) if isinstance(epochs, int | float) else AUTO
    return found


def _method(note: Mapping[str, Any], job: Job | None) -> dict[str, Any]:
    is_dpo = (job.plan.spec.method if job else note.get("method")) == Method.DPO
    kind = "dpo" if is_dpo else "supervised"
    hyper = _hyperparameters(note, job)
    if is_dpo:
        asked = cast("Mapping[str, Any]", note.get("hyperparameters") or {})
        hyper["beta"] = job.plan.spec.training.beta if job else asked.get("beta") or AUTO
    return {"type": kind, kind: {"hyperparameters": hyper}}


def _error(found: Submitted) -> dict[str, Any]:
    if found.job is None:
        error = found.error or PodtuneError("it was refused")
        words = f"{error.message}. {error.hint}" if error.hint else error.message
        param = error.context.get("param")
        if param is None and error.code in _FILE_CODES:
            param = "training_file"
        code = "invalid_training_file" if error.code in _FILE_CODES else error.code
        return {"code": code, "message": scrub(words), "param": param}
    job = found.job
    words = job.error_message or "the training failed"
    advice = f". {job.advice}" if job.advice else ""
    return {
        "code": job.error_code or "training_failed",
        "message": scrub(words + advice),
        "param": None,
    }


def _trained_tokens(folded: Folded | None) -> int | None:
    """Tokens a loss was taken on, over all epochs: what the hosted API bills."""
    facts = folded.facts if folded else {}
    tokens, epochs = facts.get("trained_tokens"), facts.get("epochs")
    if not isinstance(tokens, int | float) or not isinstance(epochs, int | float):
        return None
    return round(tokens * epochs)


def _estimated(folded: Folded | None, now: datetime) -> int | None:
    left = folded.eta_seconds() if folded else None
    return None if left is None else _unix(now + timedelta(seconds=min(left, 3.15e7)))


def _ours(found: Submitted, status: TrainingStatus | None) -> dict[str, Any]:
    """Plan and cost."""
    told: dict[str, Any] = {"base_model": found.note.get("base_model")}
    if found.ceiling_usd is not None:
        told["max_usd"] = float(found.ceiling_usd)
    if found.job is not None:
        told["plan"] = _plan(found.job.plan)
        told["phase"] = str(found.job.phase)
    if status is not None:
        told |= {
            "progress": status.progress,
            "phase": status.phase,
            "cost_usd": status.cost_usd,
            "metrics": status.metrics.model_dump(),
            "warnings": [scrub(text) for text in status.warnings],
        }
        if status.quote_usd is not None:
            told["quote_usd"] = status.quote_usd
    return told


def _plan(plan: Plan) -> dict[str, Any]:
    where, training = plan.spec.where, plan.spec.training
    told: dict[str, Any] = {
        "digest": plan.digest,
        "on": str(where.on),
        "base_model": plan.base_model.name,
        "revision": plan.base_model.revision,
        "method": str(plan.spec.method),
        "epochs": training.epochs,
        "learning_rate": training.learning_rate,
        "effective_batch": training.model_dump(mode="json")["effective_batch"],
        "lora_rank": plan.spec.adapter.rank,
        "train_rows": plan.tokens.train_rows,
        "validation_rows": plan.tokens.validation_rows,
        "tokens": plan.tokens.train,
        "steps": plan.schedule.steps,
        "seconds": round(plan.time.total_s, 1),
    }
    if plan.price is not None:
        first = plan.price.first
        told |= {
            "gpu": first.offer.gpu,
            "usd_p50": float(first.usd_p50),
            "usd_p90": float(first.usd_p90),
            "max_usd": float(plan.price.max_usd),
        }
    return told


def _unix(moment: datetime) -> int:
    return int(moment.timestamp())
