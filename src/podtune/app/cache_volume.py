"""The network volume of a model cache: which, where and how large; made or grown when a plan is carried out."""

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Final, Literal

from pydantic import BaseModel, ConfigDict

from podtune.core.cache_filling import Seal
from podtune.core.errors import DoubtfulError, NoCapacityError, SpecError
from podtune.core.limits import Limits
from podtune.core.offer import Stock
from podtune.planning import cache_size
from podtune.providers.runpod import centres, volumes, wire
from podtune.providers.runpod.client import RunPodClient

if TYPE_CHECKING:
    from podtune.app.cache_machine import Tools
    from podtune.app.cache_records import CacheRecords
    from podtune.app.model_cache import CacheWish
    from podtune.storage.hub_model_files import ModelFiles

CARDS: Final = ("A100 80GB", "H100")
"""What workers want when nobody says: specification B's A100 of 80 GB, then an H100."""

_LOOK_S: Final = 2.0


class VolumePlan(BaseModel):
    """A network volume."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str | None
    """None for one that is made."""
    name: str
    data_center: str
    size_gb: int
    """That it will have."""
    present_gb: int | None
    """That it has; None for one that is made."""
    action: Literal["make", "grow", "keep"]
    usd_per_month: Decimal
    """Used or not, until it is deleted."""
    why_here: str
    """Why this data centre."""


def plan(
    client: RunPodClient,
    records: "CacheRecords",
    wish: "CacheWish",
    files: "ModelFiles",
    folder: str,
) -> tuple[VolumePlan, tuple[str, ...]]:
    """The volume that a wish means, and what somebody should know of it.

    Raises:
        SpecError: there is no such volume, several have the name, it is elsewhere, or `--size` is too small.
        NoCapacityError: no data centre with volumes has the card.
    """
    name = wish.name or f"{files.name.split('/')[0].lower()}-model-cache"
    found = _there(client, wish.volume) if wish.volume else volumes.named(client, name)
    others = _others(records.noted(found.id), folder) if found else 0
    size, notices = _size(wish, files, others, found.size if found else None)
    if found is None:
        return _new(client, wish, name, size), notices
    region = found.data_center or ""
    if wish.region and wish.region != region:
        raise SpecError(
            f"network volume {found.name!r} is in {region}, not in {wish.region}",
            code="volume_elsewhere",
            hint=f"leave --data-center away, or give the new one another name with --name {name}-2",
        )
    present = found.size or 0
    return (
        VolumePlan(
            id=found.id,
            name=found.name or found.id,
            data_center=region,
            size_gb=max(size, present),
            present_gb=present,
            action="grow" if size > present else "keep",
            usd_per_month=cache_size.usd_per_month(max(size, present)),
            why_here="the volume is there",
        ),
        notices,
    )


def settled(client: RunPodClient, wanted: VolumePlan, limits: Limits, tools: "Tools") -> VolumePlan:
    """The volume as planned: made, or grown, or as it is. Twice the same changes nothing.

    Raises:
        DoubtfulError: it may have been made, and is not seen.
        PodtuneError: RunPod refuses.
    """
    if wanted.action == "keep":
        return wanted
    if wanted.action == "grow" and wanted.id:
        tools.say(f"grows volume {wanted.id} from {wanted.present_gb} to {wanted.size_gb} GB")
        volumes.grow(client, wanted.id, wanted.size_gb)
        return wanted.model_copy(update={"present_gb": wanted.size_gb, "action": "keep"})
    # Between the plan and the word of a person somebody else may have made it.
    made = volumes.named(client, wanted.name) or _made(client, wanted, limits, tools)
    return wanted.model_copy(update={"id": made.id, "present_gb": wanted.size_gb, "action": "keep"})


def _made(client: RunPodClient, wanted: VolumePlan, limits: Limits, tools: "Tools") -> wire.Volume:
    """Make it, once; where the answer is lost, it is looked for by its name."""
    tools.say(f"makes volume {wanted.name}, {wanted.size_gb} GB, in {wanted.data_center}")
    try:
        return volumes.make(client, wanted.name, wanted.size_gb, wanted.data_center)
    except DoubtfulError as error:
        until = tools.clock() + timedelta(seconds=limits.settle_s)
        while tools.clock() < until:
            found = volumes.named(client, wanted.name)
            if found is not None:
                return found
            tools.sleep(_LOOK_S)
        raise DoubtfulError(
            f"whether volume {wanted.name!r} was made is not known: {error.message}",
            hint="run the command again: a volume of that name is taken, not made twice",
        ) from error


def nothing_free(region: str) -> NoCapacityError:
    """That a data centre has no machine at all for the download."""
    return NoCapacityError(
        f"nothing is free in {region} to fill the volume with",
        hint="try again later; for a new volume another --data-center may do",
    )


def _new(client: RunPodClient, wish: "CacheWish", name: str, size: int) -> VolumePlan:
    """One that is made where the workers' card is."""
    cards = (wish.gpu,) if wish.gpu else CARDS
    centre = centres.choose(centres.cards(client), centres.with_volumes(client), cards, wish.region)
    if centre.stock is Stock.NONE:
        why = f"asked for; it has no {' or '.join(cards)} free for workers now"
    else:
        why = f"{centre.card}: stock for workers is {centre.stock}"
    return VolumePlan(
        id=None,
        name=name,
        data_center=centre.id,
        size_gb=size,
        present_gb=None,
        action="make",
        usd_per_month=cache_size.usd_per_month(size),
        why_here=why,
    )


