"""What this machine and a rented one say to each other over the machine's token-protected port.

The job's secrets, its bundle and its artifact travel by these messages; nothing of them ever
stands in a machine's environment, which whoever may read the account can read. The machine's side
(`runpod-worker/pod/`) runs before anything is installed and reads the same JSON by hand.

Events come twice: in `GET /events`, and as signed lines of the container's output, which lead
through the vendor's log stream. A line is believed only with the HMAC of the attempt's key.
"""

import hashlib
import hmac
from collections.abc import Mapping
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, SecretStr, field_serializer

from podtune.core.events import TrainingEvent, parse_line

PORT: Final = 8466
"""The machine's HTTP port; `PODTUNE_BIND_PORT` may name another one to bind."""

VERSION: Final = 1
"""Of the messages below."""

SIGNED_MARKER: Final = "@podtune+"
"""Begins a line of the container's output that carries an event: `@podtune+<hex HMAC> <json>`."""

CHUNK_BYTES: Final = 32 * 2**20
"""Largest piece of a bundle in one request; the proxy ends a request after 100 s
(reference/runpod.md section 3, 2026-11-22)."""

TAIL_BYTES: Final = 4 * 2**20
"""Largest piece of events or log in one answer."""

POD_SECRETS: Final = frozenset({"HF_TOKEN"})
"""Variables that may be handed over for the worker's environment."""

_Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Message(BaseModel):
    """What we send."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class _Answer(BaseModel):
    """What the machine answers; unknown fields are of a later version."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Address(_Message):
    """An address to read from or write to for some hours, with what has to be sent along."""

    url: SecretStr
    """Signed, and so a secret."""
    headers: dict[str, SecretStr] = Field(default_factory=dict)

    @field_serializer("url", "headers", when_used="json")
    def _shown(self, value: SecretStr | dict[str, SecretStr]) -> object:
        if isinstance(value, SecretStr):
            return value.get_secret_value()
        return {name: one.get_secret_value() for name, one in value.items()}


class BundleByPort(_Message):
    """The bundle follows in pieces: `PUT /bundle?offset=N`."""

    via: Literal["port"] = "port"
    sha256: _Sha256
    bytes: int = Field(gt=0)


class BundleByHttps(Address):
    """The machine fetches the bundle itself."""

    via: Literal["https"] = "https"
    sha256: _Sha256
    bytes: int = Field(gt=0)


class DeliverByPort(_Message):
    """The machine holds the artifact until it was picked up."""

    via: Literal["port"] = "port"


class DeliverByPut(_Message):
    """The machine writes `adapter.tar.gz`, then the result, to signed addresses.

    An attempt that came to no adapter writes its newest checkpoint in the archive's place.
    """

    via: Literal["put"] = "put"
    archive: Address
    result: Address
    checkpoint: Address | None = None
    """Null where no checkpoint is wanted."""


class DeliverByProgram(_Message):
    """A program of the worker's folder brings the artifact away."""

    via: Literal["program"] = "program"
    arguments: tuple[str, ...] = Field(min_length=1)
    """The program's file name in the worker's folder, then its arguments. It runs in the job's
    folder, `artifact/` below it; exit code 0 means that everything is where it belongs."""


BundleTicket = Annotated[BundleByPort | BundleByHttps, Field(discriminator="via")]
DeliverTicket = Annotated[
    DeliverByPort | DeliverByPut | DeliverByProgram, Field(discriminator="via")
]


class HandOver(_Message):
    """`POST /hand-over`: everything a machine has to know that its environment must not hold."""

    version: Literal[1] = VERSION
    job: str
    attempt: int = Field(ge=1)
    bundle: BundleTicket
    deliver: DeliverTicket = DeliverByPort()
    secrets: dict[str, SecretStr] = Field(default_factory=dict)
    """Of `POD_SECRETS`; held in memory there."""
    event_key: SecretStr
    """64 hex signs: the key of the attempt's event lines."""
    deadline: int | None = Field(default=None, gt=0)
    """Unix seconds: when the machine ends at the latest, where that is before the deadline of its
    environment: one that costs more than was listed lives shorter, whoever is there to end it."""

    @field_serializer("secrets", when_used="json")
    def _secrets(self, value: dict[str, SecretStr]) -> dict[str, str]:
        return {name: one.get_secret_value() for name, one in value.items()}

    @field_serializer("event_key", when_used="json")
    def _key(self, value: SecretStr) -> str:
        return value.get_secret_value()


class NamedAddress(Address):
    """`PUT /address`: a fresh address of that name, when the old one is near its end."""

    name: Literal["archive", "result", "checkpoint"]


class GpuUse(_Answer):
    """One card as nvidia-smi sees it."""

    util: float | None = None
    """Percent, 0..100."""
    memory_used_bytes: int | None = None
    memory_total_bytes: int | None = None
    power_w: float | None = None


