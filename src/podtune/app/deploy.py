"""`podtune runpod deploy`: what is to be done so that the endpoint is as wished. Doing it: `deploy_apply`.

    planned = deploy.plan(client, wish, here)     # reads only
    deployed = deploy_apply.apply(client, planned, here)

Credentials, template and endpoint are each found by their name, and only what podtune made is changed.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple, Protocol, TypeVar

from pydantic import SecretStr

from podtune.app import deploy_wish, gpu_pools
from podtune.app.deploy_changes import Change, endpoint_changes, template_changes
from podtune.app.deploy_costs import Costs, costs_of
from podtune.app.deploy_wish import Wish
from podtune.core.errors import ConflictError, SpecError
from podtune.providers.runpod import endpoints, registries, templates, volumes
from podtune.providers.runpod import serverless_wire as wire
from podtune.providers.runpod.client import RunPodClient
from podtune.providers.runpod.names import OWNER_VARIABLE
from podtune.providers.runpod.wire import Volume

NOT_YET: Final = "-"
"""Stands for the id of credentials that are stored just before the template is written."""

FLASHBOOT: Final = "FLASHBOOT"
"""Free of charge; a worker that stopped a while ago starts sooner (docs.runpod.io, 2026-08-20)."""


class Here(NamedTuple):
    """What this installation brings."""

    owner: str
    supabase_url: str | None = None
    service_key: SecretStr | None = None
    """None unless it is to be handed over."""
    registry_login: tuple[SecretStr, SecretStr] | None = None


class _Owned(Protocol):
    """A template or an endpoint."""

    @property
    def id(self) -> str: ...
    @property
    def name(self) -> str | None: ...
    @property
    def env(self) -> dict[str, str] | None: ...


Thing = TypeVar("Thing", bound=_Owned)


class DeployPlan(NamedTuple):
    """What is to be done; nothing of it was."""

    wish: Wish
    template: wire.TemplateBody
    endpoint: wire.EndpointBody
    """Whole, without the template's id."""
    found_template: wire.Template | None
    found_endpoint: wire.Endpoint | None
    stores_credentials: bool
    changes: tuple[Change, ...]
    choice: gpu_pools.PoolChoice
    volume: Volume | None
    costs: Costs
    warnings: tuple[str, ...]

    @property
    def is_nothing(self) -> bool:
        """Whether everything is as wished already."""
        return not self.changes


def plan(client: RunPodClient, wish: Wish, here: Here) -> DeployPlan:
    """Compare the account with the wish. Reads only.

    Raises:
        SpecError: the wish contradicts itself, or names what the account has not.
        ConflictError: something of the name is not podtune's, or several have it.
        PodtuneError: RunPod cannot be asked.
    """
    deploy_wish.check(wish)
    found = _ours(endpoints.listed(client), "endpoint", wish, here.owner)
    _check_kind(found)
    template = _ours(templates.listed(client), "template", wish, here.owner)
    volume = _volume(client, wish)
    region = (volume.data_center if volume else None) or wish.region
    choice = _choice(endpoints.cards(client), wish, found, region)
    registry, stores = _credentials(client, wish, here)
    env = deploy_wish.environment(wish, here.owner, here.supabase_url, here.service_key)
    container = wire.TemplateBody(
        name=wish.name,
        image=wish.image,
        disk=wish.disk_gb,
        env=env,
        registry=registry,
        serverless=True,
        start_ssh=False,
        start_jupyter=False,
    )
    body = _endpoint(wish, choice, volume, region)
    changes = [
        *([Change("credentials", wish.name, "stored", None, "from the environment")] if stores else []),
        *template_changes(template, container),
        *endpoint_changes(found, body, container),
    ]  # fmt: skip
    return DeployPlan(
        wish=wish,
        template=container,
        endpoint=body,
        found_template=template,
        found_endpoint=found,
        stores_credentials=stores,
        changes=tuple(changes),
        choice=choice,
        volume=volume,
        costs=costs_of(wish, choice, volume),
        warnings=_warnings(wish, choice, volume, here),
    )


def _ours(listed: Sequence[Thing], kind: str, wish: Wish, owner: str) -> Thing | None:
    """What carries the name, if it may be changed.

    Raises:
        ConflictError: it was not made by this installation, or several have the name.
    """
    found = [one for one in listed if one.name == wish.name]
    if not found:
        return None
    if len(found) > 1:
        raise ConflictError(
            f"{len(found)} {kind}s are called {wish.name!r}: {', '.join(one.id for one in found)}",
            code="name_unclear",
            hint="delete all but one at console.runpod.io, or take another --name",
        )
    refusal = foreign(found[0], kind, owner)
    if refusal is not None and not wish.adopt:
        raise refusal
    return found[0]


