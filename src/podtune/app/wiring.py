"""Who is plugged into what: worker folder, provider, effects, store."""

from pathlib import Path

import podtune
from podtune.app.effects import LocalEffects
from podtune.app.settings import Settings, worker_environment
from podtune.core.errors import StateError
from podtune.providers.local.processes import LocalProvider
from podtune.workflow.store import JobStore


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
