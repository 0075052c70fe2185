"""The pages on which a person agrees to a plan that an agent asks for, or refuses it."""

from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse

from podtune.app import plan_words
from podtune.app.approvals import Approvals
from podtune.app.ticket import TicketState
from podtune.gateway.callers import Approver
from podtune.gateway.dashboard import asking_routes, pages
from podtune.gateway.parts import parts_of
from podtune.workflow.plan_tickets import PlanTicket

router: Final = APIRouter(include_in_schema=False)

_WORDS: Final = {
    TicketState.READY: "Whoever asked may start it now.",
    TicketState.USED: "It was started.",
    TicketState.EXPIRED: "It was not decided, or not used, in time.",
    TicketState.REFUSED: "It was refused.",
    TicketState.APPROVAL_NEEDED: "Its own key cannot agree to it.",
}


@router.get("/approvals")
def waiting(request: Request, who: Approver) -> Response:
    """What waits for this person, and what was decided lately."""
    approvals = _approvals(request)
    return pages.page(
        request,
        "approvals.html.jinja",
        waiting=approvals.waiting(who),
        decided=approvals.decided(who),
    )


@router.get("/approvals/{approval_id}")
def show(request: Request, approval_id: str, who: Approver) -> Response:
    """A plan whole, and what agrees to it."""
    approvals = _approvals(request)
    row = approvals.find(approval_id, who)
    state = approvals.state(row)
    plan = None if row.plan is None else approvals.plan(row)
    source = "" if plan is None else plan_words.shown_value(plan.spec.data.source)
    values: dict[str, Any] = (
        {"plan": None} if plan is None else asking_routes.values_of(plan, source)
    )
    is_own = who.key_id is not None and who.key_id == row.key_id
    return pages.page(
        request,
        "approval.html.jinja",
        row=row,
        is_open=state is TicketState.APPROVAL_NEEDED and not is_own,
        words=_words(row, state),
        **values,
    )


@router.post("/approvals/{approval_id}")
def decide(
    request: Request,
    approval_id: str,
    who: Approver,
    digest: Annotated[str, Form(max_length=64)],
    word: Annotated[Literal["agree", "refuse"], Form()],
) -> Response:
    """Agree to the plan that was shown, or refuse it."""
    row = _approvals(request).decide(
        approval_id, who, digest, agreed=word == "agree", by="dashboard"
    )
    return RedirectResponse(f"/approvals/{row.id}", status_code=303)


def _approvals(request: Request) -> Approvals:
    parts = parts_of(request)
    return Approvals(parts.service.store(), parts.settings)


def _words(row: PlanTicket, state: TicketState) -> str:
    by = f" {row.approval.capitalize()} by {row.decided_by}." if row.decided_by else ""
    return f"{_WORDS[state]}{by}"
