"""What a token of a plan stands for: what may be done with it, and when a person has to agree first.

Decides nothing about keys, and writes nothing.
"""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from pydantic import SecretStr

from podtune.app.settings import Settings
from podtune.core.errors import ConflictError, ForbiddenError, NotFoundError
from podtune.core.plan import Origin, Plan
from podtune.planning.price import money
from podtune.workflow import plan_tickets as rows
from podtune.workflow.plan_tickets import PlanTicket


class TicketState(StrEnum):
    """What may be done with a token."""

    READY = "ready"
    """It may be submitted."""
    APPROVAL_NEEDED = "approval_needed"
    """A person has to agree first."""
    REFUSED = "refused"
    """A person did not agree."""
    USED = "used"
    """It became a job, or was refused as one."""
    EXPIRED = "expired"


class Ticket(NamedTuple):
    """What a caller gets for a plan."""

    token: SecretStr
    approval_id: str
    """Of the plan and of its approval; opens nothing."""
    digest: str
    """Of the plan."""
    ceiling_usd: Decimal | None
    """None where nothing is rented."""
    expires_at: datetime
    """Aware."""
    reasons: tuple[str, ...]
    """Why a person has to agree first, in words; empty where nobody has to."""

    @property
    def needs_approval(self) -> bool:
        """Whether a person has to agree first."""
        return bool(self.reasons)


def needs(plan: Plan, settings: Settings, spent: Decimal = Decimal(0)) -> tuple[str, ...]:
    """Why a person has to agree to a plan that a program asks for, in words; nothing where nobody has to.

    Args:
        plan: As it is shown.
        settings: With the limit.
        spent: Dollars that other plans of the last day may cost which nobody agreed to.
    """
    words: list[str] = []
    above = settings.approve_above_usd
    if plan.price is not None and plan.price.max_usd + spent > above:
        before = f" besides the {money(spent)} of the last 24 hours" if spent else ""
        words.append(
            f"it may cost {money(plan.price.max_usd)}{before}, and agents may spend {money(above)} a day unasked"
        )
    if plan.spec.deliver.public:
        words.append(f"its adapter would be public: {plan.spec.deliver.to}")
    image = plan.note("where.image")
    if plan.price is not None and image is not None and image.origin is Origin.STATED:
        words.append(f"the rows would be handed to an image that was named: {image.value}")
    return tuple(words)


def state_of(row: PlanTicket, now: datetime) -> TicketState:
    """What may be done with a row's token at a moment."""
    if row.used_at is not None:
        return TicketState.USED
    if row.approval == rows.REFUSED:
        return TicketState.REFUSED
    if now >= row.expires_at:
        return TicketState.EXPIRED
    return TicketState.APPROVAL_NEEDED if row.approval == rows.WAITING else TicketState.READY


def refuse_closed(row: PlanTicket, now: datetime) -> None:
    """Raise where a token may not be submitted now.

    Raises:
        ForbiddenError: `approval_needed`, with the approval's id; `approval_refused`.
        ConflictError: code `plan_expired`.
    """
    match state_of(row, now):
        case TicketState.EXPIRED:
            raise expired(row)
        case TicketState.REFUSED:
            raise ForbiddenError(
                f"{row.decided_by} did not agree to this plan",
                code="approval_refused",
                hint="ask what to change, and plan again",
                context={"approval_id": row.id},
            )
        case TicketState.APPROVAL_NEEDED:
            raise ForbiddenError(
                f"plan {row.id} waits for a person to agree{_for(row)}",
                code="approval_needed",
                hint=f"ask a person to run `podtune approve {row.id}`, or to open /approvals/{row.id} on the "
                "dashboard; then submit the same token",
                context={
                    "approval_id": row.id,
                    "ceiling_usd": None if row.ceiling_usd is None else float(row.ceiling_usd),
                    "expires_at": row.expires_at.isoformat(),
                },
            )
        case _:
            return


def no_such_plan(ticket_id: str) -> NotFoundError:
    """The error of an id that names no plan of the caller's."""
    return NotFoundError(
        f"no plan {ticket_id[:40]!r}",
        code="no_such_plan",
        hint="`podtune approve` lists what waits",
    )


def expired(row: PlanTicket) -> ConflictError:
    """The error of a token whose time is over."""
    return ConflictError(
        f"the plan's token was good until {row.expires_at:%Y-%m-%d %H:%M} UTC",
        code="plan_expired",
        hint="plan again: prices and data are looked at anew",
        context={"approval_id": row.id},
    )


def _for(row: PlanTicket) -> str:
    return "" if row.ceiling_usd is None else f" to at most {money(row.ceiling_usd)}"
