"""What an account at the stand-in cloud owns: plain state, changed by the modules beside this one.

Nothing here answers requests or moves time on its own.
"""

import random
import string
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Final, NamedTuple

from podtune.testing.clock import Clock
from podtune.testing.executor import PodExecutor
from podtune.testing.faults import FaultKind, Faults
from podtune.testing.logs import LogBook
from podtune.testing.options import CloudOptions

JOURNAL_LINES: Final = 10_000
"""Kept of the journal; older lines are forgotten."""
_SIGNS: Final = string.ascii_lowercase + string.digits


class Happening(NamedTuple):
    """One line of the journal: what a person at `podtune dev cloud` wants to see."""

    number: int
    """Counts up from 1."""
    at: datetime
    what: str
    """`created`, `running`, `ended`, `restarted`, `stopped`, `terminated`, `fault`, ..."""
    pod_id: str = ""
    name: str = ""
    detail: str = ""


@dataclass
class Pod:
    """A pod; `pod_lifecycle` alone changes its status."""

    id: str
    name: str
    image: str
    args: str
    env: dict[str, str]
    ports: list[str]
    disk_gb: int
    persistent: tuple[int, str] | None
    """Size in GB and path of its own disk."""
    network: tuple[str, str] | None
    """Id and path of a network volume."""
    gpu_id: str
    gpu_count: int
    cloud: str
    data_center: str
    cuda: str | None
    usd_per_hour: Decimal
    """All its cards, while it is not stopped."""
    key: str
    """The pod-scoped API key in its environment."""
    created_at: datetime
    number: int = 0
    """Counts the account's pods, from 1."""
    registry: str | None = None
    template: str | None = None
    global_networking: bool = False
    start_ssh: bool = False
    cpu: tuple[str, int, int] | None = None
    """Flavour, virtual cores and GB of memory of a machine without a card."""
    status: str = "PROVISIONING"
    is_locked: bool = False
    due: datetime | None = None
    """When its next step comes by itself."""
    started_at: datetime | None = None
    """Start of the container that runs now (or ran last)."""
    has_container: bool = False
    starts: int = 0
    """Containers started so far."""
    terminated_at: datetime | None = None
    billed_to: datetime | None = None
    fates: dict[FaultKind, float] = field(default_factory=dict[FaultKind, float])
    """Faults drawn for it, with their seconds."""
    fate_due: datetime | None = None
    """When an eviction comes."""
    logs: LogBook = field(default_factory=LogBook)


@dataclass
class Volume:
    """A network volume."""

    id: str
    name: str
    size_gb: int
    data_center: str
    kind: str
    """STANDARD or HIGH_PERFORMANCE."""
    billed_to: datetime


@dataclass
class Template:
    """A template: the settings of a container under a name."""

    id: str
    settings: dict[str, object]
    """As the wire has them, without the id; no `mounts` key when there is none."""


@dataclass
class Registry:
    """Credentials of a private image registry; what was given is never told again."""

    id: str
    name: str


@dataclass
class Endpoint:
    """A serverless endpoint: settings only; the queue and its workers are `testing.serverless`."""

    id: str
    settings: dict[str, object]
    """As the wire has them: name, type, image, args, env, workers, scaling, timeout, ..."""
    created_at: datetime
    version: int = 1
    releases: list[dict[str, object]] = field(default_factory=list[dict[str, object]])

    @property
    def is_queue(self) -> bool:
        """A queue endpoint, not a load balancer."""
        return self.settings["type"] == "QUEUE"


WorkersOf = Callable[[Endpoint], Sequence[dict[str, object]]]


@dataclass
class Account:
    """Everything one stand-in cloud knows."""

    clock: Clock
    random: random.Random
    executor: PodExecutor
    options: CloudOptions
    faults: Faults
    pods: dict[str, Pod] = field(default_factory=dict[str, Pod])
    """Terminated ones too, until they are forgotten."""
    live: dict[str, Pod] = field(default_factory=dict[str, Pod])
    """Those of them that are not terminated."""
    volumes: dict[str, Volume] = field(default_factory=dict[str, Volume])
    templates: dict[str, Template] = field(default_factory=dict[str, Template])
    registries: dict[str, Registry] = field(default_factory=dict[str, Registry])
    endpoints: dict[str, Endpoint] = field(default_factory=dict[str, Endpoint])
    pod_keys: dict[str, str] = field(default_factory=dict[str, str])
    """Pod-scoped keys, those of pods long gone too, with their pod's id."""
    ssh_keys: list[str] = field(default_factory=list[str])
    spent_usd: Decimal = Decimal(0)
    journal: deque[Happening] = field(default_factory=lambda: deque(maxlen=JOURNAL_LINES))
    workers_of: WorkersOf = lambda endpoint: ()
    """Workers of an endpoint as the wire has them; set by `testing.serverless`."""
    on_endpoint_deleted: Callable[[Endpoint], None] = lambda endpoint: None
    """Told when an endpoint is gone; set by `testing.serverless`."""
    _ids: set[str] = field(default_factory=set[str])
    _happened: int = 0
    _pods_made: int = 0

    @property
    def now(self) -> datetime:
        """The cloud's time."""
        return self.clock.now()

    @property
    def balance_usd(self) -> Decimal:
        """What is left, as far as it was metered."""
        return self.options.balance_usd - self.spent_usd

    def new_id(self, length: int = 14) -> str:
        """A fresh id, like RunPod's own; none is given twice."""
        while True:
            made = "".join(self.random.choices(_SIGNS, k=length))
            if made not in self._ids:
                self._ids.add(made)
                return made

    def new_key(self, pod_id: str) -> str:
        """A pod-scoped API key."""
        signs = string.ascii_uppercase + string.digits
        key = "rpa_" + "".join(self.random.choices(signs, k=40))
        self.pod_keys[key] = pod_id
        return key

    def next_pod_number(self) -> int:
        """The number of the next pod, from 1."""
        self._pods_made += 1
        return self._pods_made

    def note(self, what: str, pod: Pod | None = None, detail: str = "") -> None:
        """Write a line of the journal."""
        self._happened += 1
        pod_id, name = (pod.id, pod.name) if pod else ("", "")
        self.journal.append(Happening(self._happened, self.now, what, pod_id, name, detail))

    def live_pods(self) -> list[Pod]:
        """Pods that are not terminated, oldest first."""
        return list(self.live.values())
