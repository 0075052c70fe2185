"""Network volumes: found by id or name, made, deleted. They live in one data centre and pin pods to it."""

from podtune.core.errors import SpecError
from podtune.providers.runpod import wire
from podtune.providers.runpod.client import RunPodClient

_NAMED = 10
"""Volumes that an error names at most."""


def volumes(client: RunPodClient) -> list[wire.Volume]:
    """Every network volume of the account."""
    pages = client.pages("/network-volumes", wire.VolumeList)
    return [volume for page in pages for volume in page.network_volumes]


def find(client: RunPodClient, wanted: str, region: str | None = None) -> wire.Volume:
    """A volume by its id, or by its name where only one is called so.

    Args:
        client: The account.
        wanted: Id or name.
        region: Data centre the pod has to be in; None for wherever the volume is.

    Raises:
        SpecError: there is none, several have the name, or it is in another data centre.
    """
    there = volumes(client)
    found = [v for v in there if v.id == wanted] or [v for v in there if v.name == wanted]
    if not found:
        known = ", ".join(f"{v.id} ({v.name})" for v in there[:_NAMED]) or "none"
        raise SpecError(
            f"the RunPod account has no network volume {wanted!r}; it has: {known}",
            code="volume_unknown",
            hint="--set where.volume=ID, or leave it out: a pod gets a disk of its own",
        )
    if len(found) > 1:
        ids = ", ".join(volume.id for volume in found)
        raise SpecError(
            f"{len(found)} network volumes are called {wanted!r}: {ids}",
            code="volume_unclear",
            hint=f"--set where.volume={found[0].id}",
        )
    volume = found[0]
    if region and volume.data_center != region:
        raise SpecError(
            f"network volume {wanted!r} is in {volume.data_center}, not in {region}; "
            "a pod can only mount it there",
            code="volume_elsewhere",
            hint=f"--set where.region={volume.data_center}",
        )
    return volume


def make(client: RunPodClient, name: str, size_gb: int, region: str) -> wire.Volume:
    """Make a volume; it costs money until it is deleted.

    Raises:
        DoubtfulError: it may exist; look for its name.
        PodtuneError: refused, see `answers`.
    """
    body = wire.CreateVolume(name=name, size=size_gb, data_center=region)
    return client.create("/network-volumes", body, wire.Volume)


def named(client: RunPodClient, name: str) -> wire.Volume | None:
    """The volume of a name; None where there is none.

    Raises:
        SpecError: several have the name.
    """
    there = [volume for volume in volumes(client) if volume.name == name]
    if len(there) > 1:
        ids = ", ".join(volume.id for volume in there)
        raise SpecError(
            f"{len(there)} network volumes are called {name!r}: {ids}",
            code="volume_unclear",
            hint=f"name one by its id: --volume {there[0].id}",
        )
    return there[0] if there else None


def grow(client: RunPodClient, volume_id: str, size_gb: int) -> wire.Volume:
    """Make a volume larger; the size that it has already changes nothing.

    Raises:
        NotFoundError: there is no such volume.
        PodtuneError: refused, see `answers`; a volume cannot become smaller.
    """
    body = wire.GrowVolume(size=size_gb)
    return client.change(f"/network-volumes/{volume_id}", body, wire.Volume)


def delete(client: RunPodClient, volume_id: str) -> None:
    """Delete a volume and all that is on it; gone already is success."""
    client.remove(f"/network-volumes/{volume_id}")
