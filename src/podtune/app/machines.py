"""Rented machines as the service's verbs need them: who pays, a shell, the checkpoints.

Imported only where a job is rented, since it brings the HTTP client along.
"""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

from podtune.app import pod_order
from podtune.app.checkpoint_pulls import PREFIX, is_sealed
from podtune.app.settings import Settings, runpod_access
from podtune.core.errors import ConflictError, NotFoundError, PodtuneError
from podtune.core.handover import RemoteCheckpoint
from podtune.core.job import Job
from podtune.core.plan import Plan
from podtune.planning import price
from podtune.providers.runpod import account
from podtune.providers.runpod.client import RunPodClient
from podtune.providers.runpod.pods import RunPodProvider
from podtune.storage import artifact_folder
from podtune.storage.pod_port import PodPort
from podtune.workflow.folder import JobFolder


class Checkpoint(NamedTuple):
    """A sealed checkpoint of a job."""

    name: str
    step: int
    size_bytes: int
    here: bool
    """Whether it lies in the job's folder; else on its rented machine."""


def check_funds(usd: Decimal) -> None:
    """Refuse what the account cannot pay, before anything is written.

    Raises:
        CredentialsError: no key, or it is rejected.
        BalanceError: the balance does not cover it.
    """
    with _client() as client:
        account.check_key(client)
        account.check_funds(client, usd)


def refuse_spent(plan: Plan, spent: Decimal, reserve_s: float) -> Decimal:
    """What is left of a ceiling.

    Raises:
        ConflictError: too little to order anything useful.
    """
    quoted = plan.price
    left = (quoted.max_usd - spent) if quoted else Decimal(0)
    cheapest = (
        min((rung.offer.hourly for rung in quoted.ladder), default=Decimal(0)) if quoted else 0
    )
    if left <= cheapest * Decimal(str(reserve_s)) / 3600:
        raise ConflictError(
            f"{price.money(spent)} of the ceiling are spent; {price.money(max(left, Decimal(0)))} are left",
            code="over_budget",
            hint="submit it again with a higher ceiling: podtune train SOURCE --on runpod --budget USD",
        )
    return left


def ssh(settings: Settings, job: Job) -> str:
    """The command that opens a shell on a job's machine.

    Raises:
        ConflictError: it has no machine now, or one without a shell.
    """
    if job.instance_id is None or (job.is_leaving and job.proof is not None):
        raise ConflictError(
            f"job {job.id!r} has no machine now ({job.outcome or job.phase})",
            code="no_machine",
            hint="podtune train ... --keep-on-failure 30 keeps the machine of a failed job",
        )
    if job.has_queue:
        raise ConflictError(
            f"job {job.id!r} runs on a serverless worker, which has no shell",
            code="no_shell",
            hint="podtune logs JOB; the worker's own log is at console.runpod.io, Serverless",
        )
    if not pod_order.machine(job).ssh:
        raise ConflictError(
            f"the machine of job {job.id!r} was ordered without a shell",
            code="no_shell",
            hint="put your public key into the RunPod account, and train with --keep-on-failure 30",
        )
    with _client() as client:
        return RunPodProvider(client, settings).ssh(job.instance_id)


def checkpoints(settings: Settings, job: Job) -> Sequence[Checkpoint]:
    """Every sealed checkpoint, here and on the machine, the newest first."""
    found = {one.name: one for one in _remote(settings, job)}
    here = _here(JobFolder(settings.jobs / job.id).path / "checkpoints")
    listed = {
        name: Checkpoint(name, one.step, one.bytes, here=False) for name, one in found.items()
    }
    return sorted((listed | here).values(), key=lambda one: -one.step)


def get_checkpoint(settings: Settings, job: Job, step: int, into: Path) -> Path:
    """A verified copy of a checkpoint, from here or from the machine.

    Raises:
        NotFoundError: there is none of that step.
        ConflictError: the folder holds something already.
    """
    name, target = f"{PREFIX}{step}", into.expanduser().absolute()
    if target.exists() and any(target.iterdir()):
        raise ConflictError(
            f"{str(target)!r} is not empty", code="target_exists", hint="name a new folder: -o DIR"
        )
    folder = JobFolder(settings.jobs / job.id).path / "checkpoints"
    if name in _here(folder):
        return artifact_folder.copy(folder / name, target)
    for one in _remote(settings, job):
        if one.name == name:
            with _port(settings, job) as port:
                while not port.fetch_files(target, one.files, checkpoint=name):
                    pass  # a slice of time is over; a machine that is gone raises
            return target
    known = ", ".join(str(one.step) for one in checkpoints(settings, job)) or "none"
    raise NotFoundError(
        f"job {job.id!r} has no sealed checkpoint of step {step}; there are: {known}",
        code="no_checkpoint",
        hint=f"podtune checkpoints {job.id}",
    )


def _here(folder: Path) -> dict[str, Checkpoint]:
    sealed = [path for path in folder.glob(f"{PREFIX}*") if is_sealed(path)]
    return {
        path.name: Checkpoint(
            path.name,
            int(path.name.removeprefix(PREFIX)),
            sum(file.stat().st_size for file in path.rglob("*") if file.is_file()),
            here=True,
        )
        for path in sealed
        if path.name.removeprefix(PREFIX).isdecimal()
    }


def _remote(settings: Settings, job: Job) -> Sequence[RemoteCheckpoint]:
    """Checkpoints on the job's machine; none where it has none, or it does not answer."""
    is_pod = job.is_rented and not job.has_queue
    if not is_pod or job.instance_id is None or job.proof is not None:
        return ()
    try:
        with _port(settings, job) as port:
            return port.checkpoints()
    except PodtuneError:
        return ()


def _port(settings: Settings, job: Job) -> PodPort:
    url = runpod_access().port_url(job.instance_id or "", pod_order.PORT)
    return PodPort(url, pod_order.token(settings.home, job))


@contextmanager
def _client() -> Generator[RunPodClient]:
    client = RunPodClient(runpod_access())
    try:
        yield client
    finally:
        client.close()
