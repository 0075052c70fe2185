"""Watching jobs of one endpoint, and noting what held.

Knows what a job's statuses and updates should be like, and why it waits; what is sent, and what follows from
it, is decided in `verify_endpoint`.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

from pydantic import BaseModel, ConfigDict

from podtune.app import endpoint_health, status_form
from podtune.app.verify_plan import VerifyPlan
from podtune.core.clock import Monotonic, Sleep, monotonic, sleep
from podtune.core.errors import NotFoundError, PodtuneError, UnavailableError
from podtune.core.redact import scrub
from podtune.providers.runpod import endpoints
from podtune.providers.runpod.client import RunPodClient
from podtune.providers.runpod.queue import QueueClient, QueueJob, QueueStatus

LOOK_S: Final = 2.0
"""Between two looks at a job; 2,000 looks in 10 s are allowed (runpod.md 4)."""

HOPELESS_S: Final = 60.0
"""A crash loop that lasts so long is one: a single worker may fail and be replaced."""

GRACE_S: Final = 60.0
"""Beyond a job's own limits, for the queue to notice them."""


DETAIL: Final = 400
"""Characters of what a check shows; a worker's error may be a whole traceback."""


class Check(BaseModel):
    """One thing that was to hold."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    ok: bool
    detail: str
    """What was seen."""
    hint: str = ""
    """The next step where it does not hold."""
    lines: tuple[str, ...] = ()
    """What the workers said last, masked, where it does not hold and RunPod still has it."""


class Watch(NamedTuple):
    """How a verification passes the time, and whom it tells."""

    tell: Callable[[str], None]
    """Called with what is new, for people."""
    told: Callable[[Check], None] = lambda _: None
    """Called with each check once it is decided."""
    pause: Sleep = sleep
    clock: Monotonic = monotonic


class Follower:
    """Watches jobs of one endpoint, and collects what held."""

    def __init__(
        self, client: RunPodClient, queue: QueueClient, planned: VerifyPlan, watch: Watch
    ) -> None:
        self._client, self._queue, self._plan, self._watch = client, queue, planned, watch
        self._endpoint = planned.endpoint
        self._words = ""
        self.checks: list[Check] = []

    def check(
        self, name: str, ok: bool, detail: str, hint: str = "", *, with_log: bool = False
    ) -> bool:
        """Note whether something held; with what the workers said last, where that helps."""
        lines: tuple[str, ...] = ()
        if with_log and not ok:
            lines = endpoint_health.last_words(
                self._client, self._endpoint.id, clock=self._watch.clock
            )
        made = Check(
            name=name,
            ok=ok,
            detail=scrub(" ".join(detail.split()))[:DETAIL],
            hint="" if ok else hint,
            lines=lines,
        )
        self.checks.append(made)
        self._watch.told(made)
        return ok

    def submit(self, given: dict[str, object], name: str) -> QueueJob | None:
        """Send a job and look at the answer."""
        try:
            job = self._queue.run(self._endpoint.id, given, self._plan.policy)
        except PodtuneError as error:
            self.check(name, False, error.message, error.hint or "")
            return None
        is_queued = job.status == QueueStatus.IN_QUEUE
        self.check(name, is_queued, f"id {job.id}, status {job.status}")
        return job

    def until(self, job: QueueJob, enough: Callable[[QueueJob], bool]) -> QueueJob | None:
        """Watch a job until it is over or looks enough; None where it is lost or hopeless (and told)."""
        started = self._watch.clock()
        limits = self._plan.policy
        queue_by = started + self._plan.queue_s
        over_by = started + limits.ttl_s + GRACE_S
        updates = _Updates()
        hopeless_since: float | None = None
        running_since: float | None = None
        while True:
            try:
                job = self._queue.status(self._endpoint.id, job.id)
            except NotFoundError:
                self.check(
                    "followed", False, "RunPod does not know the job any more: its ttl is over"
                )
                return None
            now = self._watch.clock()
            self._tell_progress(job, updates)
            if job.is_over or enough(job):
                self._settle_updates(updates)
                return job
            if not job.is_running:
                hopeless_since, words, hint = self._waiting(hopeless_since, now)
                is_lost = hopeless_since is not None and now - hopeless_since >= HOPELESS_S
                if is_lost or now >= queue_by:
                    self.check(
                        "taken by a worker",
                        False,
                        f"IN_QUEUE for {now - started:.0f} s: {words}",
                        hint,
                        with_log=True,
                    )
                    return None
            elif self._is_silent(updates, now - (running_since := running_since or now)):
                return None
            elif now >= over_by:
                self.check(
                    "ended", False, f"it still runs after {now - started:.0f} s, beyond its ttl"
                )
                return None
            self._watch.pause(LOOK_S)

    def _waiting(self, since: float | None, now: float) -> tuple[float | None, str, str]:
        """Since when waiting is hopeless, and why the job waits."""
        try:
            seen = endpoints.workers(self._client, self._endpoint.id)
        except UnavailableError as error:
            return since, f"the workers cannot be looked at ({error.message})", ""
        found = endpoints.diagnose(self._endpoint, seen)
        self._say(f"IN_QUEUE: {found.words}")
        return (
            ((now if since is None else since) if found.is_hopeless else None),
            found.words,
            found.hint,
        )

    def _is_silent(self, updates: "_Updates", running_s: float) -> bool:
        """Whether a job runs for long and has said nothing in podtune's form (and told)."""
        if updates.good or running_s < self._plan.first_status_s:
            return False
        seen = f"{updates.seen} updates in another form" if updates.seen else "no update"
        faults = f": {'; '.join(updates.faults)}" if updates.faults else ""
        self.check(
            "status form",
            False,
            f"IN_PROGRESS for {running_s:.0f} s and {seen}{faults}",
            "is podtune's worker in the endpoint's image? podtune runpod image builds one; another handler is "
            "waited for longer with --first-status",
            with_log=True,
        )
        return True

    def _tell_progress(self, job: QueueJob, updates: "_Updates") -> None:
        if job.is_running and job.has_output:
            updates.add(job.output)
            self._say(f"IN_PROGRESS: {updates.reached:g} %")
        elif job.is_running:
            self._say("IN_PROGRESS")

    def _settle_updates(self, updates: "_Updates") -> None:
        if updates.seen:
            detail = (
                "; ".join(updates.faults)
                or f"{updates.seen} updates seen, progress to {updates.reached:g} %"
            )
            hint = "the worker's handler sends another form than core/wire.py says"
            self.check("status form", not updates.faults, detail, hint)

    def _say(self, words: str) -> None:
        if words != self._words:
            self._words = words
            self._watch.tell(words)

    def release(self, job: QueueJob | None) -> None:
        """Cancel a job that may still run; it is told where that fails."""
        if job is None or job.is_over:
            return
        try:
            self._queue.cancel(self._endpoint.id, job.id)
        except NotFoundError:
            return
        except PodtuneError as error:
            self._watch.tell(
                f"job {job.id} could not be cancelled ({error.message}); it ends after "
                f"{self._plan.policy.execution_s} s: console.runpod.io, Serverless, Requests"
            )


class _Updates:
    """What progress updates were like."""

    def __init__(self) -> None:
        self.seen = 0
        self.good = 0
        """In podtune's form."""
        self.reached = 0.0
        self.faults: list[str] = []
        self._last: object = None

    def add(self, output: object) -> None:
        """Look at an update, once."""
        if output == self._last:
            return
        self._last = output
        self.seen += 1
        found = status_form.faults(output, self.reached)
        self.good += not found
        for fault in found:
            if fault not in self.faults and len(self.faults) < status_form.FAULTS_SHOWN:
                self.faults.append(fault)
        self.reached = max(self.reached, status_form.progress_of(output))