PodPhase = Literal[
    "waiting", "receiving", "installing", "checking", "training",
    "finished", "delivering", "delivered", "held", "failed",
]  # fmt: skip
"""Where a machine stands. `finished`: the artifact may be picked up; `delivered`: it is where it
belongs and the machine ends itself; `failed`: the attempt is over, checkpoints may be picked up for
some minutes; `held`: the same for the minutes of `where.keep_on_failure_min`."""


class PodStatus(_Answer):
    """`GET /status`."""

    phase: PodPhase
    detail: str = ""
    """For people: what is being done, or why it failed."""
    attempt: int
    worker_exit: int | None = None
    """Exit code of the worker; negative: the signal that ended it."""
    uptime_s: float = 0
    disk_free_bytes: int | None = None
    gpus: tuple[GpuUse, ...] = ()
    events_bytes: int = 0
    log_bytes: int = 0


class Received(_Answer):
    """How much of the bundle has arrived."""

    received: int = Field(ge=0)
    total: int | None = None


class RemoteFile(_Answer):
    """A file that may be fetched."""

    name: str = Field(min_length=1, max_length=500)
    """Path below its folder, with `/`."""
    bytes: int = Field(ge=0)
    sha256: _Sha256


class RemoteFiles(_Answer):
    """`GET /files`: the artifact."""

    files: tuple[RemoteFile, ...]


class RemoteCheckpoint(_Answer):
    """A sealed checkpoint that may be fetched."""

    name: str = Field(pattern=r"^checkpoint-[0-9]{1,12}$")
    step: int = Field(ge=0)
    bytes: int = Field(ge=0)
    files: tuple[RemoteFile, ...]


class DeliveredArchive(_Answer):
    """The archive that a machine wrote to its address."""

    sha256: _Sha256
    bytes: int = Field(ge=0)


class DeliveredCheckpoint(DeliveredArchive):
    """The newest checkpoint of an attempt that came to no adapter, as an archive at its address."""

    name: str = Field(pattern=r"^checkpoint-[0-9]{1,12}$")


class DeliveredResult(_Answer):
    """`result.json`, written last where a store takes the artifact: how the attempt ended."""

    version: int = VERSION
    job: str
    attempt: int
    ok: bool
    error_code: str | None = None
    error_message: str | None = None
    advice: str | None = None
    archive: DeliveredArchive | None = None
    """Null when there is no artifact."""
    checkpoint: DeliveredCheckpoint | None = None
    """Null when none was put."""
    files: dict[str, _Sha256] = Field(default_factory=dict)
    """Artifact file -> sha256, as the worker said."""
    facts: dict[str, JsonValue] = Field(default_factory=dict)
    """What the worker measured, for the receipt: its events may never have come here."""


def token_sha256(token: str) -> str:
    """What a machine is told of its job's token (`PODTUNE_TOKEN_SHA256`)."""
    return hashlib.sha256(token.encode()).hexdigest()


def signed_line(event: str, key: str) -> str:
    """An event's JSON text as a line of the container's output.

    Args:
        event: JSON without line ends.
        key: `event_key` of the hand-over, 64 hex signs.
    """
    return f"{SIGNED_MARKER}{_hmac(event, key)} {event}"


def verified_event(line: str, key: str) -> tuple[TrainingEvent, str] | None:
    """An event from a line of the container's output, with its JSON text.

    Returns:
        None when the line is something else, or its HMAC is not of this key.
    """
    if not line.startswith(SIGNED_MARKER):
        return None
    given, _, text = line[len(SIGNED_MARKER) :].strip().partition(" ")
    if not hmac.compare_digest(given.encode(), _hmac(text, key).encode()):
        return None
    event = parse_line(text)
    return None if event is None else (event, text)


def _hmac(text: str, key: str) -> str:
    return hmac.new(bytes.fromhex(key), text.encode(), hashlib.sha256).hexdigest()


def pod_environment(
    *, job: str, attempt: int, token: str, figures: Mapping[str, object]
) -> dict[str, str]:
    """The environment a machine is created with: only what anybody may read.

    Args:
        job: The job's id.
        attempt: Which one.
        token: The job's token; its sha256 stands in the environment.
        figures: `DEADLINE` and `STARTED` (unix seconds), `MAX_USD`, `USD_PER_HOUR`,
            `BOOT_LIMIT_S`, `SILENCE_LIMIT_S`, `UPLOAD_RESERVE_S`, `KEEP_ON_FAILURE_S`.
    """
    told = {
        "JOB": job,
        "ATTEMPT": attempt,
        "TOKEN_SHA256": token_sha256(token),
        "PORT": PORT,
        **figures,
    }
    return {f"PODTUNE_{name}": str(value) for name, value in told.items()}
