"""One worker of a serverless endpoint: its state, its looks on the wire, its environment.

Knows no containers: `fleet` starts and ends them.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from podtune.testing.logs import LogBook
from podtune.testing.serverless.endpoint import Endpoint


class WorkerState(StrEnum):
    """States as REST v2 shows them."""

    INITIALIZING = "INITIALIZING"
    IDLE = "IDLE"
    RUNNING = "RUNNING"
    THROTTLED = "THROTTLED"
    UNHEALTHY = "UNHEALTHY"


class WorkerTimes(NamedTuple):
    """How long the steps of a worker take, in seconds."""

    boot_s: float = 3.0
    """From the decision to the start of the container (placing it, pulling the image)."""
    restart_s: float = 1.0
    """From the end of a container to its next start; doubled for each crash in a row."""
    grace_s: float = 5.0
    """SIGTERM to SIGKILL."""
    stop_limit_s: float = 30.0
    """A worker that still holds a job so long after it was told to stop it is started anew. RunPod
    says that the worker is stopped, and not how soon (docs, endpoint configurations, 2026-02)."""
    ping_interval_s: int = 10
    """`RUNPOD_PING_INTERVAL` / 1000; 10 s is the SDK's default. Whole seconds: the SDK cuts the rest."""


@dataclass
class Worker:
    """One worker."""

    id: str
    version: int
    image: str
    created_at: datetime
    is_ours: bool
    """False for one that somebody else started."""
    start_at: datetime | None
    """When its container is (re)started; None while it runs."""
    started_at: datetime | None = None
    billed_to: datetime | None = None
    """Until when its time was charged; None while no container of ours runs."""
    seen_at: datetime | None = None
    ready_at: datetime | None = None
    """When it first asked for work since its container started."""
    idle_since: datetime | None = None
    leave_by: datetime | None = None
    """Set once it was told to end: by then it is removed."""
    problem: str | None = None
    """Why it is unhealthy."""
    is_throttled: bool = False
    """No machine is free for it."""
    crashes: int = 0
    stopping: dict[str, datetime] = field(default_factory=dict[str, datetime])
    """Jobs it was told to stop and has not let go of, and when it was told."""
    take_poll: int = 0
    stop_poll: int = 0
    """Numbers of its newest calls: an older one that still hangs gets nothing."""
    log: LogBook = field(default_factory=LogBook)

    def view(self, endpoint: Endpoint, state: WorkerState, now: datetime) -> dict[str, object]:
        """The worker as `/v2/serverless/{id}/workers` shows it (OpenAPI document, 2026-08-18)."""
        started = self.started_at
        return {
            "id": self.id,
            "status": state.value,
            "isStale": self.is_ours and self.version != endpoint.version,
            "version": self.version or None,
            "gpuCount": endpoint.gpu_count,
            "image": self.image or None,
            "uptimeSeconds": int((now - started).total_seconds()) if started else None,
            "gpuTypeId": (endpoint.gpu_id or None) if started else None,
            "dataCenterId": (endpoint.data_center or None) if started else None,
            "startedAt": started,
        }


class Desk(NamedTuple):
    """Where the workers of an endpoint get their jobs, and with what."""

    address: str
    """`http://host/ai/v2/ID`."""
    key: str
    """What they show instead of the account's key."""
    ping_interval_s: int


def environment(worker_id: str, endpoint: Endpoint, desk: Desk) -> dict[str, str]:
    """What RunPod gives a worker (docs.runpod.io, environment variables, read 2026-11-22).

    The last two let the SDK's own checks pass on a machine without GPU and network.
    """
    gpu = endpoint.gpu_id.replace(" ", "+") or "none"
    return {
        "RUNPOD_ENDPOINT_ID": endpoint.id,
        "RUNPOD_POD_ID": worker_id,
        "RUNPOD_POD_HOSTNAME": f"{worker_id}-stand-in",
        "RUNPOD_DC_ID": endpoint.data_center,
        "RUNPOD_GPU_COUNT": str(endpoint.gpu_count),
        "RUNPOD_WEBHOOK_GET_JOB": f"{desk.address}/job-take/$ID?gpu={gpu}",
        "RUNPOD_WEBHOOK_POST_OUTPUT": f"{desk.address}/job-done/$RUNPOD_POD_ID/$ID?gpu={gpu}",
        "RUNPOD_WEBHOOK_POST_STREAM": f"{desk.address}/job-stream/$RUNPOD_POD_ID/$ID?gpu={gpu}",
        "RUNPOD_WEBHOOK_PING": f"{desk.address}/ping/$RUNPOD_POD_ID?gpu={gpu}",
        "RUNPOD_PING_INTERVAL": str(desk.ping_interval_s * 1000),
        "RUNPOD_AI_API_KEY": desk.key,
        "RUNPOD_SKIP_GPU_CHECK": "true",
        "RUNPOD_SKIP_AUTO_SYSTEM_CHECKS": "true",
    }
