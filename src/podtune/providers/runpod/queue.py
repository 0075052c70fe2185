"""RunPod's serverless job API: a job sent, looked at, cancelled. The control plane is `client.py`.

    queue = QueueClient(access)
    job = queue.run("4m7x2k9q", {"job_id": "a"}, Policy(execution_s=3600, ttl_s=7200))
    queue.status("4m7x2k9q", job.id).status

Facts: docs.runpod.io, operation reference and send requests, 2026-08-20 (runpod.md 4). A job is sent once:
there is no name by which a lost one could be found again. Safe for several threads.
"""

import random
import re
from enum import StrEnum
from typing import Final, NamedTuple, Self, TypeVar

import msgspec

from podtune.core.clock import Monotonic, Sleep, monotonic, sleep
from podtune.core.errors import DoubtfulError, NotFoundError, SpecError, UnavailableError
from podtune.providers.runpod import answers
from podtune.providers.runpod.access import RunPodAccess
from podtune.providers.runpod.client import Transport, is_pod_id
from podtune.providers.runpod.sending import TRIES, NotSentError, Received, Sender
from podtune.providers.runpod.serverless_wire import (
    LONGEST_JOB_S,
    SHORTEST_JOB_S,
    SHORTEST_TTL_S,
)

LARGEST_INPUT: Final = 10 * 1024 * 1024
"""Bytes of a `/run` request (operation reference, 2026-08-20)."""

_JOB_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,128}")

Answer = TypeVar("Answer")


class QueueStatus(StrEnum):
    """Where a job stands, in RunPod's words."""

    IN_QUEUE = "IN_QUEUE"
    IN_PROGRESS = "IN_PROGRESS"
    RUNNING = "RUNNING"
    """Documented beside IN_PROGRESS, and never seen."""
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    TIMED_OUT = "TIMED_OUT"


OVER: Final = frozenset(
    {QueueStatus.COMPLETED, QueueStatus.FAILED, QueueStatus.CANCELLED, QueueStatus.TIMED_OUT}
)
"""Statuses that change no more by themselves."""


class Policy(NamedTuple):
    """How long a job may take. Both are always sent: RunPod's own are 10 minutes and 24 hours."""

    execution_s: int
    """From a worker's taking it to its end."""
    ttl_s: int
    """From its submission: at its end the job is deleted, running or not."""

    def checked(self) -> Self:
        """Itself, if RunPod takes it.

        Raises:
            SpecError: a time is out of RunPod's range, or the life is no longer than the run.
        """
        if not SHORTEST_JOB_S <= self.execution_s <= LONGEST_JOB_S:
            what = f"a job may run {SHORTEST_JOB_S} s to 7 days on RunPod, not {self.execution_s} s"
            raise SpecError(what, code="bad_policy", hint="state another time limit")
        if not max(SHORTEST_TTL_S, self.execution_s + 1) <= self.ttl_s <= LONGEST_JOB_S:
            raise SpecError(
                f"a job's life of {self.ttl_s} s must be longer than its run of {self.execution_s} s, and "
                "7 days at most: RunPod deletes it then, even while it runs",
                code="bad_policy",
                hint="leave room for the queue",
            )
        return self


class QueueJob(msgspec.Struct, frozen=True, rename="camel"):
    """A job as `/status`, `/run` and `/cancel` tell it; what is not told is absent or None."""

    id: str
    status: str
    delay_time: float | None = None
    """Milliseconds in the queue."""
    execution_time: float | None = None
    """Milliseconds on a worker."""
    worker_id: str | None = None
    retries: int | None = None
    """How often RunPod gave it out again by itself."""
    output: object = msgspec.UNSET
    """While it runs the newest progress update, at its end the result. A result above 10 MB is lost and
    leaves a COMPLETED without one."""
    error: object = None

    @property
    def is_over(self) -> bool:
        """Whether nothing will change any more; a status unknown today counts as open."""
        return self.status in OVER

    @property
    def is_running(self) -> bool:
        """Whether a worker has it."""
        return self.status in (QueueStatus.IN_PROGRESS, QueueStatus.RUNNING)

    @property
    def has_output(self) -> bool:
        """Whether it put anything out."""
        return self.output is not msgspec.UNSET and self.output is not None


class JobCounts(msgspec.Struct, frozen=True, rename="camel"):
    """Jobs of an endpoint."""

    in_queue: int = 0
    in_progress: int = 0
    completed: int = 0
    failed: int = 0
    retried: int = 0


class WorkerCounts(msgspec.Struct, frozen=True, rename="camel"):
    """Workers of an endpoint, as the queue counts them."""

    idle: int = 0
    initializing: int = 0
    ready: int = 0
    running: int = 0
    throttled: int = 0
    unhealthy: int = 0


class Health(msgspec.Struct, frozen=True, rename="camel"):
    """`GET /health`."""

    jobs: JobCounts = JobCounts()
    workers: WorkerCounts = WorkerCounts()


