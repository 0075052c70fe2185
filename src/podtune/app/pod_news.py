"""News of a worker on a pod, appended to the job's own files: by its port, or by its log stream."""

from datetime import datetime, timedelta
from typing import Final

from podtune.app import pod_order
from podtune.app.inbox import Inbox
from podtune.app.pod_logs import PodLogs
from podtune.app.settings import Settings
from podtune.core.clock import Clock
from podtune.core.handover import PodStatus
from podtune.core.job import Job
from podtune.storage.places import BundleStore, StoreKey
from podtune.storage.pod_port import PodPort
from podtune.workflow.folder import JobFolder
from podtune.workflow.steps import Heard

LOOK: Final = timedelta(seconds=15)
"""How long one look reads at most: a machine that never comes to an end must not hold up its own."""

ASK_EVERY: Final = timedelta(seconds=10)
"""Between two looks into the store of a machine that does not answer."""


class PodNews:
    """Remembers for each job how far it was read."""

    def __init__(self, settings: Settings, logs: PodLogs, clock: Clock) -> None:
        """Nothing is read yet."""
        self._home, self._jobs = settings.home, settings.jobs
        self._logs, self._clock = logs, clock
        self._inboxes: dict[str, Inbox] = {}
        self._ask_at: dict[str, datetime] = {}

    def read(self, job: Job, port: PodPort, status: PodStatus) -> None:
        """Append what the machine has and this one has not; the next look goes on."""
        inbox, until = self._inbox(job), self._clock() + LOOK
        while inbox.events_after < status.events_bytes and self._clock() < until:
            tail = port.events(inbox.events_after)
            before = inbox.events_after
            inbox.take_events(tail.block)
            if inbox.events_after == before:  # a line still being written
                break
        while inbox.log_after < status.log_bytes and self._clock() < until:
            tail = port.log(inbox.log_after)
            if not tail.block:
                break
            inbox.take_log(tail.block)

    def by_stream(self, job: Job, store: BundleStore) -> Heard:
        """Events by the container's log, and the outcome by the store: either may outlive the port."""
        inbox = self._inbox(job)
        key = pod_order.event_key(self._home, job).get_secret_value()
        lines = self._logs.new(job.instance_id or "", "container")
        spoke = sum(inbox.take_signed(line.line, key) for line in lines) > 0
        now = self._clock()
        if now < self._ask_at.get(job.id, now):
            return Heard(accepted=spoke, at=self._clock() if spoke else None)
        self._ask_at[job.id] = now + ASK_EVERY
        result = store.outcome(StoreKey(job.id, job.attempt))
        if result is not None:
            spoke = inbox.take_result(result, self._clock()) or spoke
        at = self._clock() if spoke else None
        return Heard(accepted=spoke, at=at, searched=result is None)

    def forget(self, job: Job) -> None:
        """The machine is gone: nothing more will come."""
        self._inboxes.pop(job.id, None)
        self._ask_at.pop(job.id, None)

    def _inbox(self, job: Job) -> Inbox:
        known = self._inboxes.get(job.id)
        if known is None or known.attempt != job.attempt:
            known = self._inboxes[job.id] = Inbox(
                JobFolder(self._jobs / job.id), job.id, job.attempt
            )
        return known
