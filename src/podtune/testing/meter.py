"""What everything at the stand-in cloud costs: rates, and a meter that books them hour by hour.

Money is `Decimal` and only ever grows; it is metered to the microsecond.
"""

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final, NamedTuple

from podtune.testing.account import Account, Pod, Volume

HOURS_PER_MONTH: Final = 730
"""365.25 x 24 / 12, rounded; how RunPod converts monthly prices is not documented."""
DISK_RUNNING: Final = Decimal("0.10") / HOURS_PER_MONTH
"""USD per GB and hour: container disk, and a pod's volume while it runs (runpod.md 3, 2026-11-22)."""
DISK_STOPPED: Final = Decimal("0.20") / HOURS_PER_MONTH
"""A pod's volume while it is stopped."""
NETWORK_SMALL: Final = Decimal("0.07") / HOURS_PER_MONTH
"""A network volume below 1,000 GB."""
NETWORK_LARGE: Final = Decimal("0.05") / HOURS_PER_MONTH
HOUR: Final = timedelta(hours=1)
_HOUR_US: Final = Decimal(3_600_000_000)


class Entry(NamedTuple):
    """Where a charge is booked."""

    family: str
    id: str
    component: str
    hour: datetime


class Meter:
    """Books what everything costs.

    Args:
        account: Whose balance falls.
    """

    def __init__(self, account: Account) -> None:
        self._account = account
        self._booked: defaultdict[Entry, Decimal] = defaultdict(Decimal)
        self._totals: defaultdict[str, Decimal] = defaultdict(Decimal)

    @property
    def booked(self) -> Mapping[Entry, Decimal]:
        """All charges by hour."""
        return self._booked

    def total(self, thing_id: str) -> Decimal:
        """What one thing has cost so far, as far as it was settled."""
        return self._totals[thing_id]

    def settle(self) -> None:
        """Charge everything up to now."""
        for pod in self._account.live_pods():
            self.settle_pod(pod)
        for volume in self._account.volumes.values():
            self.settle_volume(volume)

    def settle_pod(self, pod: Pod, to: datetime | None = None) -> None:
        """Charge a pod up to a time (now), at the rates of the status it has had since the last one."""
        to = to or self._account.now
        if pod.billed_to is None or pod.terminated_at is not None or to <= pod.billed_to:
            return
        for component, rate in pod_rates(pod).items():
            self.charge("pods", pod.id, component, rate, (pod.billed_to, to))
        pod.billed_to = to

    def settle_volume(self, volume: Volume) -> None:
        """Charge a network volume up to now."""
        now = self._account.now
        rate = (NETWORK_SMALL if volume.size_gb < 1_000 else NETWORK_LARGE) * volume.size_gb
        component = "standard" if volume.kind == "STANDARD" else "high"
        if now > volume.billed_to:
            span = (volume.billed_to, now)
            self.charge("network-volumes", volume.id, component, rate, span)
            volume.billed_to = now

    def charge(
        self,
        family: str,
        thing_id: str,
        component: str,
        usd_per_hour: Decimal,
        span: tuple[datetime, datetime],
    ) -> Decimal:
        """Book a span of time at a price, hour by hour.

        Returns:
            The amount.
        """
        start, end = span
        amount = Decimal(0)
        while start < end:
            hour = start.replace(minute=0, second=0, microsecond=0)
            until = min(end, hour + HOUR)
            part = usd_per_hour * Decimal((until - start) // timedelta(microseconds=1)) / _HOUR_US
            self._booked[Entry(family, thing_id, component, hour)] += part
            amount += part
            start = until
        self._totals[thing_id] += amount
        self._account.spent_usd += amount
        return amount


def pod_rates(pod: Pod) -> dict[str, Decimal]:
    """What a pod costs by component, USD per hour, in its status."""
    volume_gb = pod.persistent[0] if pod.persistent else 0
    if pod.status in ("EXITED", "TERMINATED"):
        return {"disk": DISK_STOPPED * volume_gb} if volume_gb else {}
    return {"gpu": pod.usd_per_hour, "disk": DISK_RUNNING * (pod.disk_gb + volume_gb)}
