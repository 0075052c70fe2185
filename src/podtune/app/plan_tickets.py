"""Plans that programs may start: a token is given out for a plan, and buys that plan once.

`submit` takes the token and nothing else: which data, which spec, which ladder and which ceiling were fixed when it
was issued. That plan runs: its data is compared when it is prepared, prices and stock when a machine is ordered, as
for a plan that somebody agreed to at a terminal. Redeemed twice, or by several processes at once, it is one job. A
dear plan waits for a person (`approvals`). Plans nothing itself, and talks to no machine.
"""

import functools
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from podtune.app import ceilings, plan_token
from podtune.app.asked import Asked, Submitted
from podtune.app.installation import owner, signing_key
from podtune.app.reserving import MAX_BODY_BYTES
from podtune.app.submissions import Submissions
from podtune.app.ticket import (
    Ticket,
    TicketState,
    expired,
    needs,
    no_such_plan,
    refuse_closed,
    state_of,
)
from podtune.core.access import Principal, Scope
from podtune.core.clock import random_word
from podtune.core.errors import ConflictError, ForbiddenError, SpecError
from podtune.core.plan import Plan
from podtune.core.request import TrainingRequest
from podtune.planning.price import money
from podtune.workflow import plan_tickets as rows
from podtune.workflow.plan_tickets import PlanTicket

KIND: Final = "plans"
"""Of what comes by `/v1/plans`; other faces say their own."""

UNASKED_FOR: Final = timedelta(hours=24)
"""Over so long a time the limit counts what was started without a person's word. Chosen: a day."""

WAITS: Final = 4
"""So many times as long a token is good where a person has to agree first. Chosen: an hour with the default."""


