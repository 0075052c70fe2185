"""Dear plans that programs ask for wait here for a person: listed, shown, agreed to or not.

Who decides needs the scope `approve`, and is never the key that asked. What is agreed to is the plan of a digest; each
decision stands in the row and in the home's `approvals.log`.
"""

import json
import logging
import os
from collections.abc import Sequence
from typing import Final

from pydantic import ValidationError

from podtune.app.settings import Settings
from podtune.app.ticket import TicketState, no_such_plan, state_of
from podtune.core.access import Principal, Scope
from podtune.core.errors import ConflictError, ForbiddenError, NotFoundError, StateError
from podtune.core.plan import Plan
from podtune.workflow import plan_tickets as rows
from podtune.workflow.plan_tickets import PlanTicket
from podtune.workflow.store import JobStore

log = logging.getLogger(__name__)

AUDIT_FILE: Final = "approvals.log"
LEAST_LETTERS: Final = 8
"""Of a digest, to name the plan that is meant. Chosen: what people compare, and no two plans share."""
DECIDED_SHOWN: Final = 20


class Approvals:
    """What waits on one job store. Safe to use from several threads."""

    def __init__(self, store: JobStore, settings: Settings) -> None:
        """`settings` say where decisions are noted."""
        self._store, self._settings = store, settings

    def waiting(self, principal: Principal) -> Sequence[PlanTicket]:
        """What this caller may decide and nobody has yet, the oldest first.

        Raises:
            ForbiddenError: code `scope_missing`.
        """
        _may(principal)
        with self._store.reading() as connection:
            found = rows.waiting(connection, principal.tenant, self._store.clock())
        return [row for row in found if not _is_own(row, principal)]

    def decided(self, principal: Principal) -> Sequence[PlanTicket]:
        """What was decided lately, the newest first.

        Raises:
            ForbiddenError: code `scope_missing`.
        """
        _may(principal)
        with self._store.reading() as connection:
            return rows.decided(connection, principal.tenant, DECIDED_SHOWN)

    def find(self, approval_id: str, principal: Principal) -> PlanTicket:
        """A plan by its id.

        Raises:
            ForbiddenError: code `scope_missing`.
            NotFoundError: code `no_such_plan`: there is none that this caller may see.
        """
        _may(principal)
        row = None
        if approval_id.isascii() and approval_id.isalnum():
            with self._store.reading() as connection:
                row = rows.find(connection, approval_id)
        if row is None or (principal.tenant is not None and principal.tenant != row.tenant):
            raise no_such_plan(approval_id)
        return row

    def state(self, row: PlanTicket) -> TicketState:
        """How a plan stands now."""
        return state_of(row, self._store.clock())

    def plan(self, row: PlanTicket) -> Plan:
        """The plan that is decided on: the one that the token binds, or none.

        Raises:
            NotFoundError: code `plan_gone`: it was used, refused, or has ended.
            StateError: what is stored is another plan.
        """
        if row.plan is None:
            raise NotFoundError(
                f"plan {row.id} is not kept any more: it is {self.state(row)}", code="plan_gone"
            )
        try:
            plan = Plan.model_validate_json(row.plan)
        except ValidationError:
            plan = None
        if plan is None or plan.digest != row.plan_digest:
            raise StateError(
                f"what is stored of plan {row.id} is not what was planned",
                code="plan_altered",
                hint="refuse it, and have it planned again",
            )
        return plan

    def decide(
        self, approval_id: str, principal: Principal, digest: str, *, agreed: bool, by: str
    ) -> PlanTicket:
        """Note a person's word; the row as it stands then.

        Args:
            approval_id: Of the plan.
            principal: Who decides.
            digest: Of the plan that was shown, or its first letters, 8 at least.
            agreed: Whether it may start.
            by: Through which face, in a word.

        Raises:
            ForbiddenError: `scope_missing`; `own_approval`: the key that asked may not agree.
            NotFoundError: as `find`.
            ConflictError: `plan_changed`: another plan was shown; `already_decided`; `plan_expired`.
            StateError: as `plan`.
        """
        row = self.find(approval_id, principal)
        if _is_own(row, principal):
            raise ForbiddenError(
                "the key that asks for a plan cannot agree to it",
                code="own_approval",
                hint="a person does, with another key or at the machine: podtune approve",
            )
        if len(digest) < LEAST_LETTERS or not row.plan_digest.startswith(digest):
            raise ConflictError(
                f"{digest[:12]!r} is not the digest of plan {row.id}",
                code="plan_changed",
                hint=f"look at it again: podtune approve {row.id}",
            )
        self._refuse_closed(row)
        if agreed:
            self.plan(row)
        who = f"{principal.name}{f' (key {principal.key_id})' if principal.key_id else ''}, {by}"
        now, word = self._store.clock(), rows.APPROVED if agreed else rows.REFUSED
        with self._store.transaction(on_disk=True) as connection:
            done = rows.decide(connection, row.id, word, who, now)
            found = rows.find(connection, row.id) or row
        if not done:
            self._refuse_closed(found)
            raise ConflictError(f"plan {row.id} was decided already", code="already_decided")
        self._note(found)
        return found

    def _refuse_closed(self, row: PlanTicket) -> None:
        state = self.state(row)
        if state is TicketState.EXPIRED:
            raise ConflictError(
                f"plan {row.id} could be agreed to until {row.expires_at:%Y-%m-%d %H:%M} UTC",
                code="plan_expired",
                hint="have it planned again",
            )
        if state is not TicketState.APPROVAL_NEEDED:
            by = f" by {row.decided_by}" if row.decided_by else ""
            raise ConflictError(f"plan {row.id} is {state} already{by}", code="already_decided")

    def _note(self, row: PlanTicket) -> None:
        """Write a decision where the operator looks for it."""
        entry = {
            "time": row.decided_at.isoformat() if row.decided_at else None,
            "plan": row.id,
            "decision": row.approval,
            "by": row.decided_by,
            "asked_by": row.asked_by,
            "tenant": row.tenant,
            "key_id": row.key_id,
            "ceiling_usd": None if row.ceiling_usd is None else float(row.ceiling_usd),
            "digest": row.plan_digest,
        }
        log.info(
            "plan %s (digest %s) of %s was %s by %s",
            row.id,
            row.plan_digest[:12],
            row.asked_by,
            row.approval,
            row.decided_by,
        )
        path = self._settings.home / AUDIT_FILE
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            with os.fdopen(descriptor, "a", encoding="utf-8") as stream:
                stream.write(json.dumps(entry) + "\n")
        except OSError as error:  # the row has it; the decision stands
            log.warning("%s cannot be written: %s", AUDIT_FILE, error.strerror)


def _is_own(row: PlanTicket, principal: Principal) -> bool:
    return principal.key_id is not None and principal.key_id == row.key_id


def _may(principal: Principal) -> None:
    if not principal.may(Scope.APPROVE):
        raise ForbiddenError(
            f"the key {principal.name!r} may not approve",
            code="scope_missing",
            hint="podtune keys create NAME --scope approve, for a person",
        )
