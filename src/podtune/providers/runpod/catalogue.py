"""What can be rented now: RunPod's catalogue as offers, and the last one read when RunPod is away.

Stock and prices are asked for each cloud by itself, since RunPod answers for one at a time. A stored
catalogue serves only for the address it was read from, and says its age.
"""

import os
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_UP, Decimal
from pathlib import Path
from typing import Final

import msgspec

from podtune.core.clock import Clock, utc_now
from podtune.core.errors import UnavailableError
from podtune.core.offer import Offer, Stock
from podtune.providers.runpod import listing, wire
from podtune.providers.runpod.client import RunPodClient

PROVIDER: Final = "runpod"

DISK_USD_PER_GB_MONTH: Final = Decimal("0.10")
"""Container disk and volume of a running pod; docs.runpod.io/pods/pricing, 2026-08-20."""

HOURS_PER_MONTH: Final = 720
"""30 days: the shorter month gives the dearer hour."""

SNAPSHOT: Final = "catalogue.json"
"""File of a home that holds the last catalogue read."""

LARGEST_SNAPSHOT: Final = 8 * 1024 * 1024

_KEPT_READINGS: Final = 12
"""Of one snapshot: clouds, numbers of cards and CUDA versions asked for."""

_STOCK: Final[Mapping[str, Stock]] = {level.name: level for level in Stock}


@dataclass(frozen=True)
class Wanted:
    """What is looked for; all that asks RunPod, not what fits a job."""

    count: int = 1
    """Cards of one machine."""
    clouds: tuple[str, ...] = ("secure",)
    """`secure` alone for private data, unless somebody says otherwise."""
    min_cuda: str | None = None
    """Least CUDA version of the hosts, `major.minor`."""
    region: str | None = None
    """Only what this data centre has."""
    disk_gb: int = 20
    volume_gb: int = 50


class Reading(msgspec.Struct, frozen=True):
    """A catalogue as it was answered at one moment, for one cloud, count and CUDA version."""

    fetched_at: datetime
    gpus: list[wire.GpuType]


class _Snapshot(msgspec.Struct, frozen=True):
    readings: dict[str, Reading]


def offers(
    client: RunPodClient,
    wanted: Wanted,
    *,
    snapshot: Path | None = None,
    clock: Clock = utc_now,
) -> list[Offer]:
    """What can be rented, the cheapest first; stock `none` included.

    Args:
        client: The account that asks.
        wanted: What is looked for.
        snapshot: File that keeps what was read, for times without RunPod; None keeps nothing.
        clock: Gives aware UTC.

    Raises:
        UnavailableError: RunPod does not answer, and no stored catalogue fits.
        CredentialsError: the key is rejected.
    """
    found: list[Offer] = []
    for cloud in wanted.clouds:
        reading, is_stored = _reading(client, wanted, cloud, snapshot, clock)
        for gpu in reading.gpus:
            offer = _offer(gpu, wanted, cloud, reading.fetched_at, is_stored=is_stored)
            if offer is not None:
                found.append(offer)
    return sorted(found, key=lambda offer: (offer.hourly, offer.gpu, offer.cloud))


def disk_usd_per_hour(size_gb: int) -> Decimal:
    """Dollars an hour of a running pod's disks, rounded up to a millionth.

    >>> disk_usd_per_hour(70)
    Decimal('0.009723')
    """
    hourly = DISK_USD_PER_GB_MONTH * size_gb / HOURS_PER_MONTH
    return hourly.quantize(Decimal("0.000001"), rounding=ROUND_UP)


def _reading(
    client: RunPodClient,
    wanted: Wanted,
    cloud: str,
    snapshot: Path | None,
    clock: Clock,
) -> tuple[Reading, bool]:
    """The catalogue, and whether it is a stored one."""
    key = _key(client.access.rest_url, wanted, cloud)
    query = {"include": "AVAILABILITY", "product": "POD", "cloud": cloud.upper()}
    query["count"] = str(wanted.count)
    if wanted.min_cuda:
        query["minCudaVersion"] = wanted.min_cuda
    try:
        pages = client.pages("/catalog/gpus", wire.GpuList, query)
    except UnavailableError:
        stored = _stored(snapshot).get(key) if snapshot else None
        if stored is None:
            raise
        return stored, True
    live = Reading(clock(), [gpu for page in pages for gpu in page.gpus])
    if snapshot:
        _store(snapshot, {**_stored(snapshot), key: live})
    return live, False


def _offer(
    gpu: wire.GpuType, wanted: Wanted, cloud: str, fetched_at: datetime, *, is_stored: bool
) -> Offer | None:
    """One card as an offer; None where this cloud, count or region does not have it."""
    is_secure = cloud == "secure"
    prices, counts = gpu.price or wire.Prices(), gpu.max_count or wire.Counts()
    price = listing.money(prices.secure if is_secure else prices.community)
    most = counts.secure if is_secure else counts.community
    has_it = gpu.secure if is_secure else gpu.community
    if has_it is False or not price or not gpu.memory or gpu.memory <= 0:
        return None
    if most is not None and wanted.count > most:
        return None
    centres = [c for c in gpu.data_centers or () if stock_of(c.availability) is not Stock.NONE]
    stock = stock_of(gpu.availability)
    if wanted.region:
        here = next((c for c in centres if c.id == wanted.region), None)
        stock = stock_of(here.availability) if here else Stock.NONE
    return Offer(
        provider=PROVIDER,
        gpu=gpu.id,
        name=gpu.name or gpu.id,
        count=wanted.count,
        vram_gib=gpu.memory,
        usd_per_hour=price * wanted.count,
        disk_usd_per_hour=disk_usd_per_hour(wanted.disk_gb + wanted.volume_gb),
        cloud=cloud,
        stock=stock,
        regions=tuple(sorted(c.id for c in centres)),
        cuda=tuple(v.version for v in gpu.cuda_versions or () if v.available is not False),
        fetched_at=fetched_at,
        is_snapshot=is_stored,
    )


def stock_of(level: str | None) -> Stock:
    """A card whose stock is not said is worth a try: the order tells."""
    return _STOCK.get(level or "", Stock.LOW)


def _key(rest_url: str, wanted: Wanted, cloud: str) -> str:
    return f"{rest_url} {cloud} {wanted.count} {wanted.min_cuda or 'any'}"


def _stored(path: Path) -> dict[str, Reading]:
    """What is kept; nothing where it cannot be read: it is only a memory."""
    try:
        if path.stat().st_size > LARGEST_SNAPSHOT:
            return {}
        return msgspec.json.decode(path.read_bytes(), type=_Snapshot).readings
    except (OSError, ValueError):
        return {}


def _store(path: Path, readings: Mapping[str, Reading]) -> None:
    """Keep the newest readings, all at once; where the disk refuses, the next time has none."""
    newest = sorted(readings.items(), key=lambda item: item[1].fetched_at)[-_KEPT_READINGS:]
    body = msgspec.json.encode(_Snapshot(dict(newest)))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f"{path.name}.")
        with os.fdopen(handle, "wb") as file:
            file.write(body)
        Path(temporary).replace(path)
    except OSError:
        return


def oldest(found: Iterable[Offer]) -> datetime | None:
    """When the oldest stored offer was read; None where all are live."""
    return min((offer.fetched_at for offer in found if offer.is_snapshot), default=None)
