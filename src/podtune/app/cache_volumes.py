"""Network volumes with model caches: what they hold, what they cost each month, who uses them; and their end.

    there = cache_volumes.listed(client, records)
    cache_volumes.delete(client, records, there[0])

A volume carries no owner. One counts as a cache where this installation has filled it, or where its name ends
like those that `podtune runpod cache` gives. Nothing here is ended by itself.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from pydantic import BaseModel, ConfigDict

from podtune.core.clock import Sleep, sleep
from podtune.core.errors import ConflictError, NotFoundError, UnavailableError
from podtune.planning import cache_size
from podtune.providers.runpod import endpoints, volumes, wire

if TYPE_CHECKING:
    from podtune.app.cache_records import CacheRecords
    from podtune.providers.runpod import serverless_wire
    from podtune.providers.runpod.client import RunPodClient

ENDING: Final = "-model-cache"
"""Of the names that `podtune runpod cache` gives."""

LOOKS: Final = 15
"""At the list from which a deleted volume has to be absent: half a minute."""

LOOK_S: Final = 2.0


class CachedModel(BaseModel):
    """A model that was filled from here."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    """`org/name`."""
    commit: str
    gb: float
    """10^9 bytes."""


class CacheVolume(BaseModel):
    """A network volume with models on it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    name: str
    data_center: str | None
    size_gb: int | None
    usd_per_month: Decimal | None
    """Used or not, until it is deleted; None where RunPod does not tell the size."""
    models: tuple[CachedModel, ...]
    """As noted here when they were filled; none where another machine did that, or it failed."""
    endpoints: tuple[str, ...]
    """Names of endpoints that are to use it."""
    delete_with: str
    """The command that deletes it, with all that is on it."""


def listed(client: "RunPodClient", records: "CacheRecords") -> tuple[CacheVolume, ...]:
    """Every model cache of the account. Reads only.

    Raises:
        PodtuneError: RunPod cannot be asked.
    """
    there = volumes.volumes(client)
    if not there:
        return ()
    users = endpoints.listed(client)
    found = [_described(volume, users, records) for volume in there]
    return tuple(one for one in found if one.models or one.name.endswith(ENDING))


def find(client: "RunPodClient", records: "CacheRecords", wanted: str) -> CacheVolume:
    """The cache of an id, or of a name that only one has.

    Raises:
        NotFoundError: there is none; a volume that is no cache is not told apart.
        ConflictError: several have the name, or an endpoint uses it.
    """
    there = listed(client, records)
    found = [v for v in there if v.id == wanted] or [v for v in there if v.name == wanted]
    if not found:
        known = ", ".join(f"{v.id} ({v.name})" for v in there[:10]) or "none"
        raise NotFoundError(
            f"the RunPod account has no model cache {wanted[:80]!r}; it has: {known}",
            hint="podtune runpod audit lists them; any other volume is deleted at console.runpod.io, Storage",
        )
    if len(found) > 1:
        ids = ", ".join(volume.id for volume in found)
        raise ConflictError(
            f"{len(found)} model caches are called {wanted!r}: {ids}",
            code="volume_unclear",
            hint=f"name one by its id: {found[0].delete_with}",
        )
    _refuse_used(found[0])
    return found[0]


def delete(
    client: "RunPodClient",
    records: "CacheRecords",
    volume: CacheVolume,
    *,
    pause: Sleep = sleep,
) -> None:
    """Delete a volume with all that is on it, and see that it is gone.

    Args:
        client: The account.
        records: Forgets what was on it.
        volume: By `find`, a moment ago; agreed to.
        pause: Waits between looks.

    Raises:
        ConflictError: a living command fills it, or RunPod says that a machine uses it.
        UnavailableError: it is still there; run it again.
        PodtuneError: RunPod cannot be asked.
    """
    if records.busy(volume.id):
        raise ConflictError(
            f"{volume.name!r} is being filled now by another command",
            code="volume_busy",
            hint="wait for it, or end that command first",
        )
    with endpoints.refusals():
        volumes.delete(client, volume.id)
    for _ in range(LOOKS):
        if all(one.id != volume.id for one in volumes.volumes(client)):
            for folder in records.noted(volume.id):
                records.unnote(volume.id, folder)
            return
        pause(LOOK_S)
    raise UnavailableError(
        f"{volume.name!r} ({volume.id}) is still in RunPod's list",
        hint=f"in some minutes: {volume.delete_with}",
    )


def _refuse_used(volume: CacheVolume) -> None:
    if volume.endpoints:
        raise ConflictError(
            f"{volume.name!r} is used by {', '.join(volume.endpoints)}",
            code="volume_in_use",
            hint=f"podtune runpod undeploy {volume.endpoints[0]}, or give the endpoint another volume",
        )


def _described(
    volume: wire.Volume,
    users: "Sequence[serverless_wire.Endpoint]",
    records: "CacheRecords",
) -> CacheVolume:
    return CacheVolume(
        id=volume.id,
        name=volume.name or volume.id,
        data_center=volume.data_center,
        size_gb=volume.size,
        usd_per_month=cache_size.usd_per_month(volume.size) if volume.size else None,
        models=tuple(
            CachedModel(model=seal.model, commit=seal.commit, gb=round(seal.bytes / 1e9, 1))
            for seal in records.noted(volume.id).values()
        ),
        endpoints=tuple(
            one.name or one.id for one in users if volume.id in (one.network_volumes or ())
        ),
        delete_with=f"podtune runpod uncache {volume.id}",
    )
