"""A job's page in parts: what stands in each, from what the desk tells. Renders nothing itself."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

from pydantic import TypeAdapter, ValidationError

from podtune.app import plan_words
from podtune.app.asked import Submitted
from podtune.app.desk import Desk
from podtune.app.standing import Standing
from podtune.core.access import Scope
from podtune.core.artifact import SAMPLES, Sample, SignedReceipt
from podtune.core.dataset import Finding
from podtune.core.errors import ArtifactError, NotFoundError
from podtune.core.job import Job
from podtune.core.states import Outcome
from podtune.core.units import gib
from podtune.core.wire import TrainingStatus
from podtune.gateway.dashboard import charts, states, timeline
from podtune.gateway.dashboard.charts import Chart
from podtune.gateway.dashboard.curves import History, Note
from podtune.planning.price import money
from podtune.workflow.store import LogEntry

LEAK: Final = "LEAK RISK"
"""How the words of a leak begin (`podtune.app.leaks`)."""
CHECKED_BYTES: Final = 512 << 20
"""Artifacts up to this size are compared with their receipt whenever the page is opened (sha256 at some
500 MB/s on one core, measured 2026-11-23); larger ones when somebody asks for it."""
_SAMPLE_BYTES: Final = 4 << 20
_SAMPLES: Final = TypeAdapter(list[Sample])
EVENTS_SHOWN: Final = 200


class Money(NamedTuple):
    """Cost against ceiling, as shares of the bar's whole width."""

    words: Sequence[str]
    spent: float
    forecast: float
    ceiling: float
    legend: Sequence[tuple[str, str, str]]
    """Mark, name and amount of each."""


class Found(NamedTuple):
    """One kind of finding of the data report."""

    severity: str
    code: str
    message: str
    advice: str
    number: int
    lines: str


class Checked(NamedTuple):
    """A receipt, and whether it holds."""

    signed: SignedReceipt | None
    """None where it cannot be read."""
    holds: bool | None
    """None: too large to be compared without being asked."""
    words: Sequence[str]


def actions(desk: Desk, found: Submitted) -> Mapping[str, bool]:
    """What this caller may do with it now."""
    job = found.job
    is_over = found.error is not None or (job is not None and job.is_finished)
    is_done = job is not None and job.is_finished and job.outcome is Outcome.COMPLETED
    return {
        "cancel": not is_over and desk.principal.may(Scope.CANCEL),
        "resume": job is not None and is_over and not is_done and desk.principal.may(Scope.SUBMIT),
        "download": is_done,
    }


def head(desk: Desk, found: Submitted) -> Mapping[str, Any]:
    """State, title, what is trained and where."""
    job = found.job
    return {
        "id": found.id,
        "state": states.state_of(found),
        "title": job.title if job else (found.name or found.id),
        "model": states.model(job.plan) if job else "",
        "where": states.where(job.plan, job.rung) if job else "",
        "begun": found.created_at,
        "actions": actions(desk, found),
        "is_stopping": job is not None and not job.is_finished and job.desired.value == "cancelled",
    }


def warnings(status: TrainingStatus) -> Sequence[tuple[str, str]]:
    """What is amiss, each with its tone; leaks of money first."""
    told = [("bad" if LEAK in text else "some", text) for text in dict.fromkeys(status.warnings)]
    return sorted(told, key=lambda one: one[0])


def ending(found: Submitted, status: TrainingStatus) -> Mapping[str, str]:
    """Why it failed and what to do; empty where it did not."""
    error = found.error
    if error is not None:
        return {"message": error.message, "code": error.code, "advice": error.hint or ""}
    if not status.error_message:
        return {}
    advice = (status.advice or "").replace("JOB", found.id)
    return {"message": status.error_message, "code": status.error_code or "", "advice": advice}


def figures(
    job: Job, status: TrainingStatus, total_steps: int | None, standing: Standing | None
) -> Sequence[tuple[str, str]]:
    """The newest figures: name and value; what nobody measures is left out."""
    metrics = status.metrics
    told: list[tuple[str, str]] = []
    if total_steps:
        told.append(("step", f"{status.current_step:,} of {total_steps:,}"))
    for name, value in (("loss", metrics.training_loss), ("held-out", metrics.validation_loss)):
        if value is not None:
            told.append((name, f"{value:.3f}"))
    if job.is_finished:
        return told
    if metrics.throughput:
        told.append(("speed", f"{metrics.throughput:,.0f} tokens/s"))
    return [*told, *_card(metrics.gpu_utilization, standing)]


def _card(util: float | None, standing: Standing | None) -> list[tuple[str, str]]:
    cards = standing.view.gpus if standing and standing.view else ()
    card = cards[0] if cards else None
    used = util if util is not None else (card.util if card else None)
    told = [("GPU", f"{used:.0f} %")] if used is not None else []
    if card and card.memory_used_bytes is not None:
        whole = f" of {gib(card.memory_total_bytes)}" if card.memory_total_bytes else ""
        told.append(("GPU memory", gib(card.memory_used_bytes) + whole))
    if card and card.power_w is not None:
        told.append(("power", f"{card.power_w:.0f} W"))
    return told


