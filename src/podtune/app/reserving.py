"""What is asked gets its id: found again under its name, or written down with its ceiling set aside.

Idempotency and budgets are decided here, each in one transaction. Knows nothing of how it is prepared.
"""

import json
import re
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final

from pydantic import BaseModel, ConfigDict
from sqlalchemy.exc import IntegrityError

from podtune.app import ceilings
from podtune.app.asked import Asked
from podtune.app.ceilings import Ceiling
from podtune.app.installation import owner
from podtune.app.service import Service, new_id
from podtune.core.access import Principal
from podtune.core.errors import ConflictError, ForbiddenError, SpecError
from podtune.core.plan import Plan
from podtune.core.request import TrainingRequest
from podtune.workflow import keys
from podtune.workflow import submissions as rows
from podtune.workflow.columns import micros
from podtune.workflow.submissions import Submission

CLAIM_S: Final = 60.0
"""How long a preparer counts as alive without a sign. Chosen: four signs may fail."""

REFUSED_KEPT: Final = timedelta(minutes=1)
"""How long the same request under the same name is told the same refusal, without being prepared again. After
that, and at once with another body, it is a new one: a data set's address may have expired. Chosen."""

MAX_NOTE_BYTES: Final = 64 * 1024
MAX_NAME: Final = 200
MAX_BODY_BYTES: Final = 1024 * 1024
"""Of what is stated; a spec has some 5 kB."""

_DIGEST: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
_KIND: Final = re.compile(r"[a-z_]{1,20}", re.ASCII)


Taking = Callable[[Any, str], None]
"""Called with the connection and the id, in the transaction that reserves it."""