def foreign(thing: _Owned, kind: str, owner: str) -> ConflictError | None:
    """The refusal of what this installation did not make; None where it did."""
    whose = (thing.env or {}).get(OWNER_VARIABLE)
    if whose == owner:
        return None
    by = f"installation {whose[:40]} of podtune" if whose else "something else than podtune"
    return ConflictError(
        f"the {kind} {thing.name!r} ({thing.id}) was made by {by}",
        code="not_ours",
        hint=f"take another --name than {thing.name}, or take it over: podtune runpod deploy --adopt",
        context={"id": thing.id, "owner": whose},
    )


def _check_kind(found: wire.Endpoint | None) -> None:
    """Refuse to make a queue of GPUs of something else: neither can be changed.

    Raises:
        ConflictError: the endpoint has no queue, or no GPU.
    """
    if found is None or (found.type in (None, "QUEUE") and found.gpu is not None):
        return
    kind = "has no queue (it is load-balancing)" if found.gpu is not None else "has no GPU"
    raise ConflictError(
        f"the endpoint {found.name!r} ({found.id}) {kind}, and that cannot be changed",
        code="wrong_kind",
        hint="take another --name, or delete it at console.runpod.io, Serverless",
    )


def _volume(client: RunPodClient, wish: Wish) -> Volume | None:
    if wish.volume is None:
        return None
    try:
        return volumes.find(client, wish.volume, wish.region)
    except SpecError as error:
        raise SpecError(
            error.message,
            code=error.code,
            hint="--volume takes an id or a name, and its data centre decides; "
            "podtune runpod cache MODEL makes one and fills it",
        ) from error


def _choice(
    cards: Sequence[wire.PoolCard], wish: Wish, found: wire.Endpoint | None, region: str | None
) -> gpu_pools.PoolChoice:
    """The pools; those of an endpoint that is there stay unless others are asked for."""
    has = found.gpu if found else None
    if has is not None and has.pools and not wish.gpus:
        return gpu_pools.described(cards, has.pools, has.excluded_types or (), region)
    return gpu_pools.choose(cards, wish.gpus, region)


def _credentials(client: RunPodClient, wish: Wish, here: Here) -> tuple[str | None, bool]:
    """Id of the credentials to name, and whether they are still to be stored."""
    if wish.registry_auth is not None:
        try:
            return registries.find(client, wish.registry_auth).id, False
        except SpecError as error:
            hint = (error.hint or "").replace("--set where.registry_auth=", "--registry-auth ")
            raise SpecError(error.message, code=error.code, hint=hint) from error
    if here.registry_login is None:
        return None, False
    there = [one for one in templates.credentials(client) if one.name == wish.name]
    return (there[0].id, False) if there else (NOT_YET, True)


def _endpoint(
    wish: Wish, choice: gpu_pools.PoolChoice, volume: Volume | None, region: str | None
) -> wire.EndpointBody:
    return wire.EndpointBody(
        name=wish.name,
        type="QUEUE",
        gpu=wire.Pools(pools=choice.pools, count=1, excluded_types=choice.excluded),
        workers=wire.WorkerLimits(
            min=wish.workers_min, max=wish.workers_max, idle_timeout=wish.idle_timeout_s
        ),
        scaling=wire.QueueDelay(type="QUEUE_DELAY", queue_delay=wire.QUEUE_DELAY_S),
        timeout=wish.timeout_s * 1000,
        flashboot=FLASHBOOT,
        network_volumes=(volume.id,) if volume else (),
        data_center_ids=(region,) if region else (),
    )


def _warnings(
    wish: Wish, choice: gpu_pools.PoolChoice, volume: Volume | None, here: Here
) -> tuple[str, ...]:
    """What somebody should know before agreeing."""
    said: list[str] = []
    if here.service_key is not None:
        said.append(
            "SUPABASE_SERVICE_ROLE_KEY opens everything of the Supabase project, and RunPod shows variables in "
            "clear to every key that may read the account; a signed upload address in the job's input is better"
        )
    if volume is None:
        said.append(
            f"no --volume: MODEL_PATH {deploy_wish.VOLUME}/... will be empty, and every new worker fetches the "
            "model from the Hub; podtune runpod cache MODEL fills one"
        )
    if not choice.is_free:
        said.append(f"none of {', '.join(choice.cards)} is in stock now: jobs will wait")
    if wish.workers_min:
        said.append(
            f"--workers-min {wish.workers_min}: these workers bill by the hour, day and night"
        )
    if ":" not in wish.image.rpartition("/")[2] or wish.image.endswith(":latest"):
        said.append(
            "--image names no release: hosts keep an old `latest`; give a version, or @sha256:..."
        )
    if here.registry_login is not None and wish.registry_auth is None:
        said.append(
            f"credentials called {wish.name} are stored at RunPod once and never read back; to change them "
            "delete them at console.runpod.io, Settings, first"
        )
    return tuple(said)
