"""What somebody wants of a serverless endpoint, and the environment of its workers.

The defaults are specification B's; what contradicts itself is refused here, before RunPod is asked.
"""

import re
from collections.abc import Mapping
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from podtune.core.errors import SpecError
from podtune.core.redact import scrub
from podtune.core.units import duration
from podtune.providers.runpod.names import OWNER_VARIABLE
from podtune.providers.runpod.serverless_wire import (
    LONGEST_JOB_S,
    MOST_IDLE_S,
    SHORTEST_JOB_S,
    SHORTEST_TTL_S,
)
from podtune.providers.runpod.wire import MAX_VARIABLES

DEFAULT_NAME: Final = "podtune-lora-trainer"
"""Of the endpoint and of its template; specification B's own is `--name brightrun-lora-trainer`."""

DEFAULT_MODEL: Final = "Qwen3-Next-80B-A3B-Instruct"
"""Specification B's base model, as the volume's folder is called."""

VOLUME: Final = "/runpod-volume"
"""Where a worker sees its network volume; specification B's `/workspace` is the same on pods only
(docs.runpod.io, network volumes, 2026-08-20)."""

QUEUE_ROOM_S: Final = 12 * 3600
"""How long a job may wait in the queue beside its longest run: a job's `ttl` counts both."""

JOB_TTL: Final = "PODTUNE_JOB_TTL_S"
"""Variable that tells callers which `ttl` to send; an endpoint has no such setting."""

SERVICE_KEY: Final = "SUPABASE_SERVICE_ROLE_KEY"

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,99}")
_IMAGE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/:@-]{0,254}")
_MODEL: Final = re.compile(r"(?:[A-Za-z0-9][A-Za-z0-9._-]{0,95}/)?[A-Za-z0-9][A-Za-z0-9._-]{0,95}")
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")
_OURS: Final = (OWNER_VARIABLE, JOB_TTL, SERVICE_KEY)


class Wish(BaseModel):
    """An endpoint as it should be; what is not said is specification B's."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    image: str
    name: str = DEFAULT_NAME
    gpus: tuple[str, ...] = ()
    """Cards or pools; none for `gpu_pools.PREFERRED`, or what the endpoint has already."""
    volume: str | None = None
    """Network volume by id or name."""
    region: str | None = None
    """Data centre; the volume's where there is one."""
    model: str = DEFAULT_MODEL
    workers_min: int = Field(default=0, ge=0)
    workers_max: int = Field(default=2, ge=0)
    idle_timeout_s: int = Field(default=60, ge=1, le=MOST_IDLE_S)
    timeout_s: int = Field(default=43_200, ge=SHORTEST_JOB_S, le=LONGEST_JOB_S)
    """Longest run of a job: 12 hours."""
    ttl_s: int | None = Field(default=None, ge=SHORTEST_TTL_S, le=LONGEST_JOB_S)
    """Longest life of a job from its submission; None for `timeout_s` and `QUEUE_ROOM_S`."""
    disk_gb: int = Field(default=20, ge=1, le=4096)
    registry_auth: str | None = None
    """Id of stored credentials."""
    env: Mapping[str, str] = {}
    with_service_key: bool = False
    adopt: bool = False
    """Take over what podtune did not make."""

    @property
    def ttl(self) -> int:
        """The `ttl` that callers should send, in seconds."""
        return self.ttl_s or min(self.timeout_s + QUEUE_ROOM_S, LONGEST_JOB_S)


