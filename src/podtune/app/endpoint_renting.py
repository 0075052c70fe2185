"""Plans of jobs for a serverless endpoint of one's own: which endpoint, what its workers are, how work travels.

    planned = endpoint_renting.plan(given, client, settings)

The endpoint's pools decide the card: a worker may have any of them, so the plan is for the smallest, at the
price of the dearest.
"""

from decimal import Decimal
from typing import Final

from podtune.app import gpu_pools
from podtune.app import settings as environment
from podtune.app.installation import owner
from podtune.app.settings import Settings
from podtune.core.clock import Clock, utc_now
from podtune.core.errors import NoCapacityError, NotFoundError, SpecError
from podtune.core.offer import Offer, Stock
from podtune.core.plan import FieldNote, Origin, Plan
from podtune.core.spec import ModelSource, TrainingSpec
from podtune.core.units import duration
from podtune.planning import ladder
from podtune.planning.gpu_choice import Wishes
from podtune.planning.plan import PlanInput
from podtune.planning.price import dollars, money
from podtune.providers.runpod import endpoints
from podtune.providers.runpod import serverless_wire as wire
from podtune.providers.runpod.client import RunPodClient
from podtune.providers.runpod.names import OWNER_VARIABLE

STORES: Final = ("s3", "supabase")
"""Stores that give addresses for single objects: nobody can speak to a worker, or hand it a key."""

SUPABASE_H: Final = 1.9
"""Hours that Supabase's upload addresses live, less some minutes (reference/test-peers.md 2, 2026-11-22).
Queue and run have to end within: nobody can give a worker fresh ones."""


def plan(
    given: PlanInput, client: RunPodClient, settings: Settings, clock: Clock = utc_now
) -> Plan:
    """The priced plan of a job for an endpoint.

    Raises:
        PodtuneError: no endpoint is meant, or several are; it has no workers; no store is set up; nothing
            fits; no ceiling; or RunPod cannot be asked.
    """
    _refuse_package(given.spec)
    spec = _with_store(given.spec, given.notes, settings)
    endpoint = _endpoint(spec, client, owner(settings.home))
    _note(given.notes, "where.endpoint", endpoint.id, f"the endpoint {endpoint.name!r}")
    spec = _where(spec, endpoint=endpoint.id)
    spec = _within_addresses(spec, given.notes, settings)
    found = _offer(spec, endpoint, endpoints.cards(client), clock)
    words = _warnings(found, endpoint, settings)
    given = given._replace(spec=spec, warnings=(*given.warnings, *words))
    return ladder.rented(given, (found,), Wishes(spec.where), settings)


def _refuse_package(spec: TrainingSpec) -> None:
    if spec.base_model.source is ModelSource.PACKAGE:
        raise SpecError(
            "an endpoint's workers do not have the packaged base model",
            code="model_needed",
            hint="name one of the Hub: --model org/name",
        )


def _with_store(
    spec: TrainingSpec, notes: dict[str, FieldNote], settings: Settings
) -> TrainingSpec:
    """The spec with a store that a worker can use: the stated one, or the one that is set up here.

    Raises:
        SpecError: another was stated, or none is set up.
    """
    stated = notes["deliver.store"].origin is Origin.STATED
    if stated and spec.deliver.store not in STORES:
        raise SpecError(
            f"deliver.store={spec.deliver.store} does not reach a serverless worker: it has no port, and "
            "gets addresses, never a key",
            code="unsupported_store",
            hint="use --store s3 or --store supabase",
        )
    if stated:
        return spec
    if environment.s3_credentials() is not None and settings.s3_bucket:
        store, why = "s3", "PODTUNE_S3_BUCKET; a worker gets addresses for single objects"
    elif environment.supabase_access() is not None:
        store, why = "supabase", "SUPABASE_URL; a worker gets addresses for single objects"
    else:
        raise SpecError(
            "a serverless worker has no port: data and adapter need a store that both sides reach",
            code="no_store",
            hint="set PODTUNE_S3_BUCKET with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or SUPABASE_URL with "
            "SUPABASE_SERVICE_ROLE_KEY; or rent a pod: --on runpod",
        )
    _note(notes, "deliver.store", store, why)
    return spec.model_copy(update={"deliver": spec.deliver.model_copy(update={"store": store})})


def _endpoint(spec: TrainingSpec, client: RunPodClient, own: str) -> wire.Endpoint:
    """The endpoint that is meant: stated, RUNPOD_ENDPOINT_ID, or the one of this installation.

    Raises:
        NotFoundError: it is not there, or none is.
        SpecError: several are, it has no queue, or may have no workers.
    """
    there = endpoints.listed(client)
    wanted = spec.where.endpoint or environment.runpod_endpoint()
    if wanted is not None:
        found = [one for one in there if wanted in (one.id, one.name)]
    else:
        found = [one for one in there if (one.env or {}).get(OWNER_VARIABLE) == own]
    if not found:
        raise NotFoundError(
            f"the account has no endpoint {wanted!r}"
            if wanted
            else "no endpoint of this installation is there",
            code="no_endpoint",
            hint="podtune runpod deploy makes one",
        )
    if len(found) > 1:
        names = ", ".join(f"{one.id} ({one.name})" for one in found)
        raise SpecError(
            f"several endpoints are meant: {names}",
            code="endpoint_unclear",
            hint="say which: --set where.endpoint=ID, or RUNPOD_ENDPOINT_ID",
        )
    _refuse_unfit(found[0], spec)
    return found[0]


