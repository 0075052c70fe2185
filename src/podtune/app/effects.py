"""What the phases of a job do: check, verify and sign everywhere; stage, launch and terminate here.

What a rented machine needs besides is `app.pod_effects`.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from podtune.app import deliver, receipts, speed
from podtune.app.installation import signing_key
from podtune.app.settings import Settings, cards_for
from podtune.core.artifact import Artifact
from podtune.core.dataset import DatasetReport
from podtune.core.errors import ArtifactError, DatasetError
from podtune.core.job import Instance, Job, TerminationProof, WorkerOrder
from podtune.core.plan import Plan
from podtune.core.progress import fold
from podtune.providers.base import LaunchRequest, Provider
from podtune.storage import artifact_folder
from podtune.workflow.folder import EventTail, JobFolder

TRAIN_FILE: Final = "train.jsonl"
VALIDATION_FILE: Final = "validation.jsonl"
"""A job's own copies of its rows, in canonical form."""


def check_copies(plan: Plan, folder: JobFolder) -> None:
    """Compare a job's copies of its rows with what was planned.

    Raises:
        DatasetError: a copy is missing or differs.
    """
    checks: list[tuple[str, DatasetReport]] = [(TRAIN_FILE, plan.report)]
    if plan.validation_report:
        checks.append((VALIDATION_FILE, plan.validation_report))
    for name, report in checks:
        path = folder.data_file(name)
        if not path.is_file() or artifact_folder.sha256_file(path) != report.rows_sha256:
            raise DatasetError(
                f"the job's copy {str(path)!r} is not what was planned",
                code="data_changed",
                hint="submit the job again",
            )


def write_order(folder: JobFolder, job: str, attempt: int, plan: Plan, models: Path) -> None:
    """Write `order.json` for an attempt, all at once; the copies of the rows lie in the folder.

    Args:
        folder: The job's.
        job: Its id, for the worker's events.
        attempt: From 1.
        plan: What is trained.
        models: Where converted base models are kept.
    """
    order = WorkerOrder(
        job=job,
        attempt=attempt,
        plan=plan,
        train_file=f"data/{TRAIN_FILE}",
        validation_file=f"data/{VALIDATION_FILE}" if plan.validation_report else None,
        models_dir=str(models),
    )
    temporary = folder.order.with_suffix(".tmp")
    temporary.write_text(order.model_dump_json(indent=1), encoding="utf-8")
    temporary.replace(folder.order)


class JobEffects:
    """What is the same wherever a job runs."""

    def __init__(self, settings: Settings) -> None:
        """Nothing is opened yet."""
        self._settings = settings

    def check_data(self, job: Job) -> None:
        """Compare the job's copies with what was planned.

        Raises:
            DatasetError: a copy is missing or differs.
        """
        check_copies(job.plan, self._folder(job))

    def verify(self, job: Job) -> Artifact:
        """Check the artifact against the worker's own checksums.

        Raises:
            ArtifactError: it is not what the worker made.
        """
        folder = self._folder(job)
        results = [
            e.result
            for e in EventTail(folder.events).read()
            if e.attempt == job.attempt and e.result is not None
        ]
        if not results:
            raise ArtifactError("the worker named no artifact", code="artifact_incomplete")
        return artifact_folder.verify(folder.artifact, results[-1].files)

    def receipt(self, job: Job) -> None:
        """Sign the receipt, deliver the artifact, and remember the speed reached.

        Raises:
            ArtifactError: the artifact changed since it was verified, or cannot be delivered.
        """
        folder = self._folder(job)
        artifact = self.verify(job)
        folded = fold(EventTail(folder.events).read())
        if job.proof is None:
            raise ArtifactError("absence is not proved yet", code="not_terminated")
        receipt = receipts.make(
            job, folded, artifact, folder.artifact, job.proof, self._rental(job)
        )
        receipts.write(receipt, signing_key(self._settings.home), folder.artifact)
        deliver.deliver(job, folder.artifact, self._settings)
        self._remember_speed(job, folded.facts)

    def _rental(self, job: Job) -> receipts.Rental | None:
        """What was rented for the job; nothing here."""
        return None

    def _remember_speed(self, job: Job, facts: Mapping[str, object]) -> None:
        reached, steps = facts.get("tokens_per_second"), facts.get("steps")
        if isinstance(reached, int | float) and isinstance(steps, int):
            resumed = facts.get("resumed_from_step")
            run = steps - (resumed if isinstance(resumed, int) else 0)
            ran_on = job.plan.price.ladder[job.rung].device if job.plan.price else None
            speed.remember(self._settings.speed, job.plan, float(reached), run, ran_on)

    def _folder(self, job: Job) -> JobFolder:
        return JobFolder(self._settings.jobs / job.id)

    def _write_order(self, job: Job) -> None:
        """Write `order.json` for this attempt, all at once."""
        write_order(self._folder(job), job.id, job.attempt, job.plan, self._settings.models)


class LocalEffects(JobEffects):
    """The effects of jobs that run on this machine."""

    def __init__(
        self, settings: Settings, provider: Provider, environment: Mapping[str, str]
    ) -> None:
        """`environment` is what workers inherit."""
        super().__init__(settings)
        self._provider = provider
        self._environment = environment

    def stage(self, job: Job) -> None:
        """Write the worker's order."""
        self._write_order(job)

    def launch(self, job: Job) -> Instance:
        """Start the worker, or adopt it; an attempt that has begun is never begun again."""
        name = job.instance_name or ""
        folder = self._folder(job)
        if any(event.attempt == job.attempt for event in EventTail(folder.events).read()):
            running = [i for i in self._provider.owned(job.owner) if i.name == name]
            if running:
                return running[0]
            began = job.intent_at or job.created_at
            return Instance(id=f"ended:{name}", name=name, started_at=began)
        environment = {**self._environment, **cards_for(job.plan.spec.where.count)}
        return self._provider.launch(LaunchRequest(name, folder.path, environment))

    def terminate(self, job: Job) -> TerminationProof | None:
        """End the worker's whole process group."""
        return self._provider.terminate(job.instance_name or "", job.instance_id)
