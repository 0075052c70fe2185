"""What exists, as one list of the account shows it at one moment."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final, NamedTuple

from podtune.core.errors import UnavailableError
from podtune.core.job import Instance
from podtune.providers.base import InstanceState
from podtune.providers.runpod import names, wire
from podtune.providers.runpod.client import is_pod_id

TERMINATED: Final = "TERMINATED"
"""A pod that is gone for good; where a list still shows it, it costs nothing."""

_STATES: Final[Mapping[str, InstanceState]] = {
    "PROVISIONING": InstanceState.STARTING,
    "STARTING": InstanceState.STARTING,
    "EXITED": InstanceState.STOPPED,
    "ERROR": InstanceState.STOPPED,
    TERMINATED: InstanceState.GONE,
}
"""Of a pod that is not RUNNING; a word unknown today is of a machine that exists and is billed."""

MOST_USD: Final = Decimal(1_000_000)
"""A larger amount is a fault of theirs; the dearest machine of 2026-11 costs some 50 $ an hour."""

_LONG_AGO: Final = datetime(1970, 1, 1, tzinfo=UTC)


class GpuUse(NamedTuple):
    """How busy one card is, percent; None where RunPod does not say."""

    util: float | None
    memory_util: float | None


class PodFacts(NamedTuple):
    """One pod, as a list shows it."""

    id: str
    name: str
    state: InstanceState
    status: str
    """RunPod's own word."""
    usd_per_hour: Decimal | None
    """None where RunPod does not say; 0 counts as not said while the pod runs."""
    gpu: str | None
    region: str | None
    cuda: str | None
    created_at: datetime | None
    uptime_s: float | None
    """Since the container started: it falls when the container was started again."""
    gpus: tuple[GpuUse, ...]
    ssh: tuple[str, ...]
    """Commands that open a shell, the fullest first."""

    def instance(self, now: datetime) -> Instance:
        """The same as the workflow knows it; `now` where RunPod does not say when it began."""
        return Instance(
            id=self.id,
            name=self.name,
            started_at=self.created_at or now,
            usd_per_hour=self.usd_per_hour or Decimal(0),
            gpu=self.gpu,
            region=self.region,
        )


class Listing(NamedTuple):
    """All pods of the account whose names are of our form, at one moment."""

    asked_at: datetime
    """Before the request was sent: what was done after this may be missing."""
    pods: Mapping[str, PodFacts]
    """By id; pods that are gone for good are left out."""

    def named(self, name: str) -> list[PodFacts]:
        """Pods of exactly this name, the oldest first."""
        found = [pod for pod in self.pods.values() if pod.name == name]
        return sorted(found, key=lambda pod: (pod.created_at or _LONG_AGO, pod.id))

    def owned(self, owner: str) -> list[PodFacts]:
        """Pods of one installation."""
        return [pod for pod in self.pods.values() if names.is_owned(pod.name, owner)]


def listing(asked_at: datetime, pages: Iterable[wire.PodList]) -> Listing:
    """Ours of everything that a list named.

    Raises:
        UnavailableError: one of ours has no id that an address may hold: it can be neither ended nor
            left out, and its port's address would lead anywhere.
    """
    ours = [
        facts(pod)
        for page in pages
        for pod in page.pods
        if (pod.name or "").startswith(names.PREFIX) and pod.status != TERMINATED
    ]
    if any(not is_pod_id(pod.id) for pod in ours):
        raise UnavailableError("RunPod's list names a pod without an id", code="vendor_answer")
    return Listing(asked_at, {pod.id: pod for pod in ours})


def facts(pod: wire.Pod) -> PodFacts:
    """A pod in our words."""
    runtime = pod.runtime or wire.Runtime()
    ssh = pod.ssh or wire.Ssh()
    ways = (ssh.direct, ssh.proxy)
    return PodFacts(
        id=pod.id,
        name=pod.name or "",
        state=_state(pod.status or "", runtime.uptime),
        status=pod.status or "",
        usd_per_hour=money(pod.cost),
        gpu=pod.gpu.id if pod.gpu else pod.cpu.id if pod.cpu else None,
        region=pod.data_center_id,
        cuda=pod.cuda_version,
        created_at=moment(pod.created_at),
        uptime_s=runtime.uptime,
        gpus=tuple(GpuUse(card.util, card.memory_util) for card in runtime.gpus or ()),
        ssh=tuple(way.command for way in ways if way and way.command),
    )


def money(value: Decimal | None) -> Decimal | None:
    """Dollars as RunPod says them; None for what is no amount."""
    is_amount = value is not None and value.is_finite() and 0 <= value <= MOST_USD
    return value if is_amount else None


def moment(text: str | None) -> datetime | None:
    """A time of RunPod's, aware; None where there is none that can be read."""
    try:
        found = datetime.fromisoformat(text) if text else None
    except ValueError:
        return None
    return found if found is None or found.tzinfo else found.replace(tzinfo=UTC)


def _state(status: str, uptime_s: float | None) -> InstanceState:
    """RUNNING is reported while the image is still pulled: only an uptime says that it runs."""
    if status == "RUNNING":
        return InstanceState.RUNNING if uptime_s else InstanceState.STARTING
    return _STATES.get(status, InstanceState.STARTING)
