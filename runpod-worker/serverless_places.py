"""Where a serverless worker finds things: its home, the network volume, places of base models.

Made by `handler.py` of its environment, handed to the job's own program; read by nobody else.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict

VOLUME: Final = Path("/runpod-volume")
"""Where serverless workers see a network volume (docs.runpod.io, network volumes, read 2026-11-22)."""

POD_VOLUME: Final = Path("/workspace")
"""Where pods see the same volume, and founding documents name it."""

CONTAINER_HOME: Final = Path("/tmp/podtune")  # noqa: S108 - the container's own disk, one user
"""Home where no volume is attached; gone with the container."""

VOLUME_VARIABLE: Final = "PODTUNE_RUNPOD_VOLUME"
"""How the stand-in cloud tells where the volume is."""

HOME_VARIABLE: Final = "PODTUNE_WORKER_HOME"

HIDDEN: Final = ("RUNPOD_", "RP_", "PODTUNE_WEBHOOK_SECRET", "JUPYTER_", "PUBLIC_KEY")
"""How names of variables begin that a job's program has no use for: the platform's keys, its addresses
for results, and what callbacks are signed with."""


class Places(BaseModel):
    """Folders of a worker. None of them need exist."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    home: Path
    """`<home>/jobs/<job_id>` are the jobs' folders."""
    volume: Path | None
    """The network volume, where one is attached."""
    model_path: str | None = None
    """MODEL_PATH as it was given."""
    transformers_cache: str | None = None
    """TRANSFORMERS_CACHE as it was given: a place to look in, never passed on."""

    @property
    def is_kept(self) -> bool:
        """Whether the home outlives this container: another worker can go on from it."""
        return self.volume is not None and self.home.is_relative_to(self.volume)

    def job(self, job_id: str) -> Path:
        """The folder of a job."""
        return self.home / "jobs" / job_id


def of(environment: Mapping[str, str]) -> Places:
    """The places of a worker with this environment.

    Args:
        environment: The worker's whole one.
    """
    told = environment.get(VOLUME_VARIABLE)
    volume = Path(told) if told else VOLUME
    attached = volume.is_dir() if told else os.path.ismount(volume)
    own = environment.get(HOME_VARIABLE)
    home = Path(own) if own else volume / "podtune" if attached else CONTAINER_HOME
    return Places(
        home=home.absolute(),
        volume=volume.absolute() if attached else None,
        model_path=environment.get("MODEL_PATH") or None,
        transformers_cache=environment.get("TRANSFORMERS_CACHE") or None,
    )


def child_environment(environment: Mapping[str, str], places: Places) -> dict[str, str]:
    """What the job's program inherits: no key of the platform, no address for results.

    A cache below `/workspace` is looked for on the volume, where serverless workers have it.
    """
    kept = {
        name: value
        for name, value in environment.items()
        if not name.startswith(HIDDEN) and name != "TRANSFORMERS_CACHE"
    }
    cache = kept.get("HF_HOME")
    if cache:
        kept["HF_HOME"] = str(on_volume(Path(cache), places.volume) or cache)
    return {**kept, "PODTUNE_HOME": str(places.home), "PYTHONUNBUFFERED": "1"}


def on_volume(path: Path, volume: Path | None) -> Path | None:
    """A path below `/workspace` as a serverless worker has it; None for any other."""
    if volume is None or not path.is_relative_to(POD_VOLUME) or path.exists():
        return None
    return volume / path.relative_to(POD_VOLUME)
