"""Doing what a deployment's plan says: credentials, then template, then endpoint.

What is as wished is not written again, and a create whose answer was lost is looked for by its name before
anything is sent a second time.
"""

from collections.abc import Callable, Sequence
from typing import Final, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict

from podtune.app.deploy import DeployPlan, Here
from podtune.app.deploy_wish import Wish
from podtune.core.clock import Sleep, sleep
from podtune.core.errors import ConflictError, DoubtfulError
from podtune.providers.runpod import endpoints, templates
from podtune.providers.runpod import serverless_wire as wire
from podtune.providers.runpod.client import RunPodClient, is_pod_id

LOOKS: Final = 5
"""At a name whose create was not answered."""

LOOK_S: Final = 2.0
"""Between two of them; a new thing may be missing from lists for some seconds (runpod.md 1.2)."""


_PARTS: Final = {
    "gpu": "gpu",
    "workers": "workers",
    "scaling": "scaling",
    "timeout": "timeout",
    "flashboot": "flashboot",
    "networkVolumes": "network_volumes",
    "dataCenterIds": "data_center_ids",
}
"""Parts of an endpoint in RunPod's words -> in ours."""


class Deployed(BaseModel):
    """An endpoint that is as wished."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    endpoint_id: str
    template_id: str
    written: int
    """Requests that changed something."""


def apply(
    client: RunPodClient, planned: DeployPlan, here: Here, *, pause: Sleep = sleep
) -> Deployed:
    """Do what a plan says; of what is as wished already nothing is sent.

    Args:
        client: The account.
        planned: Made a moment ago.
        here: As the plan was made with.
        pause: Waits between looks at a name.

    Raises:
        DoubtfulError: a create was not answered, and its name is not to be seen: run the command again.
        PodtuneError: refused; what was done before stays, and is found by the next run.
    """
    written, template, wish = 0, planned.template, planned.wish
    if planned.stores_credentials and here.registry_login is not None:
        template = template.model_copy(update={"registry": _store(client, wish, here, pause)})
        written += 1
    template_id, count = _written_template(client, planned, template, pause)
    endpoint_id, more = _written_endpoint(client, planned, template_id, pause)
    return Deployed(
        endpoint_id=endpoint_id, template_id=template_id, written=written + count + more
    )


def _written_template(
    client: RunPodClient, planned: DeployPlan, template: wire.TemplateBody, pause: Sleep
) -> tuple[str, int]:
    found = planned.found_template
    if found is None:
        made = _made(
            lambda: templates.create(client, template),
            lambda: [one for one in templates.listed(client) if one.name == planned.wish.name],
            pause,
        )
        return made.id, 1
    if not any(change.kind == "template" for change in planned.changes):
        return found.id, 0
    templates.change(client, found.id, template)
    return found.id, 1


def _written_endpoint(
    client: RunPodClient, planned: DeployPlan, template_id: str, pause: Sleep
) -> tuple[str, int]:
    found = planned.found_endpoint
    if found is None:
        body = planned.endpoint.model_copy(update={"template_id": template_id})
        made = _made(
            lambda: endpoints.create(client, body),
            lambda: [one for one in endpoints.listed(client) if one.name == planned.wish.name],
            pause,
        )
        return made.id, 1
    body = _difference(planned, found, template_id)
    if not body.model_fields_set:
        return found.id, 0
    endpoints.change(client, found.id, body)
    return found.id, 1


def _difference(planned: DeployPlan, found: wire.Endpoint, template_id: str) -> wire.EndpointBody:
    """What of an endpoint is written: the parts that differ, and its template only where the container does.

    A new container is a new release that replaces workers; limits alone replace none. An endpoint that does
    not tell its container takes it over whenever the template changes.
    """
    mine = [change for change in planned.changes if change.kind == "endpoint"]
    parts = {_PARTS[change.field.partition(".")[0]] for change in mine if not change.is_container}
    taken: dict[str, object] = {part: getattr(planned.endpoint, part) for part in parts}
    is_blind = found.env is None and any(change.kind == "template" for change in planned.changes)
    if is_blind or any(change.is_container for change in mine):
        taken["template_id"] = template_id
    return wire.EndpointBody.model_validate(taken)


def _store(client: RunPodClient, wish: Wish, here: Here, pause: Sleep) -> str:
    assert here.registry_login is not None
    user, password = here.registry_login
    made = _made(
        lambda: templates.store_credentials(client, wish.name, user, password),
        lambda: [one for one in templates.credentials(client) if one.name == wish.name],
        pause,
    )
    return made.id


class _Named(Protocol):
    @property
    def id(self) -> str: ...


Made = TypeVar("Made", bound=_Named)


def _made(create: Callable[[], Made], look: Callable[[], Sequence[Made]], pause: Sleep) -> Made:
    """Create something once; where the answer is lost, what carries its name is what was made.

    Raises:
        ConflictError: somebody made one of the name since the plan.
        DoubtfulError: nobody knows whether it exists.
    """
    if look():
        raise ConflictError(
            "something of this name was made a moment ago, by somebody else",
            code="changed_meanwhile",
            hint="run the same command again: it begins with what is there now",
        )
    try:
        made = create()
        if is_pod_id(made.id):
            return made
        problem = DoubtfulError("RunPod took the order and names no id")
    except DoubtfulError as error:
        problem = error
    for attempt in range(LOOKS):
        if attempt:
            pause(LOOK_S)
        found = look()
        if len(found) == 1:
            return found[0]
        if found:
            break
    raise DoubtfulError(
        f"{problem.message}; after {LOOKS * LOOK_S:.0f} s nothing, or more than one, has the name",
        hint="run the same command again in a minute: it looks for the name first and makes nothing twice",
    ) from problem
