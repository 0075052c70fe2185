"""`podtune runpod undeploy`: an endpoint of ours and its template, ended and seen to be gone.

    found = undeploy.find(client, name, owner)      # reads only
    undeploy.end(client, found)

Workers first, then the endpoint, then its template. A volume is never touched: what is on it took hours.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Final, NamedTuple

from pydantic import BaseModel, ConfigDict

from podtune.app.deploy import foreign
from podtune.app.deploy_costs import volume_month
from podtune.core.clock import Sleep, sleep
from podtune.core.errors import ConflictError, NotFoundError, PodtuneError, UnavailableError
from podtune.providers.runpod import endpoints, templates, volumes
from podtune.providers.runpod import serverless_wire as wire
from podtune.providers.runpod.client import RunPodClient
from podtune.providers.runpod.queue import JobCounts, QueueClient

LOOKS: Final = 30
"""At a list from which something has to be absent: a minute."""

LOOK_S: Final = 2.0
"""Between two of them."""


class KeptVolume(BaseModel):
    """A volume that the endpoint used, and that stays."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    name: str
    usd_per_month: Decimal | None


class Findings(NamedTuple):
    """What is to be ended; nothing of it was."""

    name: str
    endpoints: tuple[wire.Endpoint, ...]
    templates: tuple[wire.Template, ...]
    volumes: tuple[KeptVolume, ...]
    jobs: JobCounts | None
    """Of the endpoint, by its own count; None where nobody says, or there is none."""
    credentials: str | None
    """Id of stored credentials of this name, which stay."""

    @property
    def is_nothing(self) -> bool:
        """Whether nothing of the name exists."""
        return not self.endpoints and not self.templates


class Undeployed(BaseModel):
    """What was ended, and what stays."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    endpoints: tuple[str, ...]
    """Ids, each seen to be absent."""
    templates: tuple[str, ...]
    volumes: tuple[KeptVolume, ...]
    credentials: str | None


def find(client: RunPodClient, queue: QueueClient, name: str, owner: str) -> Findings:
    """Everything of a name that this installation made. Several of one name are all ended.

    Raises:
        ConflictError: something of the name was not made by this installation.
        PodtuneError: RunPod cannot be asked; nothing is concluded then.
    """
    there = tuple(one for one in endpoints.listed(client) if one.name == name)
    beside = tuple(one for one in templates.listed(client) if one.name == name)
    for kind, things in (("endpoint", there), ("template", beside)):
        for thing in things:
            if (refusal := foreign(thing, kind, owner)) is not None:
                raise ConflictError(
                    refusal.message,
                    code=refusal.code,
                    hint="it is left alone; its owner ends it, or you do at console.runpod.io, Serverless",
                    context=refusal.context,
                )
    used = {number for one in there for number in one.network_volumes or ()}
    stored = [one.id for one in templates.credentials(client) if one.name == name]
    return Findings(
        name=name,
        endpoints=there,
        templates=beside,
        volumes=_kept(client, used),
        jobs=_jobs(queue, there[0].id) if there else None,
        credentials=stored[0] if stored else None,
    )


def end(client: RunPodClient, found: Findings, *, pause: Sleep = sleep) -> Undeployed:
    """End what was found, and see that lists and addresses know nothing of it any more.

    Args:
        client: The account.
        found: By `find`, a moment ago.
        pause: Waits between looks.

    Raises:
        UnavailableError: something is still there; run it again.
        PodtuneError: RunPod cannot be asked.
    """
    for endpoint in found.endpoints:
        _switch_off(client, endpoint.id)
        endpoints.delete(client, endpoint.id)
    _see_gone("endpoint", {one.id for one in found.endpoints}, _there_endpoints(client), pause)
    for template in found.templates:
        templates.delete(client, template.id)
    _see_gone("template", {one.id for one in found.templates}, _there_templates(client), pause)
    return Undeployed(
        name=found.name,
        endpoints=tuple(one.id for one in found.endpoints),
        templates=tuple(one.id for one in found.templates),
        volumes=found.volumes,
        credentials=found.credentials,
    )


def _switch_off(client: RunPodClient, endpoint_id: str) -> None:
    """No new worker from here on, whatever waits in the queue."""
    body = wire.EndpointBody(workers=wire.WorkerLimits(min=0, max=0))
    try:
        endpoints.change(client, endpoint_id, body)
    except NotFoundError:
        return  # deleted by somebody meanwhile: the list will say


def _there_endpoints(client: RunPodClient) -> Callable[[], set[str]]:
    return lambda: {one.id for one in endpoints.listed(client)}


def _there_templates(client: RunPodClient) -> Callable[[], set[str]]:
    return lambda: {one.id for one in templates.listed(client)}


def _see_gone(kind: str, ids: set[str], there: Callable[[], set[str]], pause: Sleep) -> None:
    """Wait until a list read whole does not name them.

    Raises:
        UnavailableError: it still does.
    """
    for attempt in range(LOOKS):
        if attempt:
            pause(LOOK_S)
        left = ids & there()
        if not left:
            return
    raise UnavailableError(
        f"the {kind} {', '.join(sorted(ids))} was deleted, and RunPod still lists it",
        code="still_there",
        hint="run podtune runpod undeploy again in a minute, or look at console.runpod.io, Serverless",
    )


def _kept(client: RunPodClient, used: set[str]) -> tuple[KeptVolume, ...]:
    if not used:
        return ()
    return tuple(
        KeptVolume(id=one.id, name=one.name or "", usd_per_month=volume_month(one))
        for one in volumes.volumes(client)
        if one.id in used
    )


def _jobs(queue: QueueClient, endpoint_id: str) -> JobCounts | None:
    """How many jobs would be cancelled; a courtesy, so a refusal is none of our concern."""
    try:
        return queue.health(endpoint_id).jobs
    except PodtuneError:
        return None
