"""The bundle of an attempt, as it lies in the job's folder until its machine is gone."""

from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, ValidationError

from podtune.core.job import Job
from podtune.storage import bundle
from podtune.storage.artifact_folder import sha256_file

FILE: Final = "bundle.tar"
FACTS: Final = "bundle.json"


class StagedBundle(BaseModel):
    """What was staged, noted so that a later driver need not read gigabytes for it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    attempt: int
    sha256: str
    bytes: int


def stage(job: Job, folder: Path) -> StagedBundle:
    """Make the bundle of the job's present attempt.

    Raises:
        PodtuneError: see `podtune.storage.bundle.make`.
    """
    made = bundle.make(job, folder, folder / FILE)
    facts = StagedBundle(attempt=job.attempt, sha256=made.sha256, bytes=made.size)
    (folder / FACTS).write_text(facts.model_dump_json(), encoding="utf-8")
    return facts


def staged(job: Job, folder: Path) -> StagedBundle:
    """What was staged for the present attempt; measured again where the note of it is missing."""
    try:
        facts = StagedBundle.model_validate_json((folder / FACTS).read_bytes())
    except (OSError, ValidationError):
        facts = None
    if facts is not None and facts.attempt == job.attempt:
        return facts
    packed = folder / FILE
    size = packed.stat().st_size
    return StagedBundle(attempt=job.attempt, sha256=sha256_file(packed), bytes=size)


def remove(folder: Path) -> None:
    """Remove the bundle: a copy of the data less. The note of it stays."""
    (folder / FILE).unlink(missing_ok=True)
