"""Everything of an account that carries podtune's name: what it is, whose, how old, at what price."""

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import ROUND_UP, Decimal
from enum import StrEnum
from typing import Final

from pydantic import BaseModel, ConfigDict

from podtune.core.errors import PodtuneError
from podtune.providers.runpod import endpoints, listing, names, templates, volumes, wire
from podtune.providers.runpod.client import RunPodClient
from podtune.providers.runpod.serverless_wire import EndpointWorkers

VOLUME_USD_PER_GB_MONTH: Final = Decimal("0.07")
"""Network volume below 1 TB (0.05 above, so this is the dearer); docs.runpod.io, 2026-08-20."""

HOURS_PER_MONTH: Final = 720


class Kind(StrEnum):
    """What was found."""

    POD = "pod"
    VOLUME = "volume"
    ENDPOINT = "endpoint"
    TEMPLATE = "template"


class Found(BaseModel):
    """One thing of the account that carries our form of name, or was made by `podtune runpod deploy`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Kind
    id: str
    name: str
    owner: str | None
    """The installation that made it, as its name or its environment says; None where neither does."""
    job: str | None
    attempt: int | None
    deadline: datetime | None
    """When it has to be gone, as its name says."""
    created_at: datetime | None
    status: str
    usd_per_hour: Decimal | None
    """What it costs now; None where RunPod does not say."""


class Inventory(BaseModel):
    """All that was found, and what could not be looked at."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    found: tuple[Found, ...]
    problems: tuple[str, ...]


def inventory(client: RunPodClient) -> Inventory:
    """Look through pods, volumes, endpoints and templates.

    A kind that cannot be listed (a key may be allowed to see pods only) is a problem that is told;
    pods have to be listed, since they cost by the hour.

    Raises:
        PodtuneError: the pods cannot be listed.
    """
    found, problems = list(_pods(client)), list[str]()
    for kind, look in _OTHERS.items():
        try:
            found += look(client)
        except PodtuneError as error:
            problems.append(f"{kind}s were not looked at: {error.message}")
    return Inventory(found=tuple(found), problems=tuple(problems))


def _pods(client: RunPodClient) -> list[Found]:
    pages = client.pages("/pods", wire.PodList)
    return [
        _found(
            Kind.POD,
            pod.id,
            pod.name,
            created_at=listing.moment(pod.created_at),
            status=pod.status or "",
            usd_per_hour=listing.money(pod.cost),
        )
        for page in pages
        for pod in page.pods
        if _is_ours(pod.name) and pod.status != listing.TERMINATED
    ]


def _volumes(client: RunPodClient) -> list[Found]:
    return [
        _found(Kind.VOLUME, volume.id, volume.name, usd_per_hour=_volume_price(volume.size))
        for volume in volumes.volumes(client)
        if _is_ours(volume.name)
    ]


def _endpoints(client: RunPodClient) -> list[Found]:
    return [
        _made_by(
            endpoint.env,
            _found(
                Kind.ENDPOINT,
                endpoint.id,
                endpoint.name,
                created_at=listing.moment(endpoint.created_at),
                status=_workers(endpoint.workers),
            ),
        )
        for endpoint in endpoints.listed(client)
        if _is_ours(endpoint.name) or _maker(endpoint.env)
    ]


def _templates(client: RunPodClient) -> list[Found]:
    return [
        _made_by(
            template.env,
            _found(
                Kind.TEMPLATE,
                template.id,
                template.name,
                usd_per_hour=Decimal(0),
            ),
        )
        for template in templates.listed(client)
        if _is_ours(template.name) or _maker(template.env)
    ]


_OTHERS: Final[dict[Kind, Callable[[RunPodClient], list[Found]]]] = {
    Kind.VOLUME: _volumes,
    Kind.ENDPOINT: _endpoints,
    Kind.TEMPLATE: _templates,
}


def _found(
    kind: Kind,
    number: str,
    name: str | None,
    *,
    created_at: datetime | None = None,
    status: str = "",
    usd_per_hour: Decimal | None = None,
) -> Found:
    said = names.parse(name or "")
    return Found(
        kind=kind,
        id=number,
        name=name or "",
        owner=said.owner if said else None,
        job=said.job if said else None,
        attempt=said.attempt if said else None,
        deadline=said.deadline if said else None,
        created_at=created_at,
        status=status,
        usd_per_hour=usd_per_hour,
    )


def _is_ours(name: str | None) -> bool:
    return (name or "").startswith(names.PREFIX)


def _maker(env: Mapping[str, str] | None) -> str | None:
    """Which installation made it, by the variable that `deploy` sets."""
    return (env or {}).get(names.OWNER_VARIABLE)


def _made_by(env: Mapping[str, str] | None, found: Found) -> Found:
    """The same, with its maker where its name does not say."""
    return found if found.owner else found.model_copy(update={"owner": _maker(env)})


def _workers(workers: EndpointWorkers | None) -> str:
    if workers is None or workers.max is None:
        return ""
    return f"{workers.min or 0}-{workers.max} workers"


def _volume_price(size_gb: int | None) -> Decimal | None:
    if not size_gb:
        return None
    hourly = VOLUME_USD_PER_GB_MONTH * size_gb / HOURS_PER_MONTH
    return hourly.quantize(Decimal("0.000001"), rounding=ROUND_UP)
