"""`podtune runpod verify`: a real job on a real endpoint, watched from /run to its end, and one that is cancelled.

    checks = verify_endpoint.verify(client, queue, planned, Watch(tell=print))

Every check holds or is told with what was seen instead. Whatever happens here, no job of it is left running.
"""

from contextlib import suppress
from typing import Final, cast

from pydantic import BaseModel, ConfigDict

from podtune.app import status_form
from podtune.app.verify_following import LOOK_S, Check, Follower, Watch
from podtune.app.verify_plan import NO_DATA, VerifyPlan, another
from podtune.core.errors import PodtuneError
from podtune.providers.runpod import endpoints
from podtune.providers.runpod.client import RunPodClient
from podtune.providers.runpod.queue import QueueClient, QueueJob, QueueStatus

CANCEL_S: Final = 30.0
"""From the request to CANCELLED; RunPod answers it at once (operation reference, 2026-08-20)."""


TOO_QUICK: Final = "give --dataset-url with more rows, so that the job lasts some seconds"


class Verified(BaseModel):
    """What became of a verification."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    endpoint_id: str
    job_id: str | None
    """RunPod's id of the test job; None where it was not taken."""
    checks: tuple[Check, ...]

    @property
    def ok(self) -> bool:
        """Whether everything held."""
        return bool(self.checks) and all(check.ok for check in self.checks)


def verify(client: RunPodClient, queue: QueueClient, planned: VerifyPlan, watch: Watch) -> Verified:
    """Run the test job to its end, then one that is cancelled.

    Args:
        client: The control plane, for workers.
        queue: The job API.
        planned: What is sent; agreed to.
        watch: Waits and tells.

    Raises:
        CredentialsError: the key is not accepted.
        UnavailableError: RunPod does not answer any more; the job was asked to end.
    """
    follower = Follower(client, queue, planned, watch)
    limits = planned.endpoint.workers
    if limits is not None and limits.max == 0:
        found = endpoints.diagnose(planned.endpoint, endpoints.workers(client, planned.endpoint.id))
        follower.check("may have workers", False, found.words, found.hint)
        return Verified(endpoint_id=planned.endpoint.id, job_id=None, checks=tuple(follower.checks))
    job = follower.submit(planned.given, "accepted: {id, status: IN_QUEUE}")
    # where no worker came for the first one, a second would only wait as well
    if job is not None and _run(follower, planned, job):
        _cancelled(follower, queue, planned, watch)
    return Verified(
        endpoint_id=planned.endpoint.id,
        job_id=job.id if job else None,
        checks=tuple(follower.checks),
    )


def _run(follower: Follower, planned: VerifyPlan, job: QueueJob) -> bool:
    """The first job to its end, whatever that is; whether a second one can be cancelled after it."""
    ended: QueueJob | None = None
    try:
        ended = follower.until(job, lambda _: False)
    finally:
        follower.release(ended or job)
    if ended is None:
        return False
    if not planned.has_data and _refused_for_want_of_data(follower, ended):
        return False  # a second one would be over before it could be cancelled
    _judge(follower, ended)
    return True


def _refused_for_want_of_data(follower: Follower, ended: QueueJob) -> bool:
    """Whether podtune's worker says that there are no data, which is all that the placeholder can show."""
    output = ended.output
    if ended.status != QueueStatus.FAILED or not isinstance(output, dict):
        return False
    said = cast("dict[str, object]", output)
    if said.get("error_code") not in NO_DATA:
        return False
    faults = status_form.faults(said)
    follower.check(
        "answered by the worker",
        not faults,
        "; ".join(faults) or f"{said['error_code']}, as it should: {said.get('error_message')}",
        "the worker's handler sends another form than core/wire.py says",
    )
    return True


def _judge(follower: Follower, ended: QueueJob) -> None:
    """What a job that is over came to."""
    if ended.status != QueueStatus.COMPLETED:
        typed = isinstance(ended.output, dict)
        follower.check(
            "completed",
            False,
            f"{ended.status}: {_why(ended)}",
            _hint(ended),
            with_log=not typed,  # what our worker says of its failures is whole
        )
        return
    if not ended.has_output:
        follower.check(
            "completed", False, "COMPLETED without an output: the result was lost, or the handler gave none",
            "a result above 10 MB is lost: a handler returns a reference, never the adapter",
        )  # fmt: skip
        return
    waited, worked = (ended.delay_time or 0) / 1000, (ended.execution_time or 0) / 1000
    follower.check("completed", True, f"{waited:.0f} s in the queue, {worked:.0f} s of work")
    wrong = status_form.result_faults(ended.output)
    detail = "; ".join(wrong) or "status, progress, metrics, adapter_path"
    follower.check("result form", not wrong, detail)


def _cancelled(follower: Follower, queue: QueueClient, planned: VerifyPlan, watch: Watch) -> None:
    """A second job, cancelled as soon as a worker has it."""
    job = follower.submit(another(planned.given), "second job accepted")
    if job is None:
        return
    last: QueueJob = job
    try:
        seen = follower.until(job, lambda one: one.is_running)
        if seen is None:
            return
        last = seen
        if seen.is_over:
            follower.check(
                "cancelled", False, f"{seen.status} before it could be cancelled", TOO_QUICK
            )
            return
        queue.cancel(planned.endpoint.id, job.id)
        started = watch.clock()
        while not last.is_over and watch.clock() - started < CANCEL_S:
            last = queue.status(planned.endpoint.id, job.id)
            if not last.is_over:
                watch.pause(LOOK_S / 2)
        detail = f"{last.status} {watch.clock() - started:.0f} s after the request"
        hint = (
            TOO_QUICK if last.is_over else "look at it at console.runpod.io, Serverless, Requests"
        )
        follower.check("cancelled", last.status == QueueStatus.CANCELLED, detail, hint)
        _heard(follower, queue, planned, watch)
    finally:
        with suppress(PodtuneError):
            follower.release(last)


def _heard(follower: Follower, queue: QueueClient, planned: VerifyPlan, watch: Watch) -> None:
    """Whether the worker let go of the cancelled job; not told where other jobs keep workers busy."""
    started = watch.clock()
    while True:
        seen = queue.health(planned.endpoint.id)
        took = watch.clock() - started
        if seen.jobs.in_progress:
            return
        if not seen.workers.running or took >= CANCEL_S:
            break
        watch.pause(LOOK_S / 2)
    follower.check(
        "cancel heard", not seen.workers.running, f"the worker was free after {took:.0f} s"
        if not seen.workers.running else f"the worker is still busy after {took:.0f} s",
        "an `async def` handler hears a cancel at once; a plain one goes on to its end, and bills",
    )  # fmt: skip


def _why(job: QueueJob) -> str:
    """What a failed job says, in the words of the contract or of RunPod."""
    output = job.output
    if isinstance(output, dict) and output.get("error_message"):  # pyright: ignore[reportUnknownMemberType]
        return f"{output.get('error_code') or 'failed'}: {output['error_message']}"  # pyright: ignore[reportUnknownMemberType]
    return str(job.error or "no reason given")


def _hint(job: QueueJob) -> str:
    output = job.output
    if isinstance(output, dict) and isinstance(output.get("advice"), str):  # pyright: ignore[reportUnknownMemberType]
        return str(output["advice"])  # pyright: ignore[reportUnknownArgumentType]
    if job.status == QueueStatus.TIMED_OUT:
        return "give it more time: --minutes"
    return "read the worker's log at console.runpod.io, Serverless"