class PlanTickets:
    """The tokens of one home. Safe to use from several threads and processes."""

    def __init__(self, submissions: Submissions) -> None:
        """On what takes and prepares submissions."""
        self._submissions = submissions
        self._service = submissions.service
        self._settings = submissions.service.settings

    def issue(
        self, plan: Plan, request: TrainingRequest, principal: Principal, *, kind: str = KIND
    ) -> Ticket:
        """A token for a plan that the desk made for this caller.

        Args:
            plan: As it is shown.
            request: What it was made from; the plan's ceiling is put into it.
            principal: Who may redeem it, and nobody else.
            kind: Of the face that asks: small letters and `_`.

        Raises:
            ForbiddenError: code `scope_missing`.
            SpecError: the request is out of bounds.
        """
        _may(principal, Scope.PLAN)
        store, home = self._service.store(), self._settings.home
        ceiling = plan.price.max_usd if plan.price else None
        now = store.clock()
        with store.reading() as connection:
            reasons = needs(plan, self._settings, self._unasked(connection, principal.tenant, now))
        lasts = timedelta(minutes=self._settings.plan_token_minutes) * (WAITS if reasons else 1)
        row = PlanTicket(
            id=random_word(plan_token.ID_LENGTH),
            owner=owner(home),
            tenant=principal.tenant,
            key_id=principal.key_id,
            asked_by=principal.name,
            kind=kind,
            data_digest=plan_token.data_digest(plan),
            spec_digest=plan_token.spec_digest(plan),
            plan_digest=plan.digest,
            ceiling_usd=ceiling,
            body=_bounded(ceilings.capped(request, ceiling)),
            plan=plan.model_dump_json(),
            approval=rows.WAITING if reasons else rows.FREE,
            decided_at=None,
            decided_by=None,
            created_at=now,
            expires_at=now + lasts,
            used_at=None,
            job=None,
        )
        with store.transaction() as connection:
            rows.blank_ended(connection, now)
            rows.add(connection, row)
        token = plan_token.token_of(row, signing_key(home))
        return Ticket(token, row.id, row.plan_digest, ceiling, row.expires_at, reasons)

    def submit(
        self, token: str, principal: Principal, *, wait_s: float = 20.0, is_answer: bool = True
    ) -> Submitted:
        """Start the plan that a token was given out for, once; whoever asks again is told of the same job.

        Args:
            token: As issued, to this very caller.
            principal: Who asks.
            wait_s: Longest wait for its preparation.
            is_answer: As of `Desk.submit`.

        Raises:
            ForbiddenError: `bad_plan_token`: unknown, altered, or another's; `approval_needed`, with the approval's
                id; `approval_refused`; `unasked_limit`: other plans used up meanwhile what may be spent without a
                person's word; and as `Desk.submit`.
            ConflictError: code `plan_expired`.
            PodtuneError: it was refused in that time, or before: `data_changed`, for one.
        """
        _may(principal, Scope.PLAN)
        row = self._opened(token, principal)
        if row.job is not None:
            return self._submissions.again(row.job, is_answer=is_answer)
        refuse_closed(row, self._now())
        try:
            request = TrainingRequest.model_validate_json(row.body or "")
            plan = Plan.model_validate_json(row.plan or "")
        except ValueError:
            raise _bad_token() from None
        asked = Asked(
            request=request,
            kind=row.kind,
            name=row.id,
            digest=row.plan_digest,
            note={"plan": row.plan_digest},
            plan_digest=row.plan_digest,
            plan=plan,
        )
        take = functools.partial(self._take, row)
        try:
            return self._submissions.submit(
                principal, asked, wait_s, is_answer=is_answer, within=take
            )
        except _TakenError:
            row = self._opened(token, principal)
        if row.job is not None:
            return self._submissions.again(row.job, is_answer=is_answer)
        refuse_closed(row, self._now())
        raise expired(row)

    def find(self, ticket_id: str, principal: Principal) -> PlanTicket:
        """A plan of the caller's, by its exact id.

        Raises:
            NotFoundError: code `no_such_plan`: there is none, or it is another's.
        """
        row = self._row(ticket_id) if ticket_id.isascii() and ticket_id.isalnum() else None
        if row is None or (principal.tenant is not None and principal.tenant != row.tenant):
            raise no_such_plan(ticket_id)
        return row

    def state(self, row: PlanTicket) -> TicketState:
        """What may be done with a row's token now."""
        return state_of(row, self._now())

    def _now(self) -> datetime:
        return self._service.store().clock()

    def _row(self, ticket_id: str) -> PlanTicket | None:
        with self._service.store().reading() as connection:
            return rows.find(connection, ticket_id)

    def _opened(self, token: str, principal: Principal) -> PlanTicket:
        """The row that a token stands for, where it was given to this caller.

        Raises:
            ForbiddenError: code `bad_plan_token`; the words are the same whatever is wrong with it.
        """
        ticket_id = plan_token.id_in(token)
        row = None if ticket_id is None else self._row(ticket_id)
        if row is None or not plan_token.fits(token, row, signing_key(self._settings.home)):
            raise _bad_token()
        if (row.tenant, row.key_id) != (principal.tenant, principal.key_id):
            raise _bad_token()
        return row

    def _take(self, row: PlanTicket, connection: Any, job: str) -> None:
        now = self._now()
        if row.approval == rows.FREE and row.ceiling_usd is not None:
            # Two at once would each find the limit kept.
            rows.lock_unasked(connection, row.owner, row.tenant)
            spent = self._unasked(connection, row.tenant, now)
            if spent + row.ceiling_usd > self._settings.approve_above_usd:
                raise ForbiddenError(
                    f"started without a person's word within a day: plans of {money(spent)}; with this one it "
                    f"would be more than {money(self._settings.approve_above_usd)}",
                    code="unasked_limit",
                    hint="plan again: the new plan waits for a person to agree",
                )
        if not rows.use(connection, row.id, job, now):
            raise _TakenError("the token is not free any more")

    def _unasked(self, connection: Any, tenant: str | None, now: datetime) -> Decimal:
        return rows.unasked(connection, owner(self._settings.home), tenant, now - UNASKED_FOR)


class _TakenError(ConflictError):
    """Somebody used, refused or outlived it at this moment."""


def _bad_token() -> ForbiddenError:
    return ForbiddenError(
        "the plan token is not valid: it is unknown, was altered, or was given to somebody else",
        code="bad_plan_token",
        hint="submit the token exactly as the plan gave it, with the same key; or plan again",
    )


def _may(principal: Principal, scope: Scope) -> None:
    if not principal.may(scope):
        raise ForbiddenError(
            f"the key {principal.name!r} has no scope {scope.value!r}",
            code="scope_missing",
            hint=f"podtune keys create NAME --scope {scope.value}",
        )


def _bounded(request: TrainingRequest) -> str:
    text = request.model_dump_json()
    if len(text.encode()) > MAX_BODY_BYTES:
        raise SpecError("the request is over 1 MB", code="bad_request_body")
    return text
