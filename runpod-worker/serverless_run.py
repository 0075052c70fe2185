"""One job on a serverless worker, from dispatch to result.

Training happens in `serverless_job.py`, a process of its own; this side only watches, tells and ends. It
never blocks the event loop.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import serverless_advice
import serverless_callback
import serverless_claim
import serverless_endings
import serverless_order
from podtune.core.errors import ConflictError
from podtune.core.states import WireStage
from podtune.core.wire import AddressedStatus
from podtune.workflow.folder import EventTail, JobFolder
from serverless_child import SAVE_S, STOP_S, Child
from serverless_claim import Claim
from serverless_closing import Closing
from serverless_farewell import Farewell
from serverless_hours import Hours
from serverless_order import LOG, JobOrder, Outcome
from serverless_places import child_environment
from serverless_request import Request
from serverless_sender import Sender
from serverless_waiting import first, whole
from status_manager import StatusManager, Throttle, wire

if TYPE_CHECKING:
    from serverless_worker import Worker

log = logging.getLogger("podtune.worker")


class GivenUpError(Exception):
    """The job goes on elsewhere: nothing may be posted for it here."""


@dataclass
class JobRun:
    """One job on one worker."""

    worker: "Worker"
    job: Mapping[str, Any]
    request: Request
    external: str
    manager: StatusManager

    def __post_init__(self) -> None:
        self.asked, terms = self.request.asked, self.request.terms
        self.folder = self.worker.places.job(self.asked.job_id)
        self.claim = Claim(
            self.folder,
            self.worker.worker_id,
            self.worker.process,
            asked_attempt=terms.attempt,
        )
        self.closing = Closing(self.asked.job_id, terms, self.request.upload, self.request.policy)
        self.hours = Hours(self.request)
        self.sender = Sender(self.job, self.worker.update)
        self.throttle = Throttle(self.worker.every_s)

    async def settled(self, farewell: Farewell) -> Outcome:
        """The job's outcome: of an earlier attempt that completed, or of one made now.

        Raises:
            GivenUpError: it goes on elsewhere.
        """
        try:
            return await self._settled(farewell)
        except GivenUpError:
            raise
        except Exception as error:  # noqa: BLE001 - the SDK would send its traceback to the client
            words = serverless_advice.failure(error, self.asked)
            log.warning("job %s: %s (%s)", self.asked.job_id, words.error_code, words.error_message)
            return Outcome(attempt=max(1, self.claim.attempt), result=words)

    async def _settled(self, farewell: Farewell) -> Outcome:
        """See `settled`; whatever else goes wrong rises."""
        earlier = await asyncio.to_thread(self._open)
        if earlier is not None:
            return earlier
        until = self.hours.waits_until()
        taken = await first(self.claim.take(until, self._is_over), farewell.heard)
        if taken is None:
            raise GivenUpError("the worker was asked to end")
        if not taken:
            return await asyncio.to_thread(self._of_another)
        try:
            finished = await asyncio.to_thread(self._completed)
            if finished is not None:  # its worker ended before it could say so
                return finished
            self.request.terms.refuse_late(time.time(), self.request.reserve_s)
            return await self._attempt(farewell)
        finally:
            await whole(asyncio.to_thread(self._leave))

    async def answer(self, outcome: Outcome) -> dict[str, Any]:
        """The result: told to its store and to callback_url, after every update on its way has arrived."""
        for note in await self._closed(outcome):
            log.warning("job %s: %s", self.asked.job_id, note)
            self.manager.warn(note)
        if outcome.is_completed and outcome.status is not None:
            ids = {"external_job_id": self.external}
            return {**outcome.status, **ids}
        if outcome.is_completed:
            self.manager.complete(adapter_path=outcome.adapter_path)
        else:
            self.manager.fail(outcome.result)
        body = await self._told(self.manager.snapshot())
        if outcome.is_completed:
            body |= {
                "adapter_sha256": outcome.adapter_sha256,
                "adapter_bytes": outcome.adapter_bytes,
            }
            kept = outcome.model_copy(update={"status": body})
            await asyncio.to_thread(self._keep, kept)
        await asyncio.to_thread(self.sender.drain)
        log.info("job %s %s", self.asked.job_id, body["status"])
        return body if outcome.is_completed else serverless_endings.failed(body)

    def _asked(self) -> serverless_order.Asked:
        """Whose folder this job's is."""
        bundle = self.request.bundle
        return serverless_order.asked(self.asked, bundle.plan if bundle else None)

    async def _closed(self, outcome: Outcome) -> tuple[str, ...]:
        """Have the orchestrator's store told; what it could not be told."""
        gone, code = threading.Event(), outcome.result.error_code
        ours = self.claim.attempt > 0 and code != serverless_endings.superseded().code
        try:
            return await asyncio.to_thread(
                self.closing.close,
                self.folder if ours else None,
                outcome,
                gone,
                brief=code == serverless_endings.interrupted().error_code,
            )
        except asyncio.CancelledError:
            gone.set()
            raise

    async def _told(self, status: AddressedStatus) -> dict[str, Any]:
        """The status as JSON, once callback_url was told of it."""
        url = self.asked.callback_url
        if url is None:
            return wire(status)
        notes: list[str] = []
        if not self.worker.environment.get("PODTUNE_WEBHOOK_SECRET"):
            notes.append(serverless_callback.UNSIGNED)
        try:
            why = await asyncio.to_thread(serverless_callback.send, url, status)
        except Exception as error:  # noqa: BLE001 - a callback never fails a job
            why = f"callback_url was not told: {type(error).__name__}"
        if why:
            log.warning("job %s: %s", self.asked.job_id, serverless_advice.clean(why))
            notes.append(serverless_advice.clean(why))
        body = wire(status)
        body["warnings"] = [*body["warnings"], *notes]
        return body

    def _open(self) -> Outcome | None:
        """Make the folder; a completed outcome that lies there.

        Raises:
            ConflictError: code `job_id_taken`: the folder is another request's; `superseded`: a later
                attempt has come.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        asked, known = self._asked(), serverless_order.asked_in(self.folder)
        if known is not None and known.digest != asked.digest:
            raise ConflictError(
                f"job_id {self.asked.job_id!r} belongs to another request",
                code="job_id_taken",
                hint="send a job_id of its own with each request",
            )
        if known is None:
            serverless_claim.write_atomically(
                self.folder / serverless_order.ASKED, asked.model_dump(mode="json")
            )
        if not self.claim.call():
            raise serverless_endings.superseded()
        return self._completed()

    def _completed(self) -> Outcome | None:
        """A completed outcome in the folder; what was told of it on the way is taken in.

        One whose adapter went to an earlier attempt's addresses is none: it has to be brought to these.
        """
        outcome = serverless_order.outcome_of(self.folder)
        if outcome is None or not outcome.is_completed:
            return None
        if self.request.upload and outcome.asked_attempt != self.request.terms.attempt:
            return None
        if outcome.status is None:
            self.manager.take_all(EventTail(JobFolder(self.folder).events).read())
        return outcome

    def _is_over(self) -> bool:
        """Whether whoever holds the job has finished it."""
        found = self._completed()
        return found is not None and found.status is not None

    def _of_another(self) -> Outcome:
        """What another worker made of the job while this one waited.

        Raises:
            ConflictError: code `superseded`.
        """
        if self.claim.is_superseded():
            raise serverless_endings.superseded()
        found = self._completed()
        if found is not None:
            return found
        return Outcome(attempt=1, result=serverless_endings.still_running())

    async def _attempt(self, farewell: Farewell) -> Outcome:
        """Start the job's program and follow it to its end."""
        order = JobOrder(
            input=dict(self.job["input"]),
            external_id=self.external,
            attempt=self.claim.attempt,
            places=self.worker.places,
        )
        lost = asyncio.Event()
        beats = asyncio.create_task(
            serverless_claim.keep_alive(self.claim, lost, self.worker.beat_s)
        )
        environment = child_environment(self.worker.environment, self.worker.places)
        try:
            child = Child.start(
                self.worker.program,
                self.folder,
                self.folder / LOG,
                order.model_dump_json().encode(),
                environment,
            )
        except OSError:
            beats.cancel()
            raise
        try:
            return await self._follow(child, farewell, lost)
        finally:
            beats.cancel()
            await whole(child.stop(STOP_S))

    async def _follow(self, child: Child, farewell: Farewell, lost: asyncio.Event) -> Outcome:
        """Tell what the program tells, until it ends or has to."""
        tail = EventTail(JobFolder(self.folder).events)
        while True:
            code = child.code()
            self.manager.take_all(await asyncio.to_thread(lambda: list(tail.read())))
            self._progress()
            if code is not None:
                return await asyncio.to_thread(self._outcome, code)
            if lost.is_set():
                return await self._taken_away(child)
            if farewell.heard.is_set():
                await whole(child.stop(SAVE_S))
                return await self._departed()
            over = self.hours.over(uploading=self.manager.snapshot().stage == WireStage.UPLOADING)
            if over is not None:
                await whole(child.stop(SAVE_S))
                finished = await asyncio.to_thread(self._completed)
                return finished or Outcome(attempt=self.claim.attempt, result=over)
            await asyncio.sleep(self.worker.look_s)

    async def _taken_away(self, child: Child) -> Outcome:
        """Stop for a later attempt: of the orchestrator, which wants the checkpoint, or by another worker.

        Raises:
            ConflictError: code `superseded`.
            GivenUpError: another worker has begun already.
        """
        if await asyncio.to_thread(self.claim.is_lost):
            child.kill()
            raise GivenUpError("a later attempt holds it")
        await whole(child.stop(SAVE_S))
        raise serverless_endings.superseded()

    async def _departed(self) -> Outcome:
        """What becomes of a job whose worker was asked to end: another goes on, where it can."""
        finished = await asyncio.to_thread(self._completed)
        if finished is not None:
            return finished
        if self.worker.places.is_kept:
            raise GivenUpError("the worker was asked to end; its checkpoint is kept")
        words = serverless_advice.failure(serverless_endings.interrupted(), self.asked)
        return Outcome(attempt=self.claim.attempt, result=words)

    def _progress(self) -> None:
        """Send the status where it is due; never two at once."""
        if not self.sender.is_free():
            return
        body = self.manager.to_wire()
        if self.throttle.due(time.monotonic(), body):
            self.sender.send(body)

    def _outcome(self, code: int) -> Outcome:
        """What the program left behind, which has ended with this code."""
        found = serverless_order.outcome_of(self.folder)
        if found is not None and found.attempt == self.claim.attempt:
            return found
        words = serverless_advice.failure(serverless_endings.without_a_word(code), self.asked)
        return Outcome(attempt=self.claim.attempt, result=words)

    def _leave(self) -> None:
        try:
            self.claim.leave()
        except OSError as error:
            log.warning("job %s: cannot let go: %s", self.asked.job_id, error.strerror)

    def _keep(self, outcome: Outcome) -> None:
        """Write the answer down for a second dispatch; a full disk makes no difference to the first."""
        try:
            serverless_claim.write_atomically(
                self.folder / serverless_order.OUTCOME, outcome.model_dump(mode="json")
            )
        except OSError as error:
            log.warning("job %s: the result is not kept: %s", self.asked.job_id, error.strerror)