def _refuse_unfit(endpoint: wire.Endpoint, spec: TrainingSpec) -> None:
    endpoints.path_of(endpoint.id)
    if endpoint.type not in (None, "QUEUE"):
        raise SpecError(
            f"{endpoint.name!r} is a load-balancing endpoint, which has no queue",
            code="bad_endpoint",
            hint="podtune runpod deploy makes one that has",
        )
    limits = endpoint.workers
    if limits is not None and limits.max == 0:
        raise SpecError(
            f"{endpoint.name!r} may have no worker (workers.max is 0: RunPod sets it so after 7 days "
            "without a job)",
            code="workers_max_0",
            hint="podtune runpod deploy sets it again",
        )
    count = (endpoint.gpu.count if endpoint.gpu else None) or 1
    if spec.where.count != count:
        raise SpecError(
            f"where.count is {spec.where.count}, workers of {endpoint.name!r} have {count}",
            code="machine_unfit",
            hint=f"--set where.count={count}",
        )


def _offer(
    spec: TrainingSpec, endpoint: wire.Endpoint, cards: list[wire.PoolCard], clock: Clock
) -> Offer:
    """What the endpoint's workers are, as one offer: the least memory, the highest price.

    Raises:
        NoCapacityError: the catalogue knows no card of its pools, or no price.
    """
    gpu = endpoint.gpu or wire.EndpointGpu()
    pools, excluded = gpu.pools or (), gpu.excluded_types or ()
    centres = endpoint.data_center_ids or ()
    choice = gpu_pools.described(cards, pools, excluded, centres[0] if centres else None)
    inside = [c for c in cards if c.pool in pools and c.id not in excluded and c.memory]
    if not inside or choice.usd_per_hour is None:
        raise NoCapacityError(
            f"RunPod's catalogue has no priced card of {endpoint.name!r}'s pools: {', '.join(pools)}",
            hint="podtune runpod deploy --gpu CARD gives it others",
        )
    smallest = min(inside, key=lambda card: (card.memory or 0, card.id))
    count = gpu.count or 1
    idle = endpoint.workers.idle_timeout if endpoint.workers else None
    return Offer(
        provider="runpod",
        gpu=smallest.id,
        name=" or ".join(choice.cards),
        count=count,
        vram_gib=smallest.memory or 1,
        usd_per_hour=choice.usd_per_hour * count,
        cloud=spec.where.cloud,
        stock=Stock.MEDIUM if choice.is_free else Stock.LOW,
        fetched_at=clock(),
        idle_s=idle or 0,
    )


def _within_addresses(
    spec: TrainingSpec, notes: dict[str, FieldNote], settings: Settings
) -> TrainingSpec:
    """The spec with a run that ends before its store's addresses do.

    Raises:
        SpecError: a longer one was stated.
    """
    if spec.deliver.store != "supabase":
        return spec
    most = round(SUPABASE_H - settings.queue_limit_s / 3600, 2)
    if most <= 0 or (spec.where.max_hours or 0) > most:
        raise SpecError(
            f"Supabase's upload addresses live 2 h: with {duration(settings.queue_limit_s)} in the queue a "
            f"run may last {most:g} h",
            code="addresses_too_short",
            hint=f"--set where.max_hours={most:g}, or a store whose addresses live longer: --store s3"
            if most > 0
            else "lower PODTUNE_QUEUE_LIMIT_S, or use --store s3",
        )
    if spec.where.max_hours is not None:
        return spec
    _note(
        notes,
        "where.max_hours",
        most,
        "Supabase's upload addresses live 2 h; the queue comes first",
    )
    return _where(spec, max_hours=most)


def _warnings(offer: Offer, endpoint: wire.Endpoint, settings: Settings) -> tuple[str, ...]:
    """What somebody should know of an endpoint before they approve."""
    words: list[str] = []
    if offer.stock is Stock.LOW:
        waits = duration(settings.queue_limit_s)
        words.append(
            f"no card of the endpoint's pools is free now: the job waits up to {waits}, unbilled"
        )
    if not endpoint.network_volumes:
        words.append(
            "the endpoint has no network volume: base models are fetched anew by each worker, and of a "
            "cancelled job no checkpoint is kept"
        )
    cost = dollars(offer.hourly, offer.idle_s)
    if cost >= Decimal("0.01"):
        over = offer.idle_s > settings.overrun_reserve_s
        more = ", which the ceiling does not cover" if over else ""
        words.append(
            f"a worker stays for {duration(offer.idle_s)} after the job and is billed: {money(cost)}{more}"
        )
    return tuple(words)


def _where(spec: TrainingSpec, **values: object) -> TrainingSpec:
    return spec.model_copy(update={"where": spec.where.model_copy(update=values)})


def _note(notes: dict[str, FieldNote], path: str, value: object, why: str) -> None:
    if notes[path].origin is Origin.ASSUMED:
        notes[path] = notes[path].model_copy(update={"value": value, "why": why})
