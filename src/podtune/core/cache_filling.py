"""What this machine and one that fills a model cache say to each other, over the machine's own port.

A machine that is rented to fill a network volume takes no training: it is told once which files of a model
belong there (`POST /fill`), and says how far it is with its status. Everything else of the port is as in
`podtune.core.handover`; the machine's side (`runpod-worker/pod/fill_cache.py`) reads the same JSON by hand.
"""

from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_serializer

from podtune.core.handover import PodStatus

VERSION: Final = 1
"""Of the messages below, and of the seal."""

SEAL: Final = "complete.json"
"""Written last into a model's folder: what lies beside it is whole, and was compared."""

MOST_FILES: Final = 1000
"""Of one model; the largest of 2026-11 have some 200 weight files."""

_Path = Annotated[
    str, Field(pattern=r"^[A-Za-z0-9_+-][A-Za-z0-9._+-]*(?:/[A-Za-z0-9_+-][A-Za-z0-9._+-]*){0,4}$")
]
"""Below the model's folder: no step upwards, no hidden file."""


class _Form(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class CacheFile(_Form):
    """A file of a model at one commit."""

    path: _Path
    bytes: int = Field(ge=0)
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    """Of large files (the Hub's LFS oid)."""
    git_sha1: Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")] | None = None
    """Of the others: git's own name for their content."""


class FillOrder(_Form):
    """`POST /fill`: which model belongs into which folder of the volume."""

    version: Literal[1] = VERSION
    job: str
    attempt: int = Field(ge=1)
    model: str = Field(min_length=1)
    """`org/name`."""
    commit: Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]
    folder: Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,95}$")]
    """Below `models/` of the volume."""
    hub: str
    """Address of the Hub; https, or a machine's own loopback."""
    files: Annotated[tuple[CacheFile, ...], Field(min_length=1, max_length=MOST_FILES)]
    secrets: dict[str, SecretStr] = Field(default_factory=dict)
    """`HF_TOKEN` of a gated model; held in memory there, and sent to the Hub alone."""

    @field_serializer("secrets", when_used="json")
    def _secrets(self, value: dict[str, SecretStr]) -> dict[str, str]:
        return {name: one.get_secret_value() for name, one in value.items()}

    @property
    def total_bytes(self) -> int:
        """Of all files."""
        return sum(file.bytes for file in self.files)


class FillError(BaseModel):
    """Why a machine could not fill the volume."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    code: str = Field(max_length=60)
    message: str = Field(max_length=1000)
    advice: str = Field(default="", max_length=1000)


class FillProgress(BaseModel):
    """How far a machine is; part of its status."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    done_bytes: int = Field(default=0, ge=0)
    """Of files on the volume, those included that were there before."""
    total_bytes: int = Field(default=0, ge=0)
    done_files: int = Field(default=0, ge=0)
    """Compared with the Hub's sums."""
    fetched_bytes: int = Field(default=0, ge=0)
    """That this machine brought itself."""
    sealed: bool = False
    """Whether everything is there and `complete.json` was written."""
    error: FillError | None = None


class FillStatus(PodStatus):
    """`GET /status` of a machine that fills a cache."""

    fill: FillProgress | None = None
    """None before `POST /fill`."""


class Seal(BaseModel):
    """`complete.json` of a model's folder, and the note of it that is kept on this machine."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    version: int = VERSION
    model: str
    commit: str
    bytes: int = Field(ge=0)
    files: tuple[CacheFile, ...]
    sealed_at: str = ""
    """Moment, ISO 8601, UTC, by the clock of the machine that filled it."""
