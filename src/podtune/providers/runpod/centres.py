"""Data centres: which have network volumes, and where a card for serverless workers is free.

A network volume pins everything that mounts it to its data centre, so that is chosen by the cards that the
workers will want, before a byte is stored.
"""

from collections.abc import Sequence
from typing import NamedTuple

from podtune.core.errors import NoCapacityError, SpecError
from podtune.core.offer import Stock
from podtune.providers.runpod import catalogue, wire
from podtune.providers.runpod.client import RunPodClient

_ORDER = (Stock.NONE, Stock.LOW, Stock.MEDIUM, Stock.HIGH)
_NAMED = 12
"""Cards or data centres that an error names at most."""


class Centre(NamedTuple):
    """A data centre for a network volume, and why."""

    id: str
    card: str
    """Id of the card it was chosen for."""
    stock: Stock
    """Of that card, for serverless workers."""


def with_volumes(client: RunPodClient) -> list[str]:
    """Ids of the data centres that have network volumes."""
    pages = client.pages("/catalog/datacenters", wire.DataCentreList)
    there = [centre for page in pages for centre in page.data_centers]
    return sorted(centre.id for centre in there if centre.network_volume_types)


def cards(client: RunPodClient) -> list[wire.GpuType]:
    """The cards of the catalogue, with their stock for serverless workers."""
    query = {"include": "AVAILABILITY", "product": "SERVERLESS"}
    return [gpu for page in client.pages("/catalog/gpus", wire.GpuList, query) for gpu in page.gpus]


def choose(
    there: Sequence[wire.GpuType],
    centres: Sequence[str],
    wanted: Sequence[str],
    region: str | None = None,
) -> Centre:
    """The data centre that has most of the first wanted card that is free anywhere.

    Args:
        there: Of `cards`.
        centres: Of `with_volumes`.
        wanted: Parts of names of cards, the best first: `A100` means each A100.
        region: A data centre that somebody asked for.

    Raises:
        SpecError: no such card, or no such data centre with network volumes.
        NoCapacityError: no data centre with volumes has any of the cards.
    """
    if region is not None and region not in centres:
        raise SpecError(
            f"data centre {region!r} is none, or has no network volumes; these have: "
            f"{', '.join(centres[:_NAMED])}",
            code="region_unknown",
            hint="leave --data-center away, or name one of these",
        )
    groups = [(name, [gpu for gpu in there if _is_called(gpu, name)]) for name in wanted]
    if not any(group for _, group in groups):
        known = ", ".join(gpu.name or gpu.id for gpu in there[:_NAMED])
        raise SpecError(
            f"the catalogue has no card {', '.join(wanted)!r}; it has: {known}",
            code="gpu_unknown",
            hint="podtune runpod gpus lists all",
        )
    asked = [region] if region else list(centres)
    for _, group in groups:
        ranked = sorted(
            (_rank(group, centre) for centre in asked), key=lambda one: one[0], reverse=True
        )
        if ranked and ranked[0][1].stock is not Stock.NONE:
            return ranked[0][1]
    if region is not None:
        return Centre(region, groups[0][1][0].id if groups[0][1] else wanted[0], Stock.NONE)
    raise NoCapacityError(
        f"no data centre with network volumes has any {' or '.join(wanted)} free for workers now",
        hint="name another card with --gpu, or a data centre of your own with --data-center",
    )


def _rank(group: Sequence[wire.GpuType], centre: str) -> tuple[tuple[int, int], Centre]:
    """How good a centre is for a group of cards: the best stock, then all of it together."""
    levels = [
        (_ORDER.index(catalogue.stock_of(here.availability)), gpu.id)
        for gpu in group
        for here in gpu.data_centers or ()
        if here.id == centre
    ]
    best, card = max(levels, default=(0, group[0].id if group else ""))
    return (best, sum(level for level, _ in levels)), Centre(centre, card, _ORDER[best])


def _is_called(gpu: wire.GpuType, name: str) -> bool:
    """Whether a card is meant by a name or a part of it; `A100 80GB` means each A100 of 80 GB."""
    known = f"{gpu.id} {gpu.name or ''}".casefold().replace("-", " ")
    return all(part in known.split() or part in known for part in name.casefold().split())
