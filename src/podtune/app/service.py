"""The one service: the verbs every face calls. Parses nothing, renders nothing."""

import importlib.util
import re
import shutil
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Final, NamedTuple

from podtune.app import callbacks, planner, rows, sources, wiring
from podtune.app.artifacts import Artifacts
from podtune.app.effects import TRAIN_FILE, VALIDATION_FILE
from podtune.app.installation import host, owner
from podtune.app.reading import POLL_S
from podtune.app.settings import Settings, runpod_access
from podtune.core.clock import monotonic, random_word, sleep, utc_now
from podtune.core.dataset import DatasetReport
from podtune.core.errors import ConflictError, StateError, UnsupportedError
from podtune.core.job import Job
from podtune.core.plan import Plan
from podtune.core.request import TrainingRequest
from podtune.core.states import Desired, JobPhase, Outcome
from podtune.data import reader
from podtune.data.record import ReadOptions
from podtune.workflow.folder import JobFolder
from podtune.workflow.outbox import Delivery
from podtune.workflow.store import Within

TRAINING_LIBRARIES: Final = ("torch", "transformers", "peft", "accelerate", "safetensors")


WriteRows = Callable[[Plan, Settings, Path, Path], None]


class Reserved(NamedTuple):
    """A job whose id was given away before it was planned."""

    id: str
    tenant: str | None
    making: Path
    """Where its folder is made; `within` puts it in its place."""
    settings: Settings
    """Name where its data was fetched to."""
    within: Within
    """Called last in the transaction that adds it: whether it still may be."""
    write: WriteRows = rows.write
    """Writes its rows."""


