"""What is ordered to fill a network volume: the machine, its name with its deadline, and what it is told.

As with a job's machine, its environment names limits and the sum of a token, and nothing that is secret.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import ROUND_DOWN, Decimal
from pathlib import Path
from typing import Final, NamedTuple

from pydantic import SecretStr

from podtune.app.installation import SigningKey
from podtune.app.pod_order import MOUNT
from podtune.core.cache_filling import FillOrder
from podtune.core.errors import ProviderError
from podtune.core.handover import PORT, pod_environment
from podtune.core.limits import Limits
from podtune.core.offer import Offer
from podtune.providers.base import LaunchRequest, Machine
from podtune.providers.runpod import command, images, names
from podtune.storage.bootstrap_program import bootstrap_program

DISK_GB: Final = 10
"""Container disk: the programs are small, the model goes to the volume."""


class Candidate(NamedTuple):
    """A machine that may be ordered."""

    offer: Offer
    vcpus: int = 0
    """0 for one with a card."""

    @property
    def words(self) -> str:
        """For people."""
        return f"{self.offer.name}, ${self.offer.hourly:.3f}/h"


class Lease(NamedTuple):
    """Where a machine is ordered, and how long it may live."""

    volume: str
    region: str
    hours: float
    max_usd: Decimal | None = None
    """What the machine may cost; None for what its hours cost."""


class Rental(NamedTuple):
    """One machine of a run, before it is ordered."""

    name: str
    """With owner, run, attempt and deadline, as reapers read it."""
    job: str
    attempt: int
    began: datetime
    deadline: datetime
    candidate: Candidate
    lease: Lease


Key = Callable[[str], SecretStr]
"""A machine's name -> its token; the same each time, so it is stored nowhere."""


def key_of(signing: SigningKey) -> Key:
    """The tokens of an installation's cache machines."""
    return lambda name: SecretStr(signing.derive(f"port of {name}"))


def hours_of(lease: Lease, hourly: Decimal) -> float:
    """How long a machine may live: its hours, or as long as the budget lasts."""
    if lease.max_usd is None or hourly <= 0:
        return lease.hours
    return min(lease.hours, float(lease.max_usd / hourly))


def most_usd(lease: Lease, usd: Decimal) -> Decimal:
    """What a machine may cost: what its time costs, and never over the budget."""
    return usd if lease.max_usd is None else min(usd, lease.max_usd)


def rental(
    order: FillOrder, owner: str, lease: Lease, candidate: Candidate, now: datetime
) -> Rental:
    """The machine of an attempt, with its deadline.

    Raises:
        ProviderError: what it is for can be no part of a machine's name.
    """
    deadline = now + timedelta(hours=hours_of(lease, candidate.offer.hourly))
    name = f"pt-{owner}-{order.job}-{order.attempt}-x{int(deadline.timestamp())}"
    if names.parse(name) is None:
        raise ProviderError(f"{name!r} is no name of a machine", code="launch_failed")
    return Rental(name, order.job, order.attempt, now, deadline, candidate, lease)


def request(wanted: Rental, folder: Path, token: SecretStr, limits: Limits) -> LaunchRequest:
    """The order of a machine.

    Args:
        wanted: Of `rental`.
        folder: Of the run; orders are written down there.
        token: Opens the machine's port; its sum is told.
        limits: Those that the machine keeps by itself.
    """
    offer = wanted.candidate.offer
    hours = Decimal(str((wanted.deadline - wanted.began).total_seconds())) / 3600
    figures = {
        "DEADLINE": int(wanted.deadline.timestamp()),
        "STARTED": int(wanted.began.timestamp()),
        "MAX_USD": most_usd(wanted.lease, offer.hourly * hours).quantize(
            Decimal("0.000001"), rounding=ROUND_DOWN
        ),
        "USD_PER_HOUR": offer.hourly,
        "BOOT_LIMIT_S": limits.boot_limit_s,
        "SILENCE_LIMIT_S": limits.silence_limit_s,
        "UPLOAD_RESERVE_S": 0,
        "KEEP_ON_FAILURE_S": 0,
    }
    told = pod_environment(
        job=wanted.job, attempt=wanted.attempt, token=token.get_secret_value(), figures=figures
    )
    machine = Machine(
        offer=offer,
        image=images.DEFAULT,
        command=command.python_command(bootstrap_program()),
        http_ports=(PORT,),
        disk_gb=DISK_GB,
        volume_gb=0,
        mount_path=MOUNT,
        volume=wanted.lease.volume,
        region=wanted.lease.region,
        min_cuda=None,  # no card is used: any host will do
        vcpus=wanted.candidate.vcpus,
    )
    return LaunchRequest(wanted.name, folder, told, machine)