class QueueClient:
    """Speaks the job API for one account."""

    def __init__(
        self,
        access: RunPodAccess,
        *,
        transport: Transport | None = None,
        sleep: Sleep = sleep,
        clock: Monotonic = monotonic,
        chance: random.Random | None = None,
    ) -> None:
        """`clock` gives monotonic seconds; `transport`, `sleep` and `chance` are for tests.

        Raises:
            CredentialsError: there is no key.
        """
        self._url = access.jobs_url
        self._sender = Sender(access, transport, sleep, clock, chance)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._sender.close()

    def run(self, endpoint_id: str, given: object, policy: Policy) -> QueueJob:
        """Send a job. Sent once, but for answers that say "not now" (429).

        Args:
            endpoint_id: Whose queue.
            given: The handler's input; RunPod shows it to webhooks, so no secret may be in it.
            policy: Its time limits, always sent.

        Raises:
            SpecError: it is larger than RunPod takes, the limits are out of range, or RunPod refuses it.
            NotFoundError: there is no such endpoint.
            DoubtfulError: the answer was lost: the job may run.
            UnavailableError: RunPod was not reached or takes no requests now; nothing runs.
        """
        limits = policy.checked()
        body = {
            "input": given,
            "policy": {
                "executionTimeout": limits.execution_s * 1000,
                "ttl": limits.ttl_s * 1000,
            },
        }
        content = msgspec.json.encode(body)
        if len(content) > LARGEST_INPUT:
            raise SpecError(
                f"the job's input has {len(content):,} bytes; RunPod takes {LARGEST_INPUT:,}",
                code="input_too_large",
                hint="give addresses of data, not the data",
            )
        path = f"{_endpoint(endpoint_id)}/run"
        call = f"POST {path}"
        received = self._ordered(call, path, content)
        for attempt in range(TRIES - 1):
            wait = answers.retry_after_s(received.headers)
            if received.status != 429 or not self._sender.wait_out(wait, attempt):
                break
            received = self._ordered(call, path, content)
        if not received.is_success:
            raise self._refused(call, received)
        try:
            job = _decoded(received.body, QueueJob, call)
        except UnavailableError as error:
            raise _lost(call) from error
        if _JOB_ID.fullmatch(job.id) is None:
            raise _lost(call)
        return job

    def status(self, endpoint_id: str, job_id: str) -> QueueJob:
        """How a job stands.

        Raises:
            NotFoundError: RunPod does not know it: never sent, or its life or its result's 30 minutes are over.
            UnavailableError: RunPod did not answer as it should, several times.
        """
        return self._asked("GET", f"{_endpoint(endpoint_id)}/status/{_job(job_id)}", QueueJob)

    def cancel(self, endpoint_id: str, job_id: str) -> QueueJob:
        """End a job, waiting or running; one that is over stays as it is.

        Raises:
            NotFoundError: RunPod does not know it any more.
            UnavailableError: RunPod did not answer as it should, several times.
        """
        return self._asked("POST", f"{_endpoint(endpoint_id)}/cancel/{_job(job_id)}", QueueJob)

    def health(self, endpoint_id: str) -> Health:
        """Jobs and workers of an endpoint, counted.

        Raises:
            NotFoundError: there is no such endpoint.
            UnavailableError: RunPod did not answer as it should, several times.
        """
        return self._asked("GET", f"{_endpoint(endpoint_id)}/health", Health)

    def _asked(self, method: str, path: str, form: type[Answer]) -> Answer:
        received = self._sender.patiently(method, path, f"{self._url}{path}")
        return _decoded(received.body, form, f"{method} {path}")

    def _ordered(self, call: str, path: str, content: bytes) -> Received:
        try:
            return self._sender.once(call, "POST", f"{self._url}{path}", content=content)
        except NotSentError:
            raise
        except UnavailableError as error:
            raise _lost(call) from error

    def _refused(self, call: str, received: Received) -> Exception:
        if received.status == 400:
            said = answers.problem(received.body).text
            return SpecError(
                f"RunPod's queue does not take the job: {said}",
                code="job_refused",
                hint="look at the endpoint: podtune runpod verify",
            )
        if received.status >= 500:
            return _lost(call)
        return self._sender.refused(call, received)


def _lost(call: str) -> DoubtfulError:
    return DoubtfulError(
        f"RunPod's answer to {call} was lost: the job may run all the same",
        hint="look at console.runpod.io, Serverless, Requests, before it is sent again",
    )


def _endpoint(endpoint_id: str) -> str:
    if not is_pod_id(endpoint_id):
        raise NotFoundError(f"{endpoint_id[:80]!r} is no id of an endpoint")
    return f"/{endpoint_id}"


def _job(job_id: str) -> str:
    if _JOB_ID.fullmatch(job_id) is None:
        raise NotFoundError(f"{job_id[:80]!r} is no id of a job")
    return job_id


def _decoded(body: bytes, form: type[Answer], call: str) -> Answer:
    try:
        return msgspec.json.decode(body, type=form)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        where = str(error) if isinstance(error, msgspec.ValidationError) else "no JSON"
        raise UnavailableError(
            f"RunPod's answer to {call} is not what it documents: {where}",
            code="vendor_answer",
            hint="try again; where it stays so, RunPod has changed: report it",
        ) from None
