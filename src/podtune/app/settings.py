"""Settings: environment `PODTUNE_*`, then `podtune.toml`, then defaults, each with its origin.

The only place of the orchestrator that reads environment variables.
"""

import os
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from podtune.core import addresses
from podtune.core.errors import SpecError
from podtune.core.limits import Limits
from podtune.egress.s3 import S3Credentials
from podtune.providers.runpod import access
from podtune.providers.runpod.access import RunPodAccess
from podtune.storage.access import HUB_URL, HubAccess, SupabaseAccess

FILE: Final = "podtune.toml"

VENDOR_KEYS: Final = (
    "HF_TOKEN",
    "PODTUNE_POD_HF_TOKEN",
    "RUNPOD_API_KEY",
    "SUPABASE_URL",
    "SUPABASE_SERVICE_ROLE_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
)
"""Vendors' own variables that podtune honours or will; shown masked by `podtune doctor`."""

WORKER_VARIABLES: Final = (
    "PATH", "HOME", "USER", "LANG", "LC_ALL", "TMPDIR", "TZ", "LD_LIBRARY_PATH", "VIRTUAL_ENV",
    "PYTHONPATH", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE",
    "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy",
    "HF_HOME", "XDG_CACHE_HOME", "HF_ENDPOINT", "HF_TOKEN", "HF_HUB_CACHE", "HF_HUB_OFFLINE",
    "CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS", "OMP_WAIT_POLICY", "GOMP_SPINCOUNT",
)  # fmt: skip
"""What a worker on this machine inherits; no other key of the user's environment reaches it."""

CONTAINER_VARIABLES: Final = (
    "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy",
    "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "OMP_NUM_THREADS",
)  # fmt: skip
"""What a container of the stand-in cloud sees of this machine, besides pip's own variables: how
libraries are fetched, and how many threads to use."""


class Settings(Limits):
    """Settings of this installation."""

    home: Path = Path("~/.podtune")
    """Where jobs, base models, keys and the job store live."""
    places: int = Field(default=1, ge=1, le=64)
    """Workers that may run on this machine at once; further jobs wait."""
    rented_places: int = Field(default=8, ge=1, le=500)
    """Rented machines that may be busy at once; further jobs wait."""
    egress_http: bool = False
    """Whether data may be fetched from http:// addresses; https only by default."""
    egress_private_hosts: str = ""
    """Own hosts that data may be fetched from although they are not public, and ports beyond 80, 443
    and 8443; separated by commas: `10.1.0.0/16, files.internal, 127.0.0.1:9000`."""
    egress_allow_hosts: str = ""
    """When set, the only hosts that https, http and s3 data may come from; separated by commas:
    `data.example.org, *.amazonaws.com`."""

    s3_bucket: str = ""
    """Where `deliver.store=s3` keeps bundles and artifacts: `bucket` or `bucket/prefix`. Without it
    the bucket of `deliver.to` is taken."""

    @property
    def jobs(self) -> Path:
        """`jobs/<id>/` folders."""
        return self.home / "jobs"

    @property
    def models(self) -> Path:
        """Converted base models."""
        return self.home / "models"

    @property
    def database(self) -> Path:
        """The job store."""
        return self.home / "podtune.db"

    @property
    def driver_log(self) -> Path:
        """What the driver has to say."""
        return self.home / "driver.log"

    @property
    def speed(self) -> Path:
        """Speeds reached by earlier runs."""
        return self.home / "speed.json"


class LoadedSettings(BaseModel):
    """Settings, and where each came from."""

    model_config = ConfigDict(frozen=True)

    settings: Settings
    origins: dict[str, str]


def load(
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    *,
    read_file: bool = True,
) -> LoadedSettings:
    """Read the settings.

    Args:
        environment: The process's own when not given.
        folder: Where `podtune.toml` is looked for; the current directory when not given.
        read_file: Whether to look for it at all; the driver's settings are all in its environment.

    Raises:
        SpecError: an unknown or bad value, naming where it stands.
    """
    variables = os.environ if environment is None else environment
    path = (folder or Path.cwd()) / FILE
    values: dict[str, Any] = {}
    origins: dict[str, str] = dict.fromkeys(Settings.model_fields, "default")
    from_file: Mapping[str, Any] = _file_values(path) if read_file else {}
    for name, value in from_file.items():
        values[name], origins[name] = value, str(path)
    for name in Settings.model_fields:
        variable = f"PODTUNE_{name.upper()}"
        if variables.get(variable):
            values[name], origins[name] = variables[variable], variable
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        problems = "; ".join(
            f"{item['loc'][0]} (from {origins.get(str(item['loc'][0]), path)}): {item['msg']}"
            for item in error.errors(include_url=False)
        )
        raise SpecError(f"bad setting: {problems}", code="bad_setting") from error
    home = settings.home.expanduser().absolute()
    return LoadedSettings(settings=settings.model_copy(update={"home": home}), origins=origins)


def vendor_keys() -> dict[str, str]:
    """The vendors' variables that are set, unmasked: mask before showing."""
    return {name: os.environ[name] for name in VENDOR_KEYS if os.environ.get(name)}


