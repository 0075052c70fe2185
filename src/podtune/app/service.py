"""The one service: the verbs every face calls. Parses nothing, renders nothing."""

import importlib.util
import re
import shutil
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Final

from podtune.app import machine_view, planner, receipts, rows, sources, wiring
from podtune.app.driver_keeper import DriverKeeper
from podtune.app.effects import TRAIN_FILE, VALIDATION_FILE
from podtune.app.installation import owner, random_word, signing_key
from podtune.app.progress import Folded, fold
from podtune.app.settings import Settings, runpod_access
from podtune.app.standing import Standing
from podtune.core.artifact import RECEIPT, SignedReceipt
from podtune.core.dataset import DatasetReport
from podtune.core.errors import (
    ArtifactError,
    ConflictError,
    NotFoundError,
    StateError,
    UnsupportedError,
)
from podtune.core.events import TrainingEvent
from podtune.core.job import Job
from podtune.core.plan import Plan
from podtune.core.request import TrainingRequest
from podtune.core.states import Desired, JobPhase, Outcome
from podtune.core.wire import TrainingStatus, status_of
from podtune.data import reader
from podtune.data.record import ReadOptions
from podtune.storage import archive, artifact_folder
from podtune.workflow.folder import EventTail, JobFolder
from podtune.workflow.reconciler import OCCUPYING
from podtune.workflow.store import JobStore, LogEntry

if TYPE_CHECKING:
    from podtune.app import machines

POLL_S: Final = 0.25
"""How often a follower looks again."""

TRAINING_LIBRARIES: Final = ("torch", "transformers", "peft", "accelerate", "safetensors")


