"""What the queue must know of an endpoint and of the cloud it belongs to.

The endpoints themselves are made, changed and deleted by REST v2; the queue sees them through this
seam, so that it can be tested without the rest of the cloud.
"""

import random
import threading
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final, NamedTuple, Protocol

from podtune.testing.clock import Clock
from podtune.testing.executor import PodExecutor

BASE_PATH: Final = "/ai/v2"
"""Stands for `https://api.runpod.ai/v2`: jobs and workers. The control plane's `/v2` is another host
there. `RUNPOD_ENDPOINT_BASE_URL` is the cloud's address with this."""

VOLUME_PATH: Final = "/runpod-volume"
"""Where a worker finds its network volume; a pod has it at `/workspace` (docs.runpod.io, network
volumes, read 2026-11-22)."""

IDLE_TIMEOUT_S: Final = 10
"""`workers.idleTimeout` where it is not set (OpenAPI document of REST v2, 2026-08-18)."""

IDLE_CAPS: Final[Sequence[tuple[timedelta, int]]] = (
    (timedelta(days=7), 0),
    (timedelta(days=3), 2),
)
"""An endpoint without requests for so long may have that many workers (runpod.md 0, fact 8)."""


class Endpoint(NamedTuple):
    """An endpoint as it is set now."""

    id: str
    created_at: datetime
    is_queue: bool = True
    """False for a load-balancing endpoint, which has no queue."""
    workers_min: int = 0
    workers_max: int = 3
    idle_timeout_s: int = IDLE_TIMEOUT_S
    queue_delay_s: float | None = 4
    """Scaling by delay: a further worker once a job waits longer. None: scaling by `request_count`."""
    request_count: int = 1
    """Jobs for each worker."""
    timeout_ms: int = 0
    """Default of `policy.executionTimeout`; 0 for none."""
    image: str = ""
    args: str = ""
    env: Mapping[str, str] = {}
    disk_gb: int = 20
    volume_id: str | None = None
    gpu_id: str = ""
    """A card of the endpoint's pools; empty for a CPU endpoint."""
    gpu_count: int = 0
    data_center: str = ""
    usd_per_hour: Decimal = Decimal(0)
    """Of one worker, all its cards."""
    has_capacity: bool = True
    """False while no machine is free for a new worker, or no money for one."""
    version: int = 1
    """Counts changes of what a container is made of; a worker of an older one is stale."""


class Host(Protocol):
    """The cloud, as the queue sees it."""

    @property
    def clock(self) -> Clock:
        """Its time."""
        ...

    @property
    def random(self) -> random.Random:
        """Its one source of chance."""
        ...

    @property
    def lock(self) -> threading.RLock:
        """Held while anything of the cloud is read or changed."""
        ...

    @property
    def executor(self) -> PodExecutor:
        """Runs containers, workers' too."""
        ...

    @property
    def base_url(self) -> str:
        """Where the cloud is reached."""
        ...

    def endpoint(self, endpoint_id: str) -> Endpoint | None:
        """An endpoint of the account, if there is one of that id."""
        ...

    def endpoint_ids(self) -> Sequence[str]:
        """All endpoints of the account."""
        ...

    def cap_workers(self, endpoint_id: str, workers_max: int) -> None:
        """Lower an endpoint's `workers.max`."""
        ...

    def note(self, what: str, detail: str) -> None:
        """Tell a person at the cloud what happens."""
        ...

    def charge(self, endpoint: Endpoint, since: datetime, until: datetime) -> None:
        """Bill the time of one worker."""
        ...

    def accepts(self, key: str) -> bool:
        """Whether it is a key of the account."""
        ...