class Body(BaseModel):
    """What is kept of a request until it is prepared. It may hold a signed address."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    request: TrainingRequest
    plan_digest: str | None
    plan: Plan | None = None


class Reserving:
    """Gives ids away on one home. Safe to use from several threads."""

    def __init__(self, service: Service, holder: str) -> None:
        """`holder` will prepare what is reserved."""
        self._service, self._holder = service, holder
        self._settings = service.settings

    def reserve(
        self, principal: Principal, asked: Asked, within: Taking | None = None
    ) -> tuple[Submission, bool]:
        """The row of what was asked, and whether it is new.

        Args:
            principal: Who asks.
            asked: The request.
            within: Called last in the transaction that adds a new row; what it raises undoes it.

        Raises:
            ConflictError: code `idempotency_conflict`: the name stands for another request.
            ForbiddenError: `ceiling_needed`, `key_budget`, `operator_only`.
            SpecError: it is out of bounds.
        """
        _refuse_odd(asked)
        known = self._known(principal, asked)
        if known is not None:
            return known, False
        ceilings.refuse_reach(asked.request, self._settings, principal)
        ceiling = ceilings.ceiling_of(asked.request, self._settings, principal)
        try:
            return self._added(principal, asked, ceiling, within), True
        except (IntegrityError, ForbiddenError) as error:
            known = self._known(
                principal, asked
            )  # of who was quicker by a moment, and took the budget
            if known is not None:
                return known, False
            if isinstance(error, ForbiddenError):
                raise
        raise ConflictError("it is asked for at the same moment; ask again")

    def _known(self, principal: Principal, asked: Asked) -> Submission | None:
        """What stands for a name already; a refusal that is not told any more gives it up."""
        if asked.name is None:
            return None
        store = self._service.store()
        with store.reading() as connection:
            row = rows.named(connection, principal.tenant, asked.kind, asked.name)
        if row is None:
            return None
        if row.state == rows.REFUSED:
            kept = row.settled_at is not None and store.clock() - row.settled_at < REFUSED_KEPT
            if kept and row.digest == asked.digest:
                return row
            with store.transaction() as connection:
                rows.unname(connection, row.id)
            return None
        if row.digest != asked.digest:
            raise ConflictError(
                f"{asked.name!r} stands for another request already",
                code="idempotency_conflict",
                hint="send the same body again, or another id",
                context={"id": row.id},
            )
        return row

    def _added(
        self,
        principal: Principal,
        asked: Asked,
        ceiling: Ceiling | None,
        within: Taking | None = None,
    ) -> Submission:
        """A new row, its ceiling set aside in the key's budget in the same transaction."""
        store = self._service.store()
        now = store.clock()
        with store.transaction(on_disk=True) as connection:
            usd = self._set_aside(connection, principal, ceiling)
            body = Body(
                request=ceilings.capped(asked.request, usd),
                plan_digest=asked.plan_digest,
                plan=asked.plan,
            )
            row = Submission(
                id=new_id(str(asked.request.stated.get("data.source", "")), letters=8),
                owner=owner(self._settings.home),
                tenant=principal.tenant,
                key_id=principal.key_id,
                kind=asked.kind,
                name=asked.name,
                digest=asked.digest,
                note=as_json(dict(asked.note)),
                body=_bounded(body),
                state=rows.PREPARING,
                error=None,
                ceiling_usd=usd,
                created_at=now,
                begun_at=None,
                settled_at=None,
            )
            rows.add(connection, row, self._holder, CLAIM_S, micros(now))
            if within is not None:
                within(connection, row.id)
        return row

    def allowed(self, principal: Principal, ceiling: Ceiling | None) -> Decimal | None:
        """The ceiling that a caller's budget allows at this moment; nothing is set aside.

        Raises:
            ForbiddenError: code `key_budget`.
        """
        with self._service.store().transaction() as connection:
            return self._set_aside(connection, principal, ceiling)

    def _set_aside(
        self, connection: Any, principal: Principal, ceiling: Ceiling | None
    ) -> Decimal | None:
        """The ceiling that the caller's budget allows, nobody else reckoning with it until the transaction ends."""
        if ceiling is None:
            return None
        if principal.key_id is None or principal.budget_usd is None:
            return ceiling.usd
        keys.lock(connection, principal.key_id)
        taken = rows.taken(connection, principal.key_id, self._service.store().clock())
        return ceilings.within_budget(ceiling, principal.budget_usd, taken)

    def may_resume(self, row: Submission) -> Callable[[Any], None]:
        """What a job of a key with a budget has to pass in the transaction that reopens it."""

        def within(connection: Any) -> None:
            if row.key_id is None or row.ceiling_usd is None:
                return
            keys.lock(connection, row.key_id)
            found = keys.find(connection, row.key_id)
            if found is None or found.key.budget_usd is None:
                return
            taken = rows.taken(connection, row.key_id, self._service.store().clock(), row.id)
            ceiling = Ceiling(row.ceiling_usd, is_stated=True)
            ceilings.within_budget(ceiling, found.key.budget_usd, taken)

        return within


def _refuse_odd(asked: Asked) -> None:
    """Raise where what a face hands over is out of bounds.

    Raises:
        SpecError: it is.
    """
    if asked.name is not None and not 0 < len(asked.name) <= MAX_NAME:
        raise SpecError(f"an id or Idempotency-Key has 1 to {MAX_NAME} characters", code="bad_name")
    if (
        not _DIGEST.fullmatch(asked.digest)
        or not _KIND.fullmatch(asked.kind)
        or asked.kind == rows.NOBODYS
    ):
        raise SpecError("the request's digest or kind is none", code="bad_request_body")
    if len(as_json(dict(asked.note))) > MAX_NOTE_BYTES:
        raise SpecError(
            f"what is to be remembered with the job is over {MAX_NOTE_BYTES // 1024} kB",
            code="note_too_large",
            hint="shorten the metadata",
        )


def _bounded(body: Body) -> str:
    try:
        text = body.model_dump_json()
    except ValueError:
        text = None
    if text is None:  # outside: the serialiser's words would bring values along
        raise SpecError("the request holds what is no text", code="bad_request_body")
    if len(text.encode()) > MAX_BODY_BYTES:
        raise SpecError("the request is over 1 MB", code="bad_request_body")
    return text


def as_json(value: object) -> str:
    """A value as it stands in a column."""
    return json.dumps(value, separators=(",", ":"), default=str)
