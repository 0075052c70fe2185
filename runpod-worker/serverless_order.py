"""What the handler tells a job's program, by its standard input, and what that program leaves behind.

The order holds secrets (signed addresses): it is never written to a disk. The outcome is a small file.
"""

import hashlib
import json
from pathlib import Path
from typing import Final, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

import serverless_terms
from podtune.core.events import WorkerResult
from podtune.core.submission import Submission
from serverless_places import Places

ASKED: Final = "asked.json"
OUTCOME: Final = "outcome.json"
LOG: Final = "worker.log"
EXTRA: Final = ("upload", "bundle", *serverless_terms.KEYS)
"""Keys of the input that `core.submission` leaves to us."""

Part = TypeVar("Part", bound=BaseModel)

_NOT_TRAINED: Final = frozenset(
    ("dataset_url", "callback_url", "gpu_config", "max_usd", "max_hours")
)


class JobOrder(BaseModel):
    """One attempt of one job."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    input: dict[str, object] = Field(repr=False)
    """As it came, checked."""
    external_id: str
    """The platform's id of the job."""
    attempt: int = Field(ge=1)
    places: Places


class Outcome(BaseModel):
    """How an attempt ended."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    attempt: int = Field(ge=1)
    result: WorkerResult
    asked_attempt: int = Field(default=1, ge=1)
    """Whose addresses the adapter went to: `attempt` of the input, where `attempt` counts dispatches."""
    adapter_path: str | None = None
    adapter_sha256: str | None = None
    """Of the archive."""
    adapter_bytes: int | None = None
    compared: bool = False
    """Whether what lies in the store was compared with what was sent."""
    warnings: tuple[str, ...] = ()
    status: dict[str, object] | None = None
    """Of a finished job: the status object that was answered, without the platform's id."""

    @property
    def is_completed(self) -> bool:
        """Whether the adapter lies where it belongs."""
        return self.result.ok and self.adapter_path is not None


class Asked(BaseModel):
    """Which request a job's folder belongs to; no address and no key in it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    job_id: str
    digest: str


def asked(submission: Submission, plan: str | None = None) -> Asked:
    """What is trained on what, as a sum; signatures, callbacks and limits do not count.

    `plan` is the digest of a plan that was made elsewhere, which says all of it.
    """
    if plan is not None:
        return Asked(job_id=submission.job_id, digest=plan)
    body = submission.model_dump(mode="json", exclude=set(_NOT_TRAINED))
    body["dataset"] = submission.dataset_url.split("?", 1)[0].split("#", 1)[0]
    text = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return Asked(job_id=submission.job_id, digest=hashlib.sha256(text.encode()).hexdigest())


def outcome_of(folder: Path) -> Outcome | None:
    """How the last attempt in a folder ended; None where none did."""
    return _read(folder / OUTCOME, Outcome)


def asked_in(folder: Path) -> Asked | None:
    """Whose folder it is; None for a new one."""
    return _read(folder / ASKED, Asked)


def _read(path: Path, kind: type[Part]) -> Part | None:
    try:
        return kind.model_validate_json(path.read_bytes())
    except (FileNotFoundError, ValidationError):  # cut short is as good as absent
        return None