class Service:
    """All verbs on one home. Opens the job store only when a verb needs it."""

    def __init__(self, settings: Settings) -> None:
        """Nothing is created or opened yet."""
        self.settings = settings
        self._store: JobStore | None = None
        self._drivers = DriverKeeper(settings)

    def close(self) -> None:
        """Release the job store."""
        if self._store is not None:
            self._store.close()
            self._store = None

    def check(self, source: str, options: ReadOptions | None = None) -> DatasetReport:
        """Judge a source; bad rows are in the report, not an error."""
        with sources.looked_at(source, self.settings) as path:
            report = reader.inspect(path, options or ReadOptions()).report
        return report.model_copy(update={"source": sources.stored(source)})

    def plan(self, request: TrainingRequest) -> Plan:
        """What would happen. Writes nothing."""
        return planner.make_plan(request, self.settings)

    def submit(self, plan: Plan, *, digest: str | None = None) -> Job:
        """Start a job on a plan.

        Args:
            plan: As approved.
            digest: The digest that was approved; another plan is refused.

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
        _make_home(self.settings.home)
        job = self._new_job(plan)
        folder = JobFolder(self.settings.jobs / job.id)
        try:
            folder.data.mkdir(parents=True)
            rows.write(
                plan,
                self.settings,
                folder.data_file(TRAIN_FILE),
                folder.data_file(VALIDATION_FILE),
            )
            self._open().add(job)
        except BaseException:
            shutil.rmtree(folder.path, ignore_errors=True)
            raise
        self._drivers.ensure(self._open())
        return job

    def jobs(self, limit: int = 50) -> Sequence[Job]:
        """The newest jobs first; none before the first."""
        if self._store is None and not self.settings.database.is_file():
            return []
        return self._opened().recent(limit)

    def job(self, job_id: str) -> Job:
        """One job by id, by an unambiguous beginning of it, or `last`."""
        return self._opened().get(job_id)

    def before(self, job: Job) -> Sequence[Job]:
        """The jobs a queued job waits for: the ones that hold all places now."""
        running = [
            j
            for j in self._opened().unfinished()
            if j.phase in OCCUPYING and j.id != job.id and j.is_rented == job.is_rented
        ]
        places = self.settings.rented_places if job.is_rented else self.settings.places
        waits = job.phase is JobPhase.QUEUED and len(running) >= places
        return running if waits else []

    def status(self, job_id: str) -> TrainingStatus:
        """The application's status object of a job."""
        job = self.job(job_id)
        spent = self.money([job]).get(job.id, Decimal(0))
        status = status_of(job, self.folded(job).progress(), spent)
        return self.standing(job).told(status) if job.is_rented else status

    def money(self, jobs: Sequence[Job]) -> Mapping[str, Decimal]:
        """Dollars spent so far by our own meter, by job; rented ones only."""
        rented = [job.id for job in jobs if job.is_rented]
        return self._opened().spent(*rented) if rented else {}

    def standing(self, job: Job) -> Standing:
        """What a rented job costs, and what its machine was last seen doing."""
        return Standing(
            job=job,
            spent=self.money([job]).get(job.id, Decimal(0)),
            view=machine_view.read(self.folder(job).path),
            now=datetime.now(UTC),
            alarm_s=self.settings.terminate_alarm_s,
        )

    def follow(self, job_id: str) -> Iterator[TrainingEvent | LogEntry | Standing]:
        """Everything there is to see of a job, until it has ended; of a local one, its events."""
        job = self.job(job_id)
        if not job.is_rented:
            yield from self.events(job.id, follow=True)
            return
        tail, told = EventTail(self.folder(job).events), 0
        while True:
            entries = self._opened().log(job.id)
            yield from entries[told:]
            told = len(entries)
            yield from tail.read()
            job = self.job(job.id)
            yield self.standing(job)
            if job.is_finished:
                break
            threading.Event().wait(POLL_S)
        yield from tail.read()
        yield from self._opened().log(job.id)[told:]

    def folded(self, job: Job) -> Folded:
        """What the worker's events add up to so far."""
        return fold(EventTail(self.folder(job).events).read())

    def folder(self, job: Job) -> JobFolder:
        """Where the job's files are."""
        return JobFolder(self.settings.jobs / job.id)

    def log(self, job_id: str) -> Sequence[LogEntry]:
        """What the workflow did with a job."""
        return self._opened().log(self.job(job_id).id)

    def events(self, job_id: str, *, follow: bool = False) -> Iterator[TrainingEvent]:
        """The worker's events; with `follow`, until the job has ended."""
        job = self.job(job_id)
        tail = EventTail(self.folder(job).events)
        yield from tail.read()
        while follow and not self.job(job.id).is_finished:
            yield from tail.read()
            threading.Event().wait(POLL_S)
        yield from tail.read()

    def logs(self, job_id: str, *, follow: bool = False) -> Iterator[str]:
        """The worker's own output as text; with `follow`, until the job has ended."""
        job = self.job(job_id)
        path, offset = self.folder(job).log, 0
        while True:
            finished = not follow or self.job(job.id).is_finished
            if path.is_file():
                with path.open("rb") as stream:
                    stream.seek(offset)
                    block = stream.read()
                offset += len(block)
                if block:
                    yield block.decode("utf-8", errors="replace")
            if finished:
                return
            threading.Event().wait(POLL_S)

    def wait(self, job_id: str) -> Job:
        """Block until a job has ended, however it ends."""
        job = self.job(job_id)
        while not job.is_finished:
            threading.Event().wait(POLL_S)
            job = self.job(job.id)
        return job

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

    def resume(self, job_id: str) -> Job:
        """Go on with a job that did not complete, from its last complete checkpoint.

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
            left = machines.refuse_spent(job.plan, spent, self.settings.upload_reserve_s)
            self._check_rented(job.plan, left)
        account = wiring.account_of(runpod_access()) if job.is_rented else None
        reopened = self._opened().reopen(job, account)
        self._drivers.ensure(self._open())
        return reopened

    def ssh(self, job_id: str) -> str:
        """The command that opens a shell on a rented job's machine.

        Raises:
            ConflictError: it runs here, has no machine now, or one without a shell.
        """
        from podtune.app import machines

        return machines.ssh(self.settings, self._rented(job_id))

    def checkpoints(self, job_id: str) -> "Sequence[machines.Checkpoint]":
        """Sealed checkpoints of a job, here and on its rented machine, the newest first."""
        from podtune.app import machines

        return machines.checkpoints(self.settings, self.job(job_id))

    def checkpoint(self, job_id: str, step: int, to: Path) -> Path:
        """A verified copy of one checkpoint.

        Raises:
            NotFoundError: there is none of that step.
        """
        from podtune.app import machines

        return machines.get_checkpoint(self.settings, self.job(job_id), step, to)

    def artifact(self, job_id: str, to: Path | None = None) -> Path:
        """The folder of a completed job's artifact, or a verified copy of it.

        Args:
            job_id: Of the job.
            to: Where the copy goes: a folder, or one archive where it ends in `.tar.gz`.

        Raises:
            NotFoundError: the job has none.
            ArtifactError: it was changed since it was signed.
        """
        job = self._completed(job_id)
        folder = self.folder(job).artifact
        own = signing_key(self.settings.home).public_base64
        receipts.verify(folder, own)
        if receipts.read(folder).public_key != own:
            raise ArtifactError(
                f"the receipt of {job.id!r} was signed by another installation",
                code="bad_signature",
                hint="the artifact was replaced; train again",
            )
        if to is None:
            return folder
        target = to.expanduser().absolute()
        if archive.is_archive(target):
            return archive.pack(folder, target).path
        return artifact_folder.copy(folder, target)

    def receipt(self, job_id: str) -> SignedReceipt:
        """The signed receipt of a completed job, or of an artifact's folder."""
        return receipts.read(self._receipt_folder(job_id))

    def verify_receipt(self, job_or_folder: str) -> list[str]:
        """Check a receipt against its artifact; what was checked, in words.

        Raises:
            ArtifactError: something does not hold.
        """
        folder = self._receipt_folder(job_or_folder)
        return receipts.verify(folder, signing_key(self.settings.home).public_base64)

    def signer(self, job_or_folder: str) -> str:
        """Who signed a receipt: `this installation` or `another installation`."""
        key = receipts.read(self._receipt_folder(job_or_folder)).public_key
        own = key == signing_key(self.settings.home).public_base64
        return "this installation" if own else "another installation"

    def _receipt_folder(self, job_or_folder: str) -> Path:
        path = Path(job_or_folder)
        if (path / RECEIPT).is_file():
            return path
        return self.folder(self._completed(job_or_folder)).artifact

    def chat_folder(self, job_or_folder: str) -> Path:
        """The adapter a chat should load: an artifact folder, or a completed job's.

        Raises:
            NotFoundError: neither.
        """
        path = Path(job_or_folder)
        if (path / "adapter_config.json").is_file():
            if not (path / "spec.yaml").is_file():
                raise UnsupportedError(
                    f"{str(path)!r} is no podtune artifact (it has no spec.yaml)",
                    hint="only adapters trained by podtune can be talked to yet",
                )
            return path.absolute()
        return self.folder(self._completed(job_or_folder)).artifact

    def _completed(self, job_id: str) -> Job:
        job = self.job(job_id)
        if job.outcome is not Outcome.COMPLETED or not job.is_finished:
            raise NotFoundError(
                f"job {job.id!r} has no artifact: it is {job.outcome or job.phase}",
                code="no_artifact",
                hint=f"podtune watch {job.id}"
                if not job.is_finished
                else f"podtune resume {job.id}",
            )
        return job

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

    def _new_job(self, plan: Plan) -> Job:
        now = datetime.now(UTC)
        stem = re.sub(r"[^a-z0-9]+", "-", Path(plan.spec.data.source).stem.lower()).strip("-")
        name = plan.spec.deliver.name or f"{stem or 'job'} on {plan.base_model.name.split('/')[-1]}"
        return Job(
            id=f"{(stem or 'job')[:20].strip('-')}-{random_word(6)}",
            title=name[:200],
            owner=owner(self.settings.home),
            desired=Desired.RUN,
            phase=JobPhase.QUEUED,
            attempt=1,
            plan=plan,
            plan_digest=plan.digest,
            account=wiring.account_of(runpod_access()) if plan.price else None,
            created_at=now,
            updated_at=now,
        )

    def _open(self) -> JobStore:
        if self._store is None:
            self._store = wiring.job_store(self.settings)
        return self._store

    def _opened(self) -> JobStore:
        """The store of a home that exists; a verb that only reads creates none."""
        if self._store is None and not self.settings.database.is_file():
            raise NotFoundError(
                f"there are no jobs in {str(self.settings.home)!r} yet",
                hint="podtune train examples/support.jsonl",
                code="no_jobs",
            )
        store = self._open()
        self._drivers.ensure(store)
        return store


def _make_home(home: Path) -> None:
    """Create the home.

    Raises:
        StateError: it cannot be created.
    """
    try:
        home.mkdir(parents=True, exist_ok=True)
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
