"""`/v1/plans`: an agent asks for a plan with its price, and starts it with the token that comes with it."""

import functools
from collections.abc import Callable
from typing import Final

from anyio import Event, move_on_after, to_thread
from fastapi import APIRouter, Depends, Request

from podtune.app.asked import SubmissionState, Submitted
from podtune.app.plan_offers import Offers
from podtune.app.plan_tickets import PlanTickets
from podtune.gateway import limits, plans_body, plans_form, training_form
from podtune.gateway.bodies import JsonBody
from podtune.gateway.callers import Planner, submit_counted
from podtune.gateway.errors import responses
from podtune.gateway.openai.parts import hosted_of
from podtune.gateway.parts import parts_of
from podtune.gateway.plans_body import PlanForm, TokenForm
from podtune.gateway.plans_form import PlanAnswer, PlanState
from podtune.gateway.training_form import JobSummary

router = APIRouter(prefix="/v1/plans", tags=["plans"])

WAIT_S: Final = 20.0
"""How long a submit waits for its preparation, as `/training/submit` does."""
LOOK_S: Final = 0.25
_PLANNING: Final = limits.Pool("podtune.gateway.plans", 16)
"""Plans that are made or wait for their turn, in threads of their own. Chosen."""


@router.post(
    "",
    dependencies=[Depends(submit_counted)],
    responses=responses(400, 404, 409, 502),
    openapi_extra=plans_body.schema_of(PlanForm, plans_body.EXAMPLE),
    response_model=PlanAnswer,
)
async def plan(request: Request, desk: Planner, body: JsonBody) -> PlanAnswer:
    """A plan of what is wished for, with every choice, its price, and a token that starts it once.

    Nothing is rented, and nothing starts. What was not said and cannot be assumed stands in `questions`: ask the
    person, and send the same body again with `answers`. `data.source` is an address, or the id of a file that was
    uploaded to `/v1/files`. A ceiling can be lowered here and never raised.
    """
    wish = plans_body.wish_of(body)
    hosted = hosted_of(request)
    find = functools.partial(hosted.files.path, desk.principal.tenant)
    offers = Offers(desk, PlanTickets(parts_of(request).submissions), find)
    offered = await to_thread.run_sync(offers.offer, wish, limiter=_PLANNING.limiter)
    return plans_form.answer(offered)


@router.post(
    "/submit",
    dependencies=[Depends(submit_counted)],
    responses=responses(400, 404, 409, 502),
    openapi_extra=plans_body.schema_of(TokenForm, plans_body.TOKEN_EXAMPLE),
    response_model=JobSummary,
)
async def submit(request: Request, desk: Planner, body: JsonBody) -> JobSummary:
    """Start the plan that a token was given out for. Sent again it is the same job.

    403 `approval_needed` says that a person has to agree first, and how; the same token works then.
    """
    parts = parts_of(request)
    tickets, token = PlanTickets(parts.submissions), plans_body.token_of(body)
    look = functools.partial(tickets.submit, token, desk.principal)
    found = await _settled(look, parts.closing)
    request.state.job_id = found.id
    return training_form.summary(found)


@router.get("/{approval_id}", responses=responses(404))
def state(request: Request, approval_id: str, desk: Planner) -> PlanState:
    """How a plan stands: whether a person agreed, and what came of it."""
    tickets = PlanTickets(parts_of(request).submissions)
    row = tickets.find(approval_id, desk.principal)
    return plans_form.state(row, tickets.state(row))


async def _settled(submit: Callable[..., Submitted], closing: Event) -> Submitted:
    """What became of a token within `WAIT_S`; between two looks no thread is held."""
    limiter = limits.WAITING.limiter

    async def look(wait_s: float, *, is_answer: bool = False) -> Submitted:
        work = functools.partial(submit, wait_s=wait_s, is_answer=is_answer)
        return await to_thread.run_sync(work, limiter=limiter)

    found, left_s = await look(LOOK_S), WAIT_S
    while found.state is SubmissionState.PREPARING and left_s > 0 and not closing.is_set():
        with move_on_after(LOOK_S):
            await closing.wait()
        left_s -= LOOK_S
        found = await look(0)
    return await look(0, is_answer=True) if found.state is SubmissionState.PREPARING else found
