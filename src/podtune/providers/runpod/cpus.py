"""Machines without a card: what RunPod's catalogue has of them, as offers of one size."""

from datetime import datetime
from decimal import Decimal
from typing import Final, NamedTuple

from podtune.core.errors import NotFoundError
from podtune.core.offer import Offer, Stock
from podtune.providers.runpod import catalogue, listing, wire
from podtune.providers.runpod.client import RunPodClient

PATH: Final = "/catalog/cpus"


class CpuOffer(NamedTuple):
    """A machine without a card that can be had now."""

    offer: Offer
    """`gpu` is the flavour's id."""
    vcpus: int


def offers(
    client: RunPodClient, *, vcpus: int, region: str, disk_gb: int, now: datetime
) -> list[CpuOffer]:
    """What one data centre has free, the cheapest first; none where RunPod lists no such machines.

    Args:
        client: The account that asks.
        vcpus: Virtual cores wanted: a power of two; a flavour that begins higher is taken with its least.
        region: The data centre.
        disk_gb: Container disk, for the price.
        now: Aware UTC.

    Raises:
        UnavailableError: RunPod does not answer.
    """
    query = {"include": "AVAILABILITY", "product": "POD"}
    try:
        pages = client.pages(PATH, wire.CpuList, query)
    except NotFoundError:
        return []
    disks = catalogue.disk_usd_per_hour(disk_gb)
    found = [_offer(flavour, vcpus, region, disks, now) for page in pages for flavour in page.cpus]
    return sorted((one for one in found if one is not None), key=lambda one: one.offer.hourly)


def _offer(
    flavour: wire.CpuType, wanted: int, region: str, disks: Decimal, now: datetime
) -> CpuOffer | None:
    """A flavour as an offer; None where it is not free there, or has no price."""
    span = flavour.vcpu or wire.VcpuRange()
    count = max(wanted, span.min or 2)
    here = next((c for c in flavour.data_centers or () if c.id == region), None)
    stock = catalogue.stock_of(here.availability) if here else Stock.NONE
    price = listing.money((flavour.price or wire.CpuPrices()).secure_per_vcpu)
    if stock is Stock.NONE or not price or (span.max is not None and count > span.max):
        return None
    offer = Offer(
        provider=catalogue.PROVIDER,
        gpu=flavour.id,
        name=f"{count} cores of {flavour.name or flavour.id}",
        count=1,
        vram_gib=flavour.ram_gb_per_vcpu or 1.0,
        usd_per_hour=price * count,
        disk_usd_per_hour=disks,
        cloud="secure",
        stock=stock,
        regions=(region,),
        fetched_at=now,
    )
    return CpuOffer(offer, count)
