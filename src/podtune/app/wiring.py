"""Who is plugged into what: worker folder, providers, effects, store."""

import functools
import hashlib
import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import SecretStr

import podtune
from podtune.app.effects import LocalEffects
from podtune.app.settings import Settings, database_url, runpod_access, worker_environment
from podtune.core.clock import Clock
from podtune.core.errors import PodtuneError, SpecError, StateError
from podtune.core.job import Job
from podtune.core.spec import Place
from podtune.providers.base import InstanceState
from podtune.providers.local.processes import LocalProvider
from podtune.providers.runpod.access import RunPodAccess
from podtune.storage.places import BundleStore
from podtune.workflow import database, postgres
from podtune.workflow.driver import Round
from podtune.workflow.lease import Driver
from podtune.workflow.sites import Site
from podtune.workflow.store import JobStore

if TYPE_CHECKING:
    from podtune.providers.runpod.client import Transport
    from podtune.providers.runpod.pods import RunPodProvider
    from podtune.providers.runpod.queue_provider import QueueProvider

log = logging.getLogger(__name__)


def worker_folder() -> Path:
    """The worker's files: beside the source in a checkout, inside the package when installed.

    Raises:
        StateError: neither is there.
    """
    package = Path(podtune.__file__).resolve().parent
    for candidate in (package.parent.parent / "runpod-worker", package / "worker"):
        if (candidate / "train_lora.py").is_file():
            return candidate
    raise StateError("the worker's files are missing", hint="install podtune again")


def local_provider() -> LocalProvider:
    """This machine as a provider."""
    return LocalProvider(worker_folder())


def local_effects(settings: Settings, provider: LocalProvider) -> LocalEffects:
    """The effects of local jobs."""
    return LocalEffects(settings, provider, program_environment())


def sites(
    settings: Settings,
    store: JobStore,
    *,
    clock: Clock | None = None,
    transport: "Transport | None" = None,
) -> Mapping[Place, Site]:
    """Where this driver can run jobs: here, and on RunPod where there is a key.

    The time is the store's, unless `clock` tells another. `transport` takes the network's place, for RunPod and for the ports of its pods.
    """
    here = local_provider()
    found = {Place.LOCAL: Site(here, local_effects(settings, here), settings.places)}
    try:
        access = runpod_access()
    except SpecError as error:  # an address that may not be used; jobs on this machine need none
        log.warning("nothing can be rented: %s", error.message)
        return found
    if access.api_key is not None:
        found[Place.RUNPOD] = _pods(settings, store, access, clock or store.clock, transport)
        found[Place.RUNPOD_SERVERLESS] = _queues(
            settings, store, access, clock or store.clock, transport
        )
    return found


def rounds(
    settings: Settings,
    store: JobStore,
    me: Driver,
    executor: Executor,
    *,
    clock: Clock | None = None,
) -> Sequence[Round]:
    """What a driver does besides jobs: callbacks; where something was rented, the bill, and the reaper.

    The time is the store's, unless `clock` tells another; a signature bears the machine's own, since a
    receiver compares it with its own.
    """
    from podtune.app import callbacks
    from podtune.workflow.courier import Courier

    clock = clock or store.clock
    send = callbacks.sender(settings)
    courier = Courier(store.messages, me, send, executor=executor, clock=clock)
    if me.account is None:
        return (courier,)
    from podtune.app import rounds as account_rounds
    from podtune.app.settling import Settling
    from podtune.providers.runpod import account
    from podtune.providers.runpod.client import RunPodClient

    client = RunPodClient(runpod_access())
    settling = Settling(
        store,
        functools.partial(account.billed, client),
        account=me.account,
        holder=me.holder,
        executor=executor,
        clock=clock,
        limits=settings,
    )
    reaper = account_rounds.round_of(settings, store, me, client, executor=executor, clock=clock)
    return (courier, settling, reaper)


def account_of(access: RunPodAccess) -> str | None:
    """A fingerprint of whose machines a key opens; None without a key. It gives nothing of the key away."""
    if access.api_key is None:
        return None
    opened = f"{access.rest_url}\n{access.key()}"
    return hashlib.sha256(opened.encode()).hexdigest()[:16]


def job_store(settings: Settings) -> JobStore:
    """The job store of the home, or the one that several share, migrated."""
    return JobStore(settings.database, url=_shared())


def has_job_store(settings: Settings) -> bool:
    """Whether there is a job store already; looking makes none."""
    return not database.is_new(settings.database, _shared())