def pictures(history: History) -> Sequence[Chart]:
    """The curves that have points."""
    drawn = (
        charts.draw(
            "loss",
            "Loss (nats per token)",
            {
                "training": history.points("training_loss"),
                "held-out": history.points("validation_loss"),
            },
        ),
        charts.draw("speed", "Throughput (tokens/s)", {"throughput": history.points("throughput")}),
        charts.draw("rate", "Learning rate", {"learning rate": history.points("learning_rate")}),
        charts.draw("gpu", "GPU use (%)", {"GPU": history.points("gpu_utilization")}),
    )
    return [chart for chart in drawn if chart is not None]


def costs(job: Job, standing: Standing | None) -> Money:
    """Money against ceiling; of a job on this machine, that it costs nothing."""
    if standing is None:
        return Money([dict(plan_words.lines(job.plan)).get("cost", "")], 0, 0, 0, ())
    requote = job.requote
    forecast = requote.usd if requote and not job.is_leaving else standing.quote
    whole = max(standing.ceiling, standing.spent, forecast) or 1
    words = [standing.money(), standing.quoted(), standing.bill(), standing.shortfall() or ""]
    name = "forecast" if requote else "by the plan"
    return Money(
        words=[text for text in words if text],
        spent=round(float(100 * standing.spent / whole), 2),
        forecast=round(float(100 * forecast / whole), 2),
        ceiling=round(float(100 * standing.ceiling / whole), 2),
        legend=(
            ("spent", "spent", money(standing.spent)),
            ("forecast", name, money(forecast)),
            ("ceiling", "ceiling", money(standing.ceiling)),
        ),
    )


def machine(standing: Standing | None, last_event: datetime | None) -> Sequence[str]:
    """What a rented machine does, in words; nothing of this one."""
    if standing is None or standing.job.is_finished:
        return []
    told = [standing.doing(), standing.hint(last_event) or ""]
    if standing.job.deadline:
        told.append(f"ends by {standing.job.deadline:%Y-%m-%d %H:%M} UTC, whatever happens")
    return [text for text in told if text]


def phases(
    job: Job, log: Sequence[LogEntry], history: History, now: datetime
) -> Sequence[timeline.Segment]:
    """Where its time went."""
    end = job.finished_at or now
    return timeline.segments(log, history.stages, end, is_finished=job.is_finished)


def events(log: Sequence[LogEntry], history: History) -> Sequence[Note]:
    """What happened, the newest first."""
    told = [Note(entry.time, entry.phase, entry.message) for entry in log]
    both = sorted([*told, *history.notes], key=lambda note: note.time, reverse=True)
    return both[:EVENTS_SHOWN]


def findings(job: Job) -> Sequence[Found]:
    """The data report's findings, equal ones together."""
    by_code: dict[str, list[Finding]] = {}
    for finding in job.plan.report.findings:
        by_code.setdefault(finding.code, []).append(finding)
    counts = job.plan.report.counts
    return [
        Found(
            severity=kind[0].severity.value,
            code=code,
            message=kind[0].message,
            advice=kind[0].advice,
            number=counts.get(code, len(kind)),
            lines=_lines([f.line for f in kind if f.line]),
        )
        for code, kind in by_code.items()
    ]


def _lines(places: Sequence[int]) -> str:
    shown = ", ".join(str(line) for line in places[:6])
    return f"{shown} ..." if len(places) > 6 else shown


def samples(artifact: Path) -> Sequence[Sample]:
    """Answers before and after, of a folder that may have none."""
    path = artifact / SAMPLES
    if not path.is_file() or path.stat().st_size > _SAMPLE_BYTES:
        return []
    try:
        return _SAMPLES.validate_python(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, ValidationError):
        return []


def receipt(desk: Desk, job: Job, *, whatever_size: bool = False) -> Checked | None:
    """The receipt of a completed job and whether it holds; None where there is none.

    Args:
        desk: The caller's.
        job: Of the caller.
        whatever_size: Compare every file, however long that takes.
    """
    try:
        signed = desk.receipt(job.id)
    except NotFoundError:
        return None
    except ArtifactError as error:
        return Checked(None, holds=False, words=[error.message])
    size = signed.receipt.artifact.get("size_bytes")
    if not whatever_size and not (isinstance(size, int) and size <= CHECKED_BYTES):
        return Checked(signed, None, ())
    try:
        return Checked(signed, holds=True, words=desk.service.verify_receipt(job.id))
    except ArtifactError as error:
        return Checked(signed, holds=False, words=[error.message])
