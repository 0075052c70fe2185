"""Where a job's adapter was delivered: noted beside the job once it is compared there."""

from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, ValidationError

FILE: Final = "delivered.json"
"""In the job's folder."""


class Delivered(BaseModel):
    """Where an adapter is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    uri: str
    link: str | None = None
    """For a browser, where there is one."""
    sha256: str
    """Of the archive; of a folder or repository, the artifact's one name for all its files."""
    size_bytes: int
    adapter_path: str | None = None
    """Bucket first, as specification B names it; where it is in a bucket."""


def write(job_folder: Path, delivered: Delivered) -> None:
    """Note it, all at once."""
    temporary = job_folder / f"{FILE}.tmp"
    temporary.write_text(delivered.model_dump_json(indent=1), encoding="utf-8")
    temporary.replace(job_folder / FILE)


def read(job_folder: Path) -> Delivered | None:
    """What was noted; None where nothing was delivered."""
    try:
        return Delivered.model_validate_json((job_folder / FILE).read_bytes())
    except (OSError, ValidationError):
        return None