def check(wish: Wish) -> None:
    """Refuse what contradicts itself, and secrets that do not belong on a command line.

    Raises:
        SpecError: with what is wrong and the next step.
    """
    _check_form("--image", wish.image, _IMAGE, "repository/name:tag, as docker push takes it")
    _check_form("--name", wish.name, _NAME, f"letters, digits, . _ -, such as {DEFAULT_NAME}")
    _check_form("--model", wish.model, _MODEL, f"a model's name, such as {DEFAULT_MODEL}")
    if wish.workers_max < max(1, wish.workers_min):
        raise SpecError(
            f"--workers-max {wish.workers_max} is less than {max(1, wish.workers_min)}: no job would run",
            code="bad_workers",
            hint="to switch an endpoint off, delete it: podtune runpod undeploy",
        )
    if wish.ttl <= wish.timeout_s:
        raise SpecError(
            f"--ttl {wish.ttl} s counts from the submission and must be more than --timeout "
            f"{wish.timeout_s} s: RunPod deletes a job at its ttl even while it runs",
            code="bad_ttl",
            hint=f"--ttl {min(wish.timeout_s + QUEUE_ROOM_S, LONGEST_JOB_S)}, and a timeout below "
            f"{duration(LONGEST_JOB_S)}",
        )
    for name, value in wish.env.items():
        _check_variable(name, value)


def parse_variables(texts: tuple[str, ...]) -> dict[str, str]:
    """`K=V` texts as an environment.

    Raises:
        SpecError: a text without `=`, or a name twice.
    """
    found: dict[str, str] = {}
    for text in texts:
        name, sign, value = text.partition("=")
        if not sign or name in found:
            what = f"names {name[:60]!r} twice" if sign else "needs NAME=VALUE"
            raise SpecError(f"--env {what}", code="bad_variable", hint="--env NAME=VALUE")
        found[name] = value
    return found


def environment(
    wish: Wish, owner: str, supabase_url: str | None, service_key: SecretStr | None
) -> dict[str, SecretStr]:
    """The variables of the endpoint's workers: specification B's, ours, then the wished ones.

    Args:
        wish: Checked.
        owner: This installation.
        supabase_url: Where adapters go; None where it is not set here.
        service_key: None unless it was asked for.

    Raises:
        SpecError: more than RunPod takes.
    """
    values = {
        "HF_HOME": f"{VOLUME}/.cache/huggingface",
        "TRANSFORMERS_CACHE": f"{VOLUME}/models",
        "MODEL_PATH": f"{VOLUME}/models/{wish.model.rpartition('/')[2]}",
        "RUNPOD_LOG_LEVEL": "INFO",
        **({"SUPABASE_URL": supabase_url} if supabase_url else {}),
        **wish.env,
        OWNER_VARIABLE: owner,
        JOB_TTL: str(wish.ttl),
    }
    found = {name: SecretStr(value) for name, value in values.items()}
    if service_key is not None:
        found[SERVICE_KEY] = service_key
    if len(found) > MAX_VARIABLES:
        raise SpecError(
            f"{len(found)} variables: RunPod takes {MAX_VARIABLES} at most",
            code="bad_variable",
            hint="leave some --env out",
        )
    return found


def _check_form(option: str, value: str, form: re.Pattern[str], what: str) -> None:
    if form.fullmatch(value) is None:
        raise SpecError(f"{option} {value[:80]!r} is no {option[2:]}", code="bad_option", hint=what)


def _check_variable(name: str, value: str) -> None:
    if _VARIABLE.fullmatch(name) is None:
        raise SpecError(
            f"--env {name[:60]!r} is no name of a variable",
            code="bad_variable",
            hint="letters, digits and _, such as --env HF_HUB_OFFLINE=1",
        )
    if name in _OURS or (name.startswith("RUNPOD_") and name != "RUNPOD_LOG_LEVEL"):
        raise SpecError(
            f"--env {name} is set by podtune or by RunPod itself",
            code="bad_variable",
            hint="--with-service-key hands over Supabase's key" if name == SERVICE_KEY else None,
        )
    if scrub(value) != value:
        raise SpecError(
            f"--env {name} looks like a key: others on this machine can read a command line, and RunPod "
            "shows variables in clear to any key that may read",
            code="secret_in_argv",
            hint="store it as a secret at console.runpod.io and give its name: "
            f"--env '{name}={{{{ RUNPOD_SECRET_name }}}}'",
        )