def s3_credentials() -> S3Credentials | None:
    """What may read S3, from AWS's own variables; None without a key."""
    key, secret = os.environ.get("AWS_ACCESS_KEY_ID"), os.environ.get("AWS_SECRET_ACCESS_KEY")
    if not key or not secret:
        return None
    token = os.environ.get("AWS_SESSION_TOKEN")
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    return S3Credentials(
        access_key_id=key,
        secret_access_key=SecretStr(secret),
        session_token=SecretStr(token) if token else None,
        region=region or "us-east-1",
        endpoint_url=os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL"),
    )


def runpod_access() -> RunPodAccess:
    """RunPod's key and addresses, from RunPod's own variables.

    Raises:
        SpecError: an address that is none, or http to another machine than this one.
    """
    key = os.environ.get("RUNPOD_API_KEY")

    def address(variable: str, default: str) -> str:
        return addresses.checked(os.environ.get(variable) or default, variable)

    return RunPodAccess(
        api_key=SecretStr(key) if key else None,
        rest_url=address("RUNPOD_REST_BASE_URL", access.REST_URL),
        graphql_url=address("RUNPOD_API_BASE_URL", access.GRAPHQL_URL),
        jobs_url=address("RUNPOD_ENDPOINT_BASE_URL", access.JOBS_URL),
        proxy_url=address("RUNPOD_PROXY_URL", access.PROXY_URL),
    )


def hub_access() -> HubAccess:
    """The Hub's token and address, from the Hub's own variables.

    Raises:
        SpecError: an address that is none, or http to another machine than this one.
    """
    token = os.environ.get("HF_TOKEN")
    url = addresses.checked(os.environ.get("HF_ENDPOINT") or HUB_URL, "HF_ENDPOINT")
    return HubAccess(SecretStr(token) if token else None, url)


def supabase_access() -> SupabaseAccess | None:
    """The project's address and key, from Supabase's own variables; None without both.

    Raises:
        SpecError: an address that is none, or http to another machine than this one.
    """
    url, key = os.environ.get("SUPABASE_URL"), os.environ.get("SUPABASE_SERVICE_ROLE_KEY")
    if not url or not key:
        return None
    return SupabaseAccess(addresses.checked(url, "SUPABASE_URL"), SecretStr(key))


def pod_hub_token() -> SecretStr | None:
    """The Hub token that rented machines may be handed; never HF_TOKEN itself."""
    value = os.environ.get("PODTUNE_POD_HF_TOKEN")
    return SecretStr(value) if value else None


def worker_environment() -> dict[str, str]:
    """The allow-listed part of this process's environment, for workers on this machine."""
    kept = {name: os.environ[name] for name in WORKER_VARIABLES if name in os.environ}
    if sys.platform == "win32":
        kept |= {n: os.environ[n] for n in ("SYSTEMROOT", "TEMP", "TMP") if n in os.environ}
    # Threads that wait spin a little and then sleep. By default they spin so long that two
    # trainings on the same cores slowed each other down 2-15 times; this costs an idle machine
    # little, always sleeping 10-30 % (bench/contention.py, bench/training.py).
    waiting = {"GOMP_SPINCOUNT": "3000"}
    kept |= cards_for(1)
    return waiting | kept | {"PYTHONUNBUFFERED": "1", "TOKENIZERS_PARALLELISM": "false"}


def container_environment(environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """What a container of the stand-in cloud sees of this machine; no secret of the user's.

    It has a home of its own, so pip's configuration and cache of this user are named to it.
    """
    variables = os.environ if environment is None else environment
    kept = {n: v for n, v in variables.items() if n in CONTAINER_VARIABLES or n.startswith("PIP_")}
    home = Path(variables.get("HOME") or "~").expanduser()
    cache = Path(variables.get("XDG_CACHE_HOME") or home / ".cache") / "pip"
    configuration = Path(variables.get("XDG_CONFIG_HOME") or home / ".config") / "pip" / "pip.conf"
    defaults = {"PIP_CACHE_DIR": str(cache)}
    for path in (home / ".pip" / "pip.conf", configuration):
        if path.is_file():
            defaults["PIP_CONFIG_FILE"] = str(path)
    return defaults | kept


def cards_for(count: int) -> dict[str, str]:
    """The variable that lets a training see the first `count` cards the user lets be seen.

    Never more: with two in sight, a single process of transformers would copy the model to both.
    """
    visible = visible_cards()
    named = [str(number) for number in range(count)] if visible is None else list(visible)
    return {"CUDA_VISIBLE_DEVICES": ",".join(named[:count])}


def visible_card() -> str:
    """The card that trains: the first that the user lets be seen; "" lets none be seen."""
    return os.environ.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0].strip()


def visible_cards() -> tuple[str, ...] | None:
    """The cards that the user lets be seen; None for all of the machine."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is None:
        return None
    return tuple(card.strip() for card in named.split(",") if card.strip())


def driver_environment(settings: Settings) -> dict[str, str]:
    """The whole environment with every setting pinned, for the driver process."""
    pinned = {f"PODTUNE_{n.upper()}": str(getattr(settings, n)) for n in Settings.model_fields}
    return {**os.environ, **pinned}


def _file_values(path: Path) -> Mapping[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SpecError(f"{str(path)!r} is not TOML: {error}", code="bad_setting") from error
