"""Jobs of a serverless endpoint's queue as machines that can be started, looked at and ended.

A job has no name on RunPod, and none can be listed. So its id is on disk the moment it is known, an order
whose answer was lost is never sent again, and what became of that one is for the job's store to tell
(`app.queue_effects`). The id of an instance is `<endpoint>/<job>`.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, ValidationError

from podtune.core.clock import Clock, utc_now
from podtune.core.errors import DoubtfulError, NotFoundError, PodtuneError, ProviderError
from podtune.core.job import Instance, TerminationProof
from podtune.core.limits import Limits
from podtune.core.units import duration
from podtune.providers.base import InstanceState, LaunchRequest
from podtune.providers.runpod.orders import OrderBook
from podtune.providers.runpod.queue import OVER, Policy, QueueClient, QueueJob, QueueStatus

FILE: Final = "queue-job.json"

_STATES: Final = {
    QueueStatus.IN_QUEUE: InstanceState.STARTING,
    QueueStatus.IN_PROGRESS: InstanceState.RUNNING,
    QueueStatus.RUNNING: InstanceState.RUNNING,
}


class Placed(BaseModel):
    """A job that RunPod has taken."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str
    """The order's."""
    id: str
    at: datetime


def instance_id(endpoint: str, job_id: str) -> str:
    """How a job of an endpoint is called here."""
    return f"{endpoint}/{job_id}"


def parts(instance: str) -> tuple[str, str]:
    """Endpoint and job of an instance's id; empty ones of what is none."""
    endpoint, _, job_id = instance.partition("/")
    return endpoint, job_id


def placed(folder: Path, name: str) -> Placed | None:
    """What an order under this name became, as far as it is on disk."""
    try:
        found = Placed.model_validate_json((folder / FILE).read_bytes())
    except (OSError, ValidationError):
        return None
    return found if found.name == name else None


def note(folder: Path, found: Placed) -> None:
    """Write down, all at once, what an order became."""
    temporary = (folder / FILE).with_suffix(".tmp")
    temporary.write_text(found.model_dump_json(), encoding="utf-8")
    temporary.replace(folder / FILE)


class QueueProvider:
    """Sends, observes and ends jobs of one account's endpoints."""

    def __init__(self, queue: QueueClient, limits: Limits, *, clock: Clock = utc_now) -> None:
        """`clock` gives aware UTC; `proof_window_s` is used."""
        self._queue, self._limits, self._clock = queue, limits, clock
        self._over_since: dict[str, datetime] = {}
        self._asked: set[str] = set()

    def launch(self, request: LaunchRequest) -> Instance:
        """Send the job, once for a name, or say what was sent under it.

        Raises:
            DoubtfulError: it may have been sent; only the job's store knows.
            PodtuneError: RunPod took nothing, see `QueueClient.run`.
        """
        name, book = request.name, OrderBook(request.folder)
        known = placed(request.folder, name)
        if known is not None:
            return Instance(id=known.id, name=name, started_at=known.at)
        if book.open_since(name) is not None:
            raise _sent_before(name)
        work = request.queued
        if work is None:
            raise ProviderError(f"{name} says nothing to send", code="launch_failed")
        request.confirm()
        now = self._clock()
        try:
            book.begin(name, now)
        except FileExistsError:
            raise _sent_before(name) from None
        try:
            job = self._queue.run(work.endpoint, work.given, Policy(work.run_s, work.life_s))
        except DoubtfulError:
            raise
        except PodtuneError:
            book.settle(name)
            raise
        found = Placed(name=name, id=instance_id(work.endpoint, job.id), at=now)
        note(request.folder, found)
        return Instance(id=found.id, name=name, started_at=now)

    def inspect(self, instance_id: str) -> InstanceState:
        """What has become of a job."""
        job = self.look(instance_id)
        return InstanceState.GONE if job is None else state_of(job)

    def look(self, instance_id: str) -> QueueJob | None:
        """A job as RunPod tells it; None where it does not know it any more.

        Raises:
            UnavailableError: RunPod does not answer.
        """
        try:
            return self._queue.status(*parts(instance_id))
        except NotFoundError:
            return None

    def terminate(self, name: str, instance_id: str | None) -> TerminationProof | None:
        """End a job, waiting or running; proof once it has been over for the proof window."""
        return self.end(instance_id, self._limits.proof_window_s)

    def end(self, instance_id: str | None, rests_s: float) -> TerminationProof | None:
        """End a job; proof once it has been over for so long.

        Args:
            instance_id: Of the job; None of one that was surely never sent.
            rests_s: For how long its worker may be billed after it: the endpoint's idle time.

        Raises:
            UnavailableError: RunPod does not answer.
        """
        now = self._clock()
        if instance_id is None:
            return TerminationProof(instance_id=None, absent_at=now, method="nothing was sent")
        job = self.look(instance_id)
        if job is not None and job.status not in OVER:
            self._asked.add(instance_id)
            self._over_since.pop(instance_id, None)
            try:
                self._queue.cancel(*parts(instance_id))
            except NotFoundError:  # over in between: the next look says so
                return None
            return None
        since = self._over_since.setdefault(instance_id, now)
        window = max(rests_s, self._limits.proof_window_s)
        if now - since < timedelta(seconds=window):
            return None
        del self._over_since[instance_id]
        status = "404" if job is None else job.status
        lasted = duration((now - since).total_seconds())
        return TerminationProof(
            instance_id=instance_id,
            ended=int(instance_id in self._asked),
            absent_at=now,
            method=f"RunPod's queue says {status} of it for {lasted}",
        )

    def owned(self, owner: str) -> Sequence[Instance]:
        """Nothing: jobs of a queue have no names and cannot be listed."""
        return ()


def _sent_before(name: str) -> DoubtfulError:
    return DoubtfulError(
        f"{name} was sent before, and whether RunPod took it is not known",
        hint="its store is asked whether a worker has begun",
    )


def state_of(job: QueueJob) -> InstanceState:
    """A job's status as a state of a machine; a status unknown today counts as running."""
    if job.status in OVER:
        return InstanceState.STOPPED
    known = {status.value: state for status, state in _STATES.items()}
    return known.get(job.status, InstanceState.RUNNING)
