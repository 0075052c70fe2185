"""What a rented machine is told: its environment, and the hand-over.

Read by hand, since nothing is installed yet. Knows nothing of how it is carried out.
"""

import json
import os
import re
import sys
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

JOB_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
SHA256 = re.compile(r"[0-9a-f]{64}")
SECRETS = frozenset({"HF_TOKEN"})
"""What a worker may be handed; anything else could steer it (PYTHONPATH, LD_PRELOAD)."""

LOOPBACK = ("127.0.0.1", "::1", "localhost")
SECRET_WORDS = ("KEY", "TOKEN", "SECRET", "PASSWORD", "CREDENTIAL")
"""A variable with one of these in its name is no business of the worker."""


class Refused(Exception):  # noqa: N818 - an answer, not an error
    """A request that is refused, with its HTTP status."""

    def __init__(self, status: int, reason: str, **facts: Any) -> None:
        super().__init__(reason)
        self.status, self.reason, self.facts = status, reason, facts


class Orders(NamedTuple):
    """The machine's environment, read."""

    job: str
    attempt: int
    token_sha256: str
    workspace: Path
    """The disk that outlives the container: `/workspace`."""
    host: str
    port: int
    deadline: float
    """Unix seconds: the machine ends then at the latest."""
    started: float
    """Unix seconds: when it was ordered, and its bill began."""
    max_usd: Decimal
    """What this machine may cost; 0 for no limit of its own."""
    usd_per_hour: Decimal
    boot_limit_s: float
    silence_limit_s: float
    upload_reserve_s: float
    keep_on_failure_s: float
    lock_sha256: str = ""
    """The lock whose libraries the image already holds."""
    watch_interval_s: float = 5.0
    beat_interval_s: float = 2.0

    @property
    def folder(self) -> Path:
        """Everything of the job."""
        return self.workspace / "podtune" / self.job

    @property
    def job_folder(self) -> Path:
        """What the worker is started on."""
        return self.folder / "job"

    @property
    def artifact(self) -> Path:
        """Where the worker leaves what it trained."""
        return self.job_folder / "artifact"

    @property
    def events(self) -> Path:
        """What the worker says."""
        return self.job_folder / "events.jsonl"

    @property
    def log(self) -> Path:
        """Everything that was written by pip, preflight, worker and delivery."""
        return self.folder / "worker.log"

    @property
    def begun(self) -> Path:
        """There once the worker was started: an attempt never begins twice."""
        return self.folder / f"begun-{self.attempt}"

    @property
    def shortened(self) -> Path:
        """An earlier deadline, where one was handed over; every process of the machine keeps it."""
        return self.watch / "deadline"

    @property
    def watch(self) -> Path:
        """Where receive and watchdog leave word for each other."""
        return self.folder / f"watch-{self.attempt}"


def read(environment: Mapping[str, str]) -> Orders:
    """The orders of an environment.

    Raises:
        ValueError: one of them is missing or no such thing, by name.
    """

    def told(name: str, default: str | None = None) -> str:
        value = environment.get(f"PODTUNE_{name}") or default
        if value is None:
            raise ValueError(f"PODTUNE_{name} is not set")
        return value

    def number(name: str, default: str | None = None) -> float:
        try:
            return float(told(name, default))
        except ValueError:
            raise ValueError(f"PODTUNE_{name} is missing or no number") from None

    def money(name: str) -> Decimal:
        try:
            return Decimal(told(name, "0"))
        except InvalidOperation:
            raise ValueError(f"PODTUNE_{name} is no amount") from None

    if not JOB_NAME.fullmatch(told("JOB")):
        raise ValueError("PODTUNE_JOB is no job's name")
    if not SHA256.fullmatch(told("TOKEN_SHA256")):
        raise ValueError("PODTUNE_TOKEN_SHA256 is no sha256")
    return Orders(
        job=told("JOB"),
        attempt=int(number("ATTEMPT", "1")),
        token_sha256=told("TOKEN_SHA256"),
        workspace=Path(told("WORKSPACE", "/workspace")),
        host=told("BIND_HOST", "0.0.0.0"),  # noqa: S104 - the vendor's proxy comes from outside
        port=int(number("BIND_PORT", told("PORT", "8466"))),
        deadline=number("DEADLINE"),
        started=number("STARTED"),
        max_usd=money("MAX_USD"),
        usd_per_hour=money("USD_PER_HOUR"),
        boot_limit_s=number("BOOT_LIMIT_S", "900"),
        silence_limit_s=number("SILENCE_LIMIT_S", "600"),
        upload_reserve_s=number("UPLOAD_RESERVE_S", "120"),
        keep_on_failure_s=number("KEEP_ON_FAILURE_S", "0"),
        lock_sha256=environment.get("PODTUNE_LOCK_SHA256", ""),
        watch_interval_s=number("WATCH_INTERVAL_S", "5"),
        beat_interval_s=number("BEAT_INTERVAL_S", "2"),
    )


