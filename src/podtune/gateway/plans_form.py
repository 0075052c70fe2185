"""What `/v1/plans` answers: a plan with its token or the questions that are open, and how a plan stands."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict

from podtune.app import plan_words
from podtune.app.plan_offers import SOURCES, Offered
from podtune.app.ticket import Ticket, TicketState
from podtune.core.plan import FieldNote, Plan
from podtune.intake.understand import Question
from podtune.workflow.plan_tickets import FREE, PlanTicket


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True)


class PlanLine(_Answer):
    """A line of the plan in words."""

    about: str
    words: str


class PlanSummary(_Answer):
    """What will happen."""

    digest: str
    """sha256 of the plan: what is agreed on."""
    base_model: str
    where: str
    lines: tuple[PlanLine, ...]
    warnings: tuple[str, ...]


class PlanField(_Answer):
    """A field of the spec, and how it came to its value."""

    path: str
    value: Any
    origin: str
    """`stated` or `assumed`."""
    why: str
    quote: str | None = None
    """The words of the request that state it."""


class PlanPrice(_Answer):
    """What it costs on rented machines, in dollars and hours."""

    usd_p50: float
    usd_p90: float
    max_usd: float
    """The ceiling: it never costs more."""
    hours_p50: float
    hours_p90: float
    machine: str
    """The one that is tried first."""
    machines: int
    """How many are tried, one after the other."""


class PlanApproval(_Answer):
    """Whether a person has to agree first."""

    id: str
    needed: bool
    reasons: tuple[str, ...] = ()
    next: str
    """What to do now."""


class PlanAnswer(_Answer):
    """A plan with its token, or the questions that are open."""

    intent: str
    """`train`, or `estimate`: then there is no token."""
    plan: PlanSummary | None = None
    fields: tuple[PlanField, ...] = ()
    questions: tuple[Question, ...] = ()
    """What was not said. Those that `must` be answered leave no token; answer them under their `field`."""
    told: tuple[str, ...] = ()
    """What was asked for and cannot be done."""
    price: PlanPrice | None = None
    """Null on the gateway's own machine: it costs nothing."""
    token: str | None = None
    """Starts this plan once: `POST /v1/plans/submit`. Null while a question must be answered."""
    expires_at: datetime | None = None
    approval: PlanApproval | None = None


class PlanState(_Answer):
    """How a plan stands that a token was given out for."""

    approval_id: str
    state: TicketState
    digest: str
    ceiling_usd: float | None = None
    needs_approval: bool
    created_at: datetime
    expires_at: datetime
    decided_at: datetime | None = None
    external_job_id: str | None = None
    """What came of it, once it was submitted."""


def answer(offered: Offered) -> PlanAnswer:
    """What came of a wish, as it is told."""
    plan, ticket = offered.plan, offered.ticket
    return PlanAnswer(
        intent=offered.intent,
        plan=None if plan is None else _summary(plan),
        fields=() if plan is None else _fields(plan, offered.uploads),
        questions=offered.questions,
        told=offered.told,
        price=None if plan is None else _price(plan),
        token=None if ticket is None else ticket.token.get_secret_value(),
        expires_at=None if ticket is None else ticket.expires_at,
        approval=None if ticket is None else _approval(ticket),
    )


def state(row: PlanTicket, found: TicketState) -> PlanState:
    """How a plan stands, as it is told."""
    return PlanState(
        approval_id=row.id,
        state=found,
        digest=row.plan_digest,
        ceiling_usd=None if row.ceiling_usd is None else float(row.ceiling_usd),
        needs_approval=row.approval != FREE,
        created_at=row.created_at,
        expires_at=row.expires_at,
        decided_at=row.decided_at,
        external_job_id=row.job,
    )


def _summary(plan: Plan) -> PlanSummary:
    return PlanSummary(
        digest=plan.digest,
        base_model=plan.base_model.name,
        where=str(plan.spec.where.on),
        lines=tuple(PlanLine(about=about, words=words) for about, words in plan_words.lines(plan)),
        warnings=plan.warnings,
    )


def _fields(plan: Plan, uploads: Mapping[str, str]) -> tuple[PlanField, ...]:
    notes = plan_words.told_fields(plan.fields, all_fields=True)
    return tuple(_field(note, uploads) for note in notes)


def _field(note: FieldNote, uploads: Mapping[str, str]) -> PlanField:
    value = note.model_dump(mode="json")["value"]
    if note.path in SOURCES:
        value = uploads.get(str(value), value)
    return PlanField(
        path=note.path, value=value, origin=note.origin, why=note.why, quote=note.quote
    )


def _price(plan: Plan) -> PlanPrice | None:
    price = plan.price
    if price is None:
        return None
    first = price.first
    return PlanPrice(
        usd_p50=float(first.usd_p50),
        usd_p90=float(first.usd_p90),
        max_usd=float(price.max_usd),
        hours_p50=first.hours_p50,
        hours_p90=first.hours_p90,
        machine=f"{plan_words.offer_count(first.offer)}{first.offer.name}",
        machines=len(price.ladder),
    )


def _approval(ticket: Ticket) -> PlanApproval:
    now = 'POST /v1/plans/submit {"token": ...}'
    if ticket.needs_approval:
        now = (
            f"ask a person to run `podtune approve {ticket.approval_id}`, or to open "
            f"/approvals/{ticket.approval_id} on the dashboard; then {now}"
        )
    return PlanApproval(
        id=ticket.approval_id, needed=ticket.needs_approval, reasons=ticket.reasons, next=now
    )
