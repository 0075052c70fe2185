"""The desk: what one caller may do. The only way from a shared face to jobs.

A tenant sees its own jobs only, by exact ids; another's job is told in the words of one that does not exist.
Callers that are no tenant's (this machine's own user, `admin`) see all, jobs of the command line too.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from podtune.app import refusals
from podtune.app.asked import Asked, SubmissionState, Submitted
from podtune.app.installation import owner
from podtune.app.service import Service
from podtune.app.submissions import Submissions
from podtune.core.access import Principal, Scope
from podtune.core.artifact import SignedReceipt
from podtune.core.errors import ConflictError, ForbiddenError, NotFoundError
from podtune.core.events import TrainingEvent
from podtune.core.job import Job
from podtune.core.plan import Plan
from podtune.core.request import TrainingRequest
from podtune.core.states import JobPhase, WorkerStage
from podtune.core.wire import Progress, Standing, TrainingStatus, told
from podtune.workflow.glance import Glance, glance
from podtune.workflow.store import LogEntry
from podtune.workflow.submissions import NOBODYS, Place, Submission

__all__ = ["Asked", "Desk", "SubmissionState", "Submitted"]

MOST_LISTED: Final = 200
MAX_ID: Final = 64
"""Characters; those that are given away have at most 40."""


class Desk:
    """The verbs of one caller. Safe to use from several threads."""

    def __init__(self, service: Service, principal: Principal, submissions: Submissions) -> None:
        """`service` is for verbs that are nobody's (check)."""
        self.service = service
        self.principal = principal
        self._submissions = submissions

    def submit(self, asked: Asked, *, wait_s: float = 20.0, is_answer: bool = True) -> Submitted:
        """Submit a training; how it stands after at most `wait_s` seconds.

        Args:
            asked: The request.
            wait_s: Longest wait for its preparation.
            is_answer: Whether the caller is told now what comes of this. Who is left with the id of something
                that is prepared is told of a refusal by a callback; who looks again is not yet.

        Raises:
            ForbiddenError: the caller may not, or not so: `ceiling_needed`, `key_budget`, `operator_only`.
            ConflictError: code `idempotency_conflict`: the name stands for another request.
            PodtuneError: it was refused in that time; the row keeps that too.
        """
        self.require(Scope.SUBMIT)
        return self._submissions.submit(self.principal, asked, wait_s, is_answer=is_answer)

    def plan(self, request: TrainingRequest) -> Plan:
        """What would happen, with the caller's ceiling applied. Nothing is kept.

        Raises:
            PodtuneError: as `submit`.
        """
        self.require(Scope.PLAN)
        return self._submissions.plan(self.principal, request)

    def get(self, job_id: str) -> Submitted:
        """One of the caller's jobs, by its exact id.

        Raises:
            NotFoundError: there is none of that id, or it is another's.
        """
        self.require(Scope.READ)
        return self._get(job_id)

    def list(
        self, *, limit: int = 50, after: str | None = None, kind: str | None = None
    ) -> Sequence[Submitted]:
        """The caller's jobs, the newest first.

        Args:
            limit: At most so many, 1 to 200.
            after: An id of the page before, to go on behind it.
            kind: Of one face only; `cli` for jobs of the command line.

        Raises:
            NotFoundError: there is no job `after`.
        """
        self.require(Scope.READ)
        place = None
        if after is not None:
            last = self._get(after)
            place = Place(last.created_at, last.id)
        most = max(1, min(limit, MOST_LISTED))
        page = self._submissions.page(self.principal.tenant, kind, place, most)
        found = self.service.store().some({name: None for name, _ in page})
        jobs = {job.id: job for job in found}
        told_ = [self._told(row, jobs.get(name)) for name, row in page]
        return [one for one in told_ if one is not None]

    def glance(self, job_id: str) -> Glance | None:
        """One of the caller's jobs in brief; None where `get` has to say what it is.

        Raises:
            ForbiddenError: the caller may not look.
        """
        self.require(Scope.READ)
        if not _is_id(job_id):
            return None
        with self.service.store().reading() as connection:
            found = glance(connection, job_id)
        return found if found is not None and self._is_seen(found.tenant) else None

    def status(self, job_id: str) -> TrainingStatus:
        """The status object, also of what is prepared or was refused.

        Raises:
            NotFoundError: as `get`.
        """
        return self.status_of(self.get(job_id))

    def status_of(self, found: Submitted) -> TrainingStatus:
        """The status object of what was just got."""
        if found.job is not None:
            return self.service.status_of(found.job)
        ceiling = None if found.ceiling_usd is None else float(found.ceiling_usd)
        if found.error is not None:
            return refusals.status(found.id, found.error, ceiling)
        where = JobPhase.QUEUED if found.begun_at is None else WorkerStage.DOWNLOADING
        status = told(Standing(found.id, where), Progress())
        return status.model_copy(update={"ceiling_usd": ceiling})

    def cancel(self, job_id: str) -> Submitted:
        """Wish a job cancelled; what is still prepared is refused with the code `cancelled`.

        Raises:
            NotFoundError: as `get`.
            ConflictError: code `already_ended`.
        """
        self.require(Scope.CANCEL)
        found, row = self._found(job_id)
        if found.state is SubmissionState.PREPARING and row is not None:
            if self._submissions.cancel(row):
                return self._get(job_id)
            found = self._get(job_id)  # it was settled at this moment
        if found.job is None:
            raise ConflictError(f"job {found.id!r} has ended already", code="already_ended")
        self.service.cancel(found.id)
        return self._get(found.id)

    def resume(self, job_id: str) -> Submitted:
        """Go on with a job that failed or was cancelled; its ceiling has to be left in the key's budget.

        Raises:
            NotFoundError: as `get`.
            ConflictError: it runs, completed, or was refused before it began.
            ForbiddenError: code `key_budget`.
        """
        self.require(Scope.SUBMIT)
        found, row = self._found(job_id)
        if found.job is None:
            if found.state is SubmissionState.PREPARING:
                raise ConflictError(f"job {found.id!r} is running", code="still_running")
            raise ConflictError(
                f"job {found.id!r} never began", code="never_began", hint="submit it again"
            )
        self.service.resume(
            found.id, within=None if row is None else self._submissions.may_resume(row)
        )
        return self._get(found.id)

    def events(self, job_id: str, *, follow: bool = False) -> Iterator[TrainingEvent]:
        """The worker's events; none before it is a job. With `follow`, until it has ended."""
        job = self.with_files(job_id).job
        return iter(()) if job is None else self.service.events(job.id, follow=follow)

    def newest_events(self, job_id: str) -> Iterator[TrainingEvent]:
        """The worker's events that there are, the newest first; none before it is a job."""
        job = self.with_files(job_id).job
        return iter(()) if job is None else self.service.newest_events(job)

    def logs(self, job_id: str, *, follow: bool = False) -> Iterator[str]:
        """The worker's own output as text; none before it is a job. With `follow`, until it has ended."""
        job = self.with_files(job_id).job
        return iter(()) if job is None else self.service.logs(job.id, follow=follow)

    def log(self, job_id: str) -> Sequence[LogEntry]:
        """What the workflow did with a job; nothing before it is one."""
        job = self.get(job_id).job
        return () if job is None else self.service.log(job.id)

    def artifact(self, job_id: str) -> Path:
        """The verified folder of a completed job's artifact.

        Raises:
            NotFoundError: as `get`; code `no_artifact` where there is none.
        """
        return self.service.artifact(self._job(job_id).id)

    def receipt(self, job_id: str) -> SignedReceipt:
        """The signed receipt of a completed job.

        Raises:
            NotFoundError: as `artifact`.
        """
        return self.service.receipt(self._job(job_id).id)

    def _job(self, job_id: str) -> Job:
        job = self.with_files(job_id).job
        if job is None:
            raise NotFoundError(f"job {job_id!r} has no artifact", code="no_artifact")
        return job

    def with_files(self, job_id: str) -> Submitted:
        """As `get`, of something whose files are here.

        Raises:
            NotFoundError: as `get`.
            ConflictError: code `elsewhere`: it was submitted from another home on the same job store.
        """
        found = self.get(job_id)
        job = found.job
        if job is not None and job.owner != owner(self.service.settings.home):
            raise ConflictError(
                f"the files of job {job.id!r} are in another home (owner {job.owner})",
                code="elsewhere",
                hint="ask a gateway of that home; gateways that stand in for each other share one PODTUNE_HOME",
            )
        return found

    def require(self, scope: Scope) -> None:
        """Raise where the caller may not.

        Raises:
            ForbiddenError: code `scope_missing`.
        """
        if not self.principal.may(scope):
            raise ForbiddenError(
                f"the key {self.principal.name!r} has no scope {scope.value!r}",
                code="scope_missing",
                hint=f"podtune keys create NAME --scope {scope.value}",
            )

    def _get(self, job_id: str) -> Submitted:
        return self._found(job_id)[0]

    def _found(self, job_id: str) -> tuple[Submitted, Submission | None]:
        """What is the caller's, with its row where it has one."""
        if _is_id(job_id):
            row = self._submissions.find(job_id)
            if row is None or self._is_seen(row.tenant):
                job = next(iter(self.service.store().some({job_id: None})), None)
                found = self._told(row, job) if row is not None or job is not None else None
                if found is not None:
                    return found, row
        raise NotFoundError(f"no job {job_id[:MAX_ID]!r}", hint="list the jobs to see their ids")

    def _is_seen(self, tenant: str | None) -> bool:
        return self.principal.tenant is None or self.principal.tenant == tenant

    def _told(self, row: Submission | None, job: Job | None) -> Submitted | None:
        """A row, or a job that has none; None for what is not the caller's or cannot be read."""
        if row is not None:
            return self._submissions.told(row, job)
        if job is None or not self._is_seen(job.tenant):
            return None
        return Submitted(
            id=job.id,
            state=SubmissionState.ACCEPTED,
            job=job,
            error=None,
            kind=NOBODYS,
            name=None,
            tenant=job.tenant,
            note={},
            created_at=job.created_at,
        )


def _is_id(text: str) -> bool:
    """Whether a database is asked at all: PostgreSQL's text holds no NUL."""
    return text.isascii() and text.isprintable() and len(text) <= MAX_ID