class Service(Artifacts):
    """All verbs on one home: those that look, those on what was made, and here those that change something."""

    def check(self, source: str, options: ReadOptions | None = None) -> DatasetReport:
        """Judge a source; bad rows are in the report, not an error."""
        with sources.looked_at(source, self.settings) as path:
            report = reader.inspect(path, options or ReadOptions()).report
        return report.model_copy(update={"source": sources.stored(source)})

    def plan(self, request: TrainingRequest) -> Plan:
        """What would happen. Writes nothing."""
        return planner.make_plan(request, self.settings)

    def submit(
        self, plan: Plan, *, digest: str | None = None, reserved: Reserved | None = None
    ) -> Job:
        """Start a job on a plan.

        Args:
            plan: As approved.
            digest: The digest that was approved; another plan is refused.
            reserved: Where its id was given away before it was planned.

        Raises:
            ConflictError: the digest is another plan's.
            DatasetError: the data changed since it was planned.
            UnsupportedError: this machine cannot train (native Windows, libraries missing).
            BalanceError: the rented account cannot pay the ceiling.
            CredentialsError: a key is missing or rejected: the account's, a store's, a target's.
        """
        if digest is not None and digest != plan.digest:
            raise ConflictError("this is not the plan that was approved", code="plan_changed")
        if plan.price is None:
            _refuse_unable()
        else:
            self._check_rented(plan, plan.price.max_usd)
        if plan.spec.deliver.to:
            from podtune.app import deliver

            deliver.check_target(plan.spec, self.settings)
        callbacks.check(plan.spec, self.settings)
        _make_home(self.settings.home)
        job = self._new_job(plan, reserved)
        folder = JobFolder(reserved.making if reserved else self.settings.jobs / job.id)
        try:
            folder.data.mkdir(parents=True)
            write = reserved.write if reserved else rows.write
            write(
                plan,
                reserved.settings if reserved else self.settings,
                folder.data_file(TRAIN_FILE),
                folder.data_file(VALIDATION_FILE),
            )
            self._open().add(job, reserved.within if reserved else None)
        except BaseException:
            shutil.rmtree(folder.path, ignore_errors=True)
            raise
        self._drivers.ensure(self._open())
        return job

    def send_callback(self, job_id: str) -> Delivery:
        """Send a job's last callback again, under the same id; how it stands after one try.

        Raises:
            NotFoundError: there is none.
        """
        known = self._told_of(job_id)
        sent = self._open().messages.again(known)
        until = monotonic() + callbacks.TRIED_WITHIN_S
        while sent.next_at is not None and not sent.tries and monotonic() < until:
            self._drivers.ensure(self._open())
            sleep(POLL_S)
            sent = next(one for one in self.callbacks(known) if one.id == sent.id)
        return sent

    def cancel(self, job_id: str) -> Job:
        """Wish a job cancelled; the driver ends its whole process group and proves it.

        Raises:
            ConflictError: it has ended already.
        """
        job = self.job(job_id)
        if job.is_finished:
            raise ConflictError(
                f"job {job.id!r} has ended already ({job.outcome})", code="already_ended"
            )
        self._opened().cancel(job.id)
        self._drivers.ensure(self._open())
        return self.job(job.id)

    def resume(self, job_id: str, *, within: Within | None = None) -> Job:
        """Go on with a job that did not complete, from its last complete checkpoint.

        Args:
            job_id: Of the job.
            within: Called first in the transaction that reopens it: whether it may go on.

        Raises:
            ConflictError: it is still running, or completed.
        """
        job = self.job(job_id)
        if not job.is_finished:
            raise ConflictError(
                f"job {job.id!r} is running", hint=f"podtune watch {job.id}", code="still_running"
            )
        if job.outcome is Outcome.COMPLETED:
            raise ConflictError(
                f"job {job.id!r} is completed", hint=f"podtune artifact {job.id}", code="completed"
            )
        if job.plan.price is None:
            _refuse_unable()
        else:
            from podtune.app import machines

            spent = self.money([job]).get(job.id, Decimal(0))
            kept_s = self.settings.upload_reserve_s + self.settings.overrun_reserve_s
            left = machines.refuse_spent(job.plan, spent, kept_s)
            self._check_rented(job.plan, left)
        account = wiring.account_of(runpod_access()) if job.is_rented else None
        reopened = self._opened().reopen(job, account, within)
        self._drivers.ensure(self._open())
        return reopened

    def ssh(self, job_id: str) -> str:
        """The command that opens a shell on a rented job's machine.

        Raises:
            ConflictError: it runs here, has no machine now, or one without a shell.
        """
        from podtune.app import machines

        return machines.ssh(self.settings, self._rented(job_id))

    def _rented(self, job_id: str) -> Job:
        job = self.job(job_id)
        if not job.is_rented:
            raise ConflictError(
                f"job {job.id!r} runs on this machine", code="not_rented", hint="podtune logs JOB"
            )
        return job

    def _check_rented(self, plan: Plan, usd: Decimal) -> None:
        """Everything that can be known before money is spent: key, balance, store."""
        from podtune.app import machines, stores

        machines.check_funds(usd)
        stores.check_store(plan.spec, self.settings)

    def _new_job(self, plan: Plan, reserved: Reserved | None = None) -> Job:
        now = utc_now()
        stem = _stem(plan.spec.data.source)
        name = plan.spec.deliver.name or f"{stem or 'job'} on {plan.base_model.name.split('/')[-1]}"
        return Job(
            id=reserved.id if reserved else new_id(plan.spec.data.source),
            tenant=reserved.tenant if reserved else None,
            title=name[:200],
            owner=owner(self.settings.home),
            desired=Desired.RUN,
            phase=JobPhase.QUEUED,
            attempt=1,
            plan=plan,
            plan_digest=plan.digest,
            account=wiring.account_of(runpod_access()) if plan.price else None,
            host=None if plan.price else host(),
            created_at=now,
            updated_at=now,
        )


def new_id(source: str, letters: int = 6) -> str:
    """An id for a job on a source: what the source is called, and random letters."""
    return f"{(_stem(sources.unsigned(source)) or 'job')[:20].strip('-')}-{random_word(letters)}"


def _stem(source: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", Path(source).stem.lower()).strip("-")


def _make_home(home: Path) -> None:
    """Create the home, for its owner's eyes alone: rows, keys and addresses lie in it.

    Raises:
        StateError: it cannot be created.
    """
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StateError(
            f"PODTUNE_HOME {str(home)!r} cannot be made: {error.strerror or error}",
            hint="set PODTUNE_HOME to a folder you may write to",
        ) from error


def _refuse_unable() -> None:
    """Raise when this machine cannot train.

    Raises:
        UnsupportedError: native Windows, or libraries are missing.
    """
    if sys.platform == "win32":
        raise UnsupportedError(
            "training on this machine needs WSL: natively, Windows can plan and rent",
            code="needs_wsl",
            hint="install WSL (wsl --install), then run podtune inside it",
        )
    missing = [name for name in TRAINING_LIBRARIES if importlib.util.find_spec(name) is None]
    if missing:
        raise UnsupportedError(
            f"training needs libraries that are not installed: {', '.join(missing)}",
            code="missing_library",
            hint="pip install torch==2.13.0 && pip install 'podtune[train]'",
        )
