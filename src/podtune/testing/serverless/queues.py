"""The serverless side of the stand-in cloud: one queue and one fleet of workers for each endpoint.

Routes (`client_routes`, `worker_routes`) call it under the cloud's lock; `service` joins it to a cloud.
"""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from podtune.testing.http import Response, json_response
from podtune.testing.serverless.endpoint import BASE_PATH, IDLE_CAPS, Endpoint, Host
from podtune.testing.serverless.fleet import Fleet
from podtune.testing.serverless.jobs import REPORT_LIMIT, QueuedJob
from podtune.testing.serverless.policy import (
    CALLS_PER_WINDOW,
    RUN_BODY_BYTES,
    RUNSYNC_BODY_BYTES,
    CallCounter,
    Policy,
)
from podtune.testing.serverless.queue import EndpointQueue
from podtune.testing.serverless.webhooks import Poster, Webhooks, post_in_background
from podtune.testing.serverless.worker import WorkerTimes


class ServerlessOptions(NamedTuple):
    """How the queue behaves."""

    take_hold_s: float = 30.0
    """A call for work is held so long before 204. Ours: below the 90 s at which the SDK hangs up."""
    report_limit_s: float = REPORT_LIMIT.total_seconds()
    """A job that its worker does not name for so long is given out again."""
    times: WorkerTimes = WorkerTimes()
    calls_per_window: Mapping[str, int] = CALLS_PER_WINDOW
    region: str = "u1"
    """End of a job's id."""
    is_webhook_open: bool = False
    """Webhooks of other machines are called too."""


class Asked(NamedTuple):
    """A job as it was asked for."""

    input: object
    policy: Policy
    webhook: str | None
    s3_config: object
    is_sync: bool
    """By `/runsync`."""
    kept: timedelta
    """How long the result is kept after the end."""


@dataclass
class Line:
    """What belongs to one endpoint."""

    queue: EndpointQueue
    fleet: Fleet
    used_at: datetime
    """The last job's submission, or when it was made."""
    cap: int | None = None
    """The cap of idle endpoints that was put on it last."""


class Serverless:
    """The queues of one account.

    Args:
        host: The cloud.
        options: How it behaves.
        post: Sends webhooks; None for real calls from a thread.
    """

    def __init__(
        self, host: Host, options: ServerlessOptions | None = None, post: Poster | None = None
    ) -> None:
        self.host = host
        self.options = options or ServerlessOptions()
        self.calls = CallCounter(self.options.calls_per_window)
        self._webhooks = Webhooks(
            post or post_in_background(host.lock),
            host.clock.now,
            is_open=self.options.is_webhook_open,
        )
        self._lines: dict[str, Line] = {}

    def workers(self, endpoint: Endpoint) -> list[dict[str, object]]:
        """The workers of an endpoint as REST v2 shows them; those that are told to end left out."""
        fleet, now = self.line(endpoint).fleet, self.host.clock.now()
        return [
            worker.view(endpoint, fleet.state(worker), now)
            for worker in fleet.workers.values()
            if worker.leave_by is None
        ]

    def line(self, endpoint: Endpoint) -> Line:
        """The queue and the workers of an endpoint."""
        line = self._lines.get(endpoint.id)
        if line is None:
            address = f"{self.host.base_url}{BASE_PATH}/{endpoint.id}"
            key = f"{self.host.random.getrandbits(160):040x}"
            queue = EndpointQueue(self._ended)
            fleet = Fleet(self.host, queue, address, key, self.options.times)
            queue.on_stop = fleet.told_to_stop
            line = self._lines[endpoint.id] = Line(queue, fleet, endpoint.created_at)
        return line

    def submit(self, endpoint: Endpoint, asked: Asked) -> QueuedJob:
        """Queue a job."""
        line = self.line(endpoint)
        now = self.host.clock.now()
        name = (
            f"{uuid.UUID(int=self.host.random.getrandbits(128), version=4)}-{self.options.region}"
        )
        job = QueuedJob(
            id=f"sync-{name}" if asked.is_sync else name,
            input=asked.input,
            policy=asked.policy,
            submitted_at=now,
            kept=asked.kept,
            webhook=asked.webhook,
            s3_config=asked.s3_config,
            result_bytes=RUNSYNC_BODY_BYTES if asked.is_sync else RUN_BODY_BYTES,
            report_limit=timedelta(seconds=self.options.report_limit_s),
        )
        line.queue.submit(job)
        line.used_at, line.cap = now, None
        self.tick()
        return job

    def hold(self, attempt: Callable[[datetime], Response | None], until: datetime) -> Response:
        """Answer a call now, or have it asked again until a time.

        Args:
            attempt: Gives the answer once there is one. It is called with the time, under the lock;
                from `until` on it must give one.
            until: How long it may take.
        """

        def again() -> Response | None:
            with self.host.lock:
                self.tick()
                return attempt(min(self.host.clock.now(), until))

        return again() or Response(200, later=again)

    def tick(self) -> None:
        """Bring queues and workers to where the clock says."""
        now = self.host.clock.now()
        for endpoint_id in self.host.endpoint_ids():
            endpoint = self.host.endpoint(endpoint_id)
            if endpoint is not None and endpoint.is_queue:
                self._tick_line(endpoint, now)
        for endpoint_id in [i for i in self._lines if self.host.endpoint(i) is None]:
            line = self._lines.pop(endpoint_id)
            line.queue.cancel_all(now)
            line.fleet.close()
        self._webhooks.tick(now)

    def next_event(self) -> datetime | None:
        """When time alone will change something next."""
        times = [line.queue.next_event() for line in self._lines.values()]
        times += [line.fleet.next_event() for line in self._lines.values()]
        times.append(self._webhooks.next_event())
        return min((time for time in times if time is not None), default=None)

    def close(self) -> None:
        """Remove every worker."""
        for line in self._lines.values():
            line.fleet.close()

    def _tick_line(self, endpoint: Endpoint, now: datetime) -> None:
        line = self.line(endpoint)
        line.queue.tick(now)
        idle = now - line.used_at
        cap = next((cap for limit, cap in IDLE_CAPS if idle >= limit), None)
        if cap is not None and cap != line.cap:
            line.cap = cap
            if endpoint.workers_max > cap:
                self.host.cap_workers(endpoint.id, cap)
                endpoint = self.host.endpoint(endpoint.id) or endpoint
        line.fleet.tick(endpoint, now)

    def _ended(self, job: QueuedJob) -> None:
        if job.webhook is not None and job.finished_at is not None:
            self._webhooks.add(job.webhook, job.callback(), job.finished_at)


def refusal(status: int, text: str) -> Response:
    """An error as the queue tells it: `{"error": ...}`, not a problem document."""
    return json_response({"error": text}, status)
