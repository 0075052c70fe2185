"""Who is plugged into what: worker folder, providers, effects, store."""

import hashlib
import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import podtune
from podtune.app.effects import LocalEffects
from podtune.app.settings import Settings, runpod_access, worker_environment
from podtune.core.errors import SpecError, StateError
from podtune.core.job import Job
from podtune.core.spec import Place
from podtune.providers.base import InstanceState
from podtune.providers.local.processes import LocalProvider
from podtune.providers.runpod.access import RunPodAccess
from podtune.storage.places import BundleStore
from podtune.workflow.sites import Site
from podtune.workflow.store import JobStore

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
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Mapping[Place, Site]:
    """Where this driver can run jobs: here, and on RunPod where there is a key."""
    here = local_provider()
    found = {Place.LOCAL: Site(here, local_effects(settings, here), settings.places)}
    try:
        access = runpod_access()
    except SpecError as error:  # an address that may not be used; jobs on this machine need none
        log.warning("nothing can be rented: %s", error.message)
        return found
    if access.api_key is not None:
        found[Place.RUNPOD] = _pods(settings, store, access, clock)
    return found


def account_of(access: RunPodAccess) -> str | None:
    """A fingerprint of whose machines a key opens; None without a key. It gives nothing of the key away."""
    if access.api_key is None:
        return None
    opened = f"{access.rest_url}\n{access.key()}"
    return hashlib.sha256(opened.encode()).hexdigest()[:16]


def job_store(settings: Settings) -> JobStore:
    """The job store of the home, migrated."""
    return JobStore(settings.database)


def program_environment() -> dict[str, str]:
    """What a worker program on this machine inherits; it imports the same podtune as we do."""
    environment = worker_environment()
    source = str(Path(podtune.__file__).resolve().parent.parent)
    known = environment.get("PYTHONPATH")
    environment["PYTHONPATH"] = f"{source}:{known}" if known else source
    return environment


def _pods(
    settings: Settings, store: JobStore, access: RunPodAccess, clock: Callable[[], datetime]
) -> Site:
    """RunPod's pods; imported here, since most commands and all local jobs need none of it."""
    from podtune.app import stores
    from podtune.app.pod_effects import PodEffects, Tools
    from podtune.providers.runpod.client import RunPodClient
    from podtune.providers.runpod.pods import RunPodProvider

    client = RunPodClient(access)
    provider = RunPodProvider(client, settings, clock=clock)

    def observe(wanted: Sequence[str]) -> Mapping[str, InstanceState]:
        pods = provider.observe()
        return {i: pods[i].state if i in pods else provider.inspect(i) for i in wanted}

    def bundle_store(job: Job) -> BundleStore:
        return stores.bundle_store(job.plan.spec, settings, settings.jobs / job.id)

    tools = Tools(clock, store.orders, store=bundle_store)
    return Site(
        provider,
        PodEffects(settings, provider, client, access, tools),
        settings.rented_places,
        observe=observe,
        account=account_of(access),
    )