class HandOver(NamedTuple):
    """What was handed over. Its secrets are never written anywhere."""

    bundle: dict[str, Any]
    deliver: dict[str, Any]
    secrets: dict[str, str]
    event_key: bytes
    deadline: float | None = None
    """Unix seconds; only an earlier one than the environment's counts."""


def hand_over(body: bytes, orders: Orders) -> HandOver:
    """Read a hand-over for this machine.

    Raises:
        Refused: 400 where it is malformed, 409 where another job or attempt is meant.
    """
    try:
        said = json.loads(body)
        if said["version"] != 1:
            raise Refused(400, "this version of the hand-over is not known here")
        if (said["job"], said["attempt"]) != (orders.job, orders.attempt):
            raise Refused(
                409,
                f"this machine is for attempt {orders.attempt} of {orders.job}",
                kind="another",
            )
        _check_bundle(said["bundle"])
        _check_deliver(said["deliver"])
        secrets = dict(said["secrets"])
        if not SECRETS.issuperset(secrets) or not all(isinstance(v, str) for v in secrets.values()):
            raise Refused(400, f"secrets may be {', '.join(sorted(SECRETS))} only")
        if not SHA256.fullmatch(said["event_key"]):
            raise Refused(400, "event_key is not 64 hex signs")
        deadline = said.get("deadline")
        return HandOver(
            said["bundle"],
            said["deliver"],
            secrets,
            bytes.fromhex(said["event_key"]),
            None if deadline is None else float(deadline),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Refused(400, f"the hand-over cannot be read: {type(error).__name__}") from None


def check_address(address: dict[str, Any]) -> dict[str, Any]:
    """An address as it may be used: https, or plain http to this machine itself.

    Raises:
        Refused: 400.
    """
    parts = urlsplit(address["url"])
    secure = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK)
    if not secure or not parts.hostname:
        raise Refused(400, "an address is not https")
    headers = address.get("headers") or {}
    if not all(isinstance(k, str) and isinstance(v, str) for k, v in headers.items()):
        raise Refused(400, "headers of an address are not text")
    return {"url": address["url"], "headers": headers}


def _check_bundle(bundle: dict[str, Any]) -> None:
    if bundle["via"] not in ("port", "https"):
        raise Refused(400, "the bundle comes by port or https")
    if not SHA256.fullmatch(bundle["sha256"]) or int(bundle["bytes"]) <= 0:
        raise Refused(400, "the bundle has no sha256 or size")
    if bundle["via"] == "https":
        check_address(bundle)


def addresses_of(deliver: dict[str, Any]) -> list[str]:
    """Names of what may be written to addresses; the last one is not always wanted."""
    return ["archive", "result", *(["checkpoint"] if deliver.get("checkpoint") else [])]


def _check_deliver(deliver: dict[str, Any]) -> None:
    if deliver["via"] == "put":
        for name in addresses_of(deliver):
            check_address(deliver[name])
    elif deliver["via"] == "program":
        arguments = deliver["arguments"]
        if not arguments or not all(isinstance(a, str) for a in arguments):
            raise Refused(400, "the delivery program has no name")
        if not re.fullmatch(r"[a-z_]+\.py", arguments[0]):
            raise Refused(400, "the delivery program is no file of the worker's folder")
    elif deliver["via"] != "port":
        raise Refused(400, "delivery is by port, put or program")


def worker_environment(
    environment: Mapping[str, str], orders: Orders, libraries: Path, secrets: Mapping[str, str]
) -> dict[str, str]:
    """What the worker is started with: no key of the vendor, no token of ours.

    Args:
        environment: This process's.
        orders: For the workspace.
        libraries: Folder of installed libraries.
        secrets: As handed over.
    """
    kept = {
        name: value
        for name, value in environment.items()
        if not any(word in name.upper() for word in SECRET_WORDS)
    }
    cache = orders.workspace / ".cache" / "huggingface"
    return {
        "HF_HOME": str(cache),
        "GOMP_SPINCOUNT": "3000",  # waiting threads sleep soon; see app/settings.py
        **kept,
        "PYTHONPATH": str(libraries),
        "PYTHONUNBUFFERED": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        **secrets,
    }


def say(text: str) -> None:
    """One line on the container's output."""
    sys.stdout.write(text.replace("\n", " ") + "\n")
    sys.stdout.flush()


def write(path: Path, text: str) -> None:
    """Write a small file, all at once."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)