def job_store_place(settings: Settings) -> str:
    """Where the job store is, in words that may be shown."""
    url = _shared()
    return postgres.shown(url) if url else f"in {settings.database}"


def _shared() -> str | None:
    url = database_url()
    return url.get_secret_value() if url else None


def program_environment() -> dict[str, str]:
    """What a worker program on this machine inherits; it imports the same podtune as we do."""
    environment = worker_environment()
    source = str(Path(podtune.__file__).resolve().parent.parent)
    known = environment.get("PYTHONPATH")
    environment["PYTHONPATH"] = f"{source}:{known}" if known else source
    return environment


def _pods(
    settings: Settings,
    store: JobStore,
    access: RunPodAccess,
    clock: Clock,
    transport: "Transport | None",
) -> Site:
    """RunPod's pods; imported here, since most commands and all local jobs need none of it."""
    from podtune.app import stores
    from podtune.app.pod_effects import PodEffects, Tools
    from podtune.providers.runpod.client import RunPodClient
    from podtune.providers.runpod.pods import RunPodProvider
    from podtune.storage.pod_port import PodPort

    client = RunPodClient(access, transport=transport)
    provider = RunPodProvider(client, settings, clock=clock)

    def bundle_store(job: Job) -> BundleStore:
        return stores.bundle_store(job.plan.spec, settings, settings.jobs / job.id)

    def port(url: str, token: SecretStr) -> PodPort:
        return PodPort(url, token, transport=transport)

    tools = Tools(clock, store.orders, port=port, store=bundle_store, confirm=store.confirm)
    return Site(
        provider,
        PodEffects(settings, provider, client, access, tools),
        settings.rented_places,
        observe=functools.partial(_observed, provider),
        account=account_of(access),
    )


def _queues(
    settings: Settings,
    store: JobStore,
    access: RunPodAccess,
    clock: Clock,
    transport: "Transport | None",
) -> Site:
    """RunPod's serverless endpoints; imported here for the same reason."""
    from podtune.app import stores
    from podtune.app.queue_effects import QueueEffects, QueueTools
    from podtune.providers.runpod import endpoints
    from podtune.providers.runpod.client import RunPodClient
    from podtune.providers.runpod.endpoints import Diagnosis
    from podtune.providers.runpod.queue import QueueClient
    from podtune.providers.runpod.queue_provider import QueueProvider

    client = RunPodClient(access, transport=transport)
    provider = QueueProvider(QueueClient(access, transport=transport), settings, clock=clock)

    def bundle_store(job: Job) -> BundleStore:
        return stores.bundle_store(job.plan.spec, settings, settings.jobs / job.id)

    def diagnosed(endpoint_id: str) -> Diagnosis | None:
        try:
            found = endpoints.get(client, endpoint_id)
            return endpoints.diagnose(found, endpoints.workers(client, endpoint_id))
        except PodtuneError as error:  # it waits whether or not anybody knows why
            log.info("endpoint %s: %s", endpoint_id, error.message)
            return None

    def image(endpoint_id: str) -> str | None:
        try:
            return endpoints.get(client, endpoint_id).image
        except PodtuneError as error:
            log.info("endpoint %s: %s", endpoint_id, error.message)
            return None

    tools = QueueTools(
        clock,
        store.orders,
        store=bundle_store,
        confirm=store.confirm,
        begun=store.record_begin,
        diagnose=diagnosed,
        image=image,
    )
    return Site(
        provider,
        QueueEffects(settings, provider, tools),
        settings.rented_places,
        observe=functools.partial(_looked_at, provider),
        account=account_of(access),
    )


def _looked_at(provider: "QueueProvider", wanted: Sequence[str]) -> Mapping[str, InstanceState]:
    """The states of some jobs of queues, asked one by one: RunPod has no list of them."""
    found: dict[str, InstanceState] = {}
    for name in wanted:
        try:
            found[name] = provider.inspect(name)
        except PodtuneError as error:
            log.warning("the endpoint's job %s cannot be looked at: %s", name, error.message)
    return found


def _observed(provider: "RunPodProvider", wanted: Sequence[str]) -> Mapping[str, InstanceState]:
    """The states of some machines, from one list; one that RunPod cannot be asked about hides no other."""
    pods = provider.observe()
    found: dict[str, InstanceState] = {}
    for name in wanted:
        try:
            found[name] = pods[name].state if name in pods else provider.inspect(name)
        except PodtuneError as error:
            log.warning("pod %s cannot be looked at: %s", name, error.message)
    return found