def _there(client: RunPodClient, wanted: str) -> wire.Volume:
    """A volume by its id or its only name.

    Raises:
        SpecError: there is none, or several.
    """
    there = volumes.volumes(client)
    found = [v for v in there if v.id == wanted] or [v for v in there if v.name == wanted]
    if len(found) == 1:
        return found[0]
    known = ", ".join(f"{v.id} ({v.name})" for v in (found or there)[:10]) or "none"
    raise SpecError(
        f"the RunPod account has {len(found) or 'no'} network volumes {wanted!r}; there are: {known}",
        code="volume_unclear" if found else "volume_unknown",
        hint="name one by its id, or leave --volume away: one is made",
    )


def _size(
    wish: "CacheWish", files: "ModelFiles", others_bytes: int, present_gb: int | None
) -> tuple[int, tuple[str, ...]]:
    """The size wanted, in GB.

    Raises:
        SpecError: the one asked for does not hold the files, or no volume is that large.
    """
    least = cache_size.least_gb(files.total_bytes, others_bytes)
    usual = cache_size.volume_gb(files.total_bytes, others_bytes)
    if wish.size_gb is None:
        # One that is there and holds the files is not grown for comfort: that costs each month.
        size = usual if present_gb is None or present_gb < least else present_gb
    elif wish.size_gb < least:
        more = f" and {others_bytes / cache_size.GB:.0f} GB lie there" if others_bytes else ""
        raise SpecError(
            f"--size {wish.size_gb} is too small: the model has "
            f"{files.total_bytes / cache_size.GB:.1f} GB{more}, so at least {least} GB are needed",
            code="volume_too_small",
            hint=f"--size {usual} leaves room for a copy in 4 bits, or leave it away",
        )
    else:
        size = wish.size_gb
    if not wire.MIN_VOLUME_GB <= size <= wire.MAX_VOLUME_GB:
        raise SpecError(
            f"a network volume has {wire.MIN_VOLUME_GB} to {wire.MAX_VOLUME_GB} GB, not {size}",
            code="volume_size",
            hint="name another volume for this model with --name" if others_bytes else None,
        )
    if wish.size_gb is not None and present_gb is not None and wish.size_gb < present_gb:
        return size, (f"the volume has {present_gb} GB and cannot become smaller: it stays so",)
    return size, ()


def _others(noted: Mapping[str, Seal], folder: str) -> int:
    """Bytes of other models that were filled from here."""
    return sum(seal.bytes for name, seal in noted.items() if name != folder)
