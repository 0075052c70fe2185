"""From what was asked to a job: reserved under an id (`reserving`), then prepared (`preparing`).

A row is written before anything is fetched, so that a gateway which dies loses nothing: a claim that is not
renewed ends, and `recover` takes its row over. The job is added in the transaction that accepts the row, so that
there is one job for a row, whoever prepared it. What is asked again under a name is found, and not planned again.
"""

import json
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, cast

from pydantic import JsonValue

from podtune.app import apart, ceilings
from podtune.app.asked import Asked, SubmissionState, Submitted
from podtune.app.installation import host, owner
from podtune.app.preparing import PLAN, Preparing
from podtune.app.refusals import CANCELLED
from podtune.app.reserving import CLAIM_S, Reserving, Taking, as_json
from podtune.app.service import Service
from podtune.core.access import Principal
from podtune.core.clock import random_word
from podtune.core.errors import NotFoundError, PodtuneError, StateError, of_stored, to_stored
from podtune.core.job import Job
from podtune.core.plan import Plan
from podtune.core.request import TrainingRequest
from podtune.workflow import plan_tickets
from podtune.workflow import submissions as rows
from podtune.workflow.columns import micros
from podtune.workflow.submissions import Submission

__all__ = ["Asked", "Submissions", "Submitted"]

TAKEN_AT_ONCE: Final = 100
"""Rows that one gateway takes over in a round; others get some too."""

BUSY_S: Final = 20.0
"""How long a plan waits for its turn. Chosen."""


class Submissions:
    """What one process takes and prepares on one home. Safe to use from several threads."""

    def __init__(self, service: Service) -> None:
        """`service` is on the home that has the files. Threads begin with the first submission."""
        self.service = service
        self._settings = service.settings
        self._holder = f"{host()[:100]} {os.getpid()} {random_word(8)}"
        self.reserving = Reserving(service, self._holder)
        self.preparing = Preparing(service, self._holder)

    def submit(
        self,
        principal: Principal,
        asked: Asked,
        wait_s: float,
        *,
        is_answer: bool = True,
        within: Taking | None = None,
    ) -> Submitted:
        """Reserve an id and prepare what was asked; what stands of it after at most `wait_s` seconds.

        With `is_answer` the caller is left with what is prepared still, and told by a callback of a refusal.
        `within` is as of `Reserving.reserve`.

        Raises:
            ConflictError: code `idempotency_conflict`: the name stands for another request.
            ForbiddenError: `ceiling_needed`, `key_budget`, `operator_only`.
            PodtuneError: it was refused within that time, or a moment ago.
        """
        found, is_new = self.reserving.reserve(principal, asked, within)
        if is_new:
            self.preparing.take(found.id).wait(max(0.0, wait_s))
        elif found.state != rows.PREPARING or not is_answer:
            return self._told(found, duplicate=True)
        return self._looked_at(found.id, is_answer=is_answer, duplicate=not is_new)

    def again(self, submission_id: str, *, is_answer: bool = True) -> Submitted:
        """How something stands that was submitted before, to who asks for it again.

        Raises:
            NotFoundError: there is none.
            PodtuneError: what it was refused for.
        """
        return self._looked_at(submission_id, is_answer=is_answer, duplicate=True)

    def _looked_at(self, submission_id: str, *, is_answer: bool, duplicate: bool) -> Submitted:
        store = self.service.store()
        with store.transaction() as connection:
            if is_answer:
                rows.answer(connection, submission_id, micros(store.clock()))
            row = rows.find(connection, submission_id)
        if row is None:
            raise NotFoundError(f"no job {submission_id!r}", hint="list the jobs to see their ids")
        return self._told(row, duplicate=duplicate)

    def plan(self, principal: Principal, request: TrainingRequest) -> Plan:
        """What a request would lead to for a caller, its ceiling applied. Nothing is kept.

        Raises:
            StateError: code `busy`: too many are planned at once.
            PodtuneError: as `planner.make_plan`, and as `submit`.
        """
        ceilings.refuse_reach(request, self._settings, principal)
        usd = self.reserving.allowed(
            principal, ceilings.ceiling_of(request, self._settings, principal)
        )
        if not self.preparing.turns.acquire(timeout=BUSY_S):
            raise StateError(
                "too much is planned at this moment", code="busy", hint="try again in a minute"
            )
        folder = self._settings.downloads / f"{PLAN}{random_word(12)}"
        try:
            return apart.make_plan(
                ceilings.capped(request, usd),
                self._settings.for_tenant(principal.tenant).with_downloads(folder),
                lambda done, whole: None,
            )
        finally:
            self.preparing.turns.release()
            shutil.rmtree(folder, ignore_errors=True)

    def find(self, submission_id: str) -> Submission | None:
        """A row by its exact id."""
        with self.service.store().reading() as connection:
            return rows.find(connection, submission_id)

    def page(
        self, tenant: str | None, kind: str | None, after: rows.Place | None, limit: int
    ) -> Sequence[tuple[str, Submission | None]]:
        """Ids with their rows, the newest first; without a tenant of all, and jobs that have no row."""
        with self.service.store().reading() as connection:
            ids = rows.page(connection, tenant, kind, after, limit)
            found = rows.some(connection, ids)
        return [(one, found.get(one)) for one in ids]

    def cancel(self, row: Submission) -> bool:
        """Refuse what is still prepared; False where it is settled already."""
        error = PodtuneError("it was cancelled before it began", code=CANCELLED)
        told = as_json(to_stored(error))
        done = self.preparing.refuse(row, error, told)
        self.preparing.call_off(row.id)
        return done

    def may_resume(self, row: Submission) -> Callable[[Any], None]:
        """What a job of a key with a budget has to pass in the transaction that reopens it."""
        return self.reserving.may_resume(row)

    def recover(self) -> int:
        """Take over what nobody prepares any more; how many. To be called at the start, and now and then.

        Raises:
            StateError: the job store cannot be used now.
        """
        store = self.service.store()
        with store.transaction() as connection:
            plan_tickets.blank_ended(connection, store.clock())
            ids = rows.take_over(
                connection,
                owner(self._settings.home),
                self._holder,
                CLAIM_S,
                TAKEN_AT_ONCE,
                micros(store.clock()),
            )
        for one in ids:
            self.preparing.take(one)
        self.preparing.sweep()
        return len(ids)

    def told(self, row: Submission, job: Job | None, *, duplicate: bool = False) -> Submitted:
        """A row as a face shows it, with its job where there is one."""
        return Submitted(
            id=row.id,
            state=SubmissionState.ACCEPTED if job is not None else SubmissionState(row.state),
            job=job,
            error=_error_of(row),
            kind=row.kind,
            name=row.name,
            tenant=row.tenant,
            note=cast("Mapping[str, JsonValue]", json.loads(row.note)),
            created_at=row.created_at,
            duplicate=duplicate,
            ceiling_usd=row.ceiling_usd,
            begun_at=row.begun_at,
        )

    def close(self) -> None:
        """Prepare nothing more: what is not settled is free for others."""
        self.preparing.close()

    def _told(self, row: Submission, *, duplicate: bool = False) -> Submitted:
        """As `told`; a refusal is raised.

        Raises:
            PodtuneError: what it was refused for.
        """
        error = _error_of(row)
        if error is not None:
            raise error
        found = self.service.store().some({row.id: None}) if row.state == rows.ACCEPTED else ()
        return self.told(row, found[0] if found else None, duplicate=duplicate)


def _error_of(row: Submission) -> PodtuneError | None:
    if row.state != rows.REFUSED:
        return None
    return of_stored(cast("Mapping[str, object]", json.loads(row.error or "{}")))
