"""Settings: environment `PODTUNE_*`, then `podtune.toml`, then defaults, each with its origin.

The only place of the orchestrator that reads environment variables.
"""

import os
import sys
import tomllib
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, SecretStr, ValidationError

from podtune.core import addresses
from podtune.core.errors import SpecError
from podtune.core.limits import Limits
from podtune.egress.addresses import Policy
from podtune.egress.s3 import S3Credentials
from podtune.providers.runpod import access
from podtune.providers.runpod.access import RunPodAccess
from podtune.storage.access import HUB_URL, OPENAI_URL, HubAccess, SupabaseAccess

FILE: Final = "podtune.toml"

VENDOR_KEYS: Final = (
    "HF_TOKEN",
    "PODTUNE_POD_HF_TOKEN",
    "RUNPOD_API_KEY",
    "SUPABASE_URL",
    "SUPABASE_SERVICE_ROLE_KEY",
    "OPENAI_API_KEY",
    "PODTUNE_LLM_API_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
)
"""Vendors' own variables that podtune honours or will; shown masked by `podtune doctor`."""

ENVIRONMENT_ONLY: Final = {
    "PODTUNE_DATABASE_URL": "A PostgreSQL database for the job store, `postgresql://user:password@host:5432/database`, "
    "so that several processes and hosts share it; without it `podtune.db` in the home.",
    "PODTUNE_REGISTRY_USER": "With PODTUNE_REGISTRY_PASSWORD: the login of the registry that holds a private worker "
    "image. `podtune runpod deploy` stores both at RunPod under the endpoint's name, once.",
    "PODTUNE_LLM_API_KEY": "The key of PODTUNE_LLM_MODEL's endpoint, where it wants one; no other key is ever sent there.",
    "PODTUNE_REGISTRY_PASSWORD": "See PODTUNE_REGISTRY_USER; an access token that may only read is enough.",
    "PODTUNE_WEBHOOK_SECRET": "What callbacks are signed with: `whsec_` and base64 of 24 to 64 bytes; two with a "
    "space between them while receivers change over. Without it `podtune callbacks secret` shows this "
    "installation's own.",
}
"""Settings that hold a password: never in a file, never shown as they are."""

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
    """Whether data may be fetched from http:// addresses, and callbacks sent to them; https only by
    default."""
    egress_private_hosts: str = ""
    """Own hosts that data may be fetched from, and callbacks sent to, although they are not public, and
    ports beyond 80, 443 and 8443; separated by commas: `10.1.0.0/16, files.internal, 127.0.0.1:9000`."""
    egress_allow_hosts: str = ""
    """When set, the only hosts that https, http and s3 data may come from and callbacks go to; separated
    by commas: `data.example.org, *.amazonaws.com`."""

    gateway_url: str = ""
    """Where applications reach this installation's gateway, such as `https://train.example.org`: what
    `podtune runpod deploy` writes as GPU_CLUSTER_API_URL."""
    backend: Literal["local", "runpod", "runpod-serverless"] = "local"
    """Where the gateway trains what an application submits without saying where (`?backend=`)."""
    requests_per_minute: int = Field(default=3000, ge=0, le=1_000_000)
    """Requests a minute that the gateway takes from one key, or from one address where there are no keys;
    0: as many as come."""
    submits_per_minute: int = Field(default=300, ge=0, le=1_000_000)
    """The same for requests that begin a training or upload a file."""
    streams_per_caller: int = Field(default=200, ge=0, le=1_000_000)
    """Streams of events or of a log that one key, or one address where there are no keys, may have open; 0: as many
    as come."""
    max_usd_per_job: Decimal = Field(default=Decimal(0), ge=0, le=1_000_000)
    """Dollars that one paid job of the gateway may cost; a request may only lower it. 0: none is started, unless
    its caller's key has a budget."""
    approve_above_usd: Decimal = Field(default=Decimal(5), ge=0, le=1_000_000)
    """Dollars that plans which an agent asks for (MCP, `/v1/plans`) may cost together within a day; one that goes
    beyond waits until a person has agreed to it: `podtune approve`, or the dashboard. 0: every paid one. The default is the ceiling that the examples name: what is
    small goes on by itself, a slip of a digit does not."""
    plan_token_minutes: int = Field(default=15, ge=1, le=1440)
    """Minutes that the token of such a plan is good for; four times as long where a person has to agree first."""
    tenant_files_gb: float = Field(default=20.0, ge=0, le=1_000_000)
    """GB of uploaded files that one tenant of the gateway may keep; 0: as much as the disk holds."""
    hosted_models: str = ""
    """Which open base model stands for which name of the hosted fine-tuning API, separated by commas:
    `gpt-4o-mini=Qwen/Qwen3-8B, gpt-4.1=Qwen/Qwen3-32B`. A name holds for its dated forms too."""
    tenants_use_hub_token: bool = False
    """Whether a base model that a key of a tenant names is looked for with this installation's own token of the Hub
    (HF_TOKEN) and in its cache. Without it tenants train on what everybody may read; with it on all that the
    operator's account opens: gated and private models too."""
    data_places: str = ""
    """Folders that `podtune ask` looks in for data beside the working folder, with their whole paths and `:` between
    them: `/srv/exports:/home/ana/data`. Nothing outside of these is looked at."""
    llm_model: str = ""
    """A language model that reads requests in words beside podtune's own grammar, such as `qwen3:8b`, or
    `anthropic:` and the name of one of Anthropic's. It is shown the words alone, keys and passwords hidden, and
    decides nothing (extra `llm`). Without it nothing leaves this machine."""
    llm_base_url: str = ""
    """Its OpenAI-compatible address, such as `http://127.0.0.1:11434/v1`; http for this machine only."""
    llm_timeout_s: int = Field(default=20, ge=1, le=300)
    """Seconds it may take; then the request is read without it."""
    preparations: int = Field(default=2, ge=1, le=32)
    """Submissions that the gateway fetches and plans at once; further ones wait."""
    s3_bucket: str = ""
    """Where `deliver.store=s3` keeps bundles and artifacts: `bucket` or `bucket/prefix`. Without it
    the bucket of `deliver.to` is taken."""

    _downloads: Path | None = PrivateAttr(default=None)
    _serves_tenant: bool = PrivateAttr(default=False)

    @property
    def downloads(self) -> Path:
        """What was fetched, until a job has its own copy."""
        return self._downloads or self.home / "downloads"

    @property
    def keeps_downloads(self) -> bool:
        """Whether `downloads` serves one request alone, so that nothing in it is ever out of date."""
        return self._downloads is not None

    def with_downloads(self, folder: Path) -> "Settings":
        """The same for one request alone, which keeps what it fetches in a folder of its own."""
        made = self.model_copy()
        made._downloads = folder
        return made

    @property
    def serves_tenant(self) -> bool:
        """Whether they are those of a request of a tenant."""
        return self._serves_tenant

    @property
    def finds_as_stranger(self) -> bool:
        """Whether base models are looked for without this installation's own token."""
        return self._serves_tenant and not self.tenants_use_hub_token

    def for_tenant(self, tenant: str | None) -> "Settings":
        """The same for a request of a tenant; as it is for this machine's own user and for administrators."""
        if tenant is None:
            return self
        made = self.model_copy()
        made._serves_tenant = True
        return made

    @property
    def egress_policy(self) -> Policy:
        """Which addresses of users and of data may be reached.

        Raises:
            SpecError: a list holds what is no host, network or port.
        """
        return Policy.of(
            http=self.egress_http,
            private_hosts=self.egress_private_hosts,
            allow_hosts=self.egress_allow_hosts,
        )

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


def webhook_secrets() -> tuple[SecretStr, ...]:
    """What callbacks are signed with, as the operator set it; empty where it is not set."""
    given = os.environ.get("PODTUNE_WEBHOOK_SECRET") or ""
    return tuple(SecretStr(secret) for secret in given.split())


def llm_key() -> SecretStr | None:
    """The key of the language model that reads requests; None where it wants none."""
    value = os.environ.get("PODTUNE_LLM_API_KEY")
    return SecretStr(value) if value else None


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


def runpod_endpoint() -> str | None:
    """The serverless endpoint that is meant, from RunPod's own variable; None where it is not said."""
    return os.environ.get("RUNPOD_ENDPOINT_ID") or None


def hub_access() -> HubAccess:
    """The Hub's token and address, from the Hub's own variables.

    Raises:
        SpecError: an address that is none, or http to another machine than this one.
    """
    token = os.environ.get("HF_TOKEN")
    url = addresses.checked(os.environ.get("HF_ENDPOINT") or HUB_URL, "HF_ENDPOINT")
    return HubAccess(SecretStr(token) if token else None, url)


def openai_access() -> tuple[SecretStr | None, str]:
    """Key and address of the hosted fine-tuning API, from its SDK's own variables; no key without one.

    Raises:
        SpecError: an address that is none, or http to another machine than this one.
    """
    key = os.environ.get("OPENAI_API_KEY")
    url = os.environ.get("OPENAI_BASE_URL") or OPENAI_URL
    return SecretStr(key) if key else None, addresses.checked(url, "OPENAI_BASE_URL")


def supabase_access() -> SupabaseAccess | None:
    """The project's address and key, from Supabase's own variables; None without both.

    Raises:
        SpecError: an address that is none, or http to another machine than this one.
    """
    url, key = os.environ.get("SUPABASE_URL"), os.environ.get("SUPABASE_SERVICE_ROLE_KEY")
    if not url or not key:
        return None
    return SupabaseAccess(addresses.checked(url, "SUPABASE_URL"), SecretStr(key))


def supabase_url() -> str | None:
    """The project's address alone; None where it is not set.

    Raises:
        SpecError: an address that is none, or http to another machine than this one.
    """
    url = os.environ.get("SUPABASE_URL")
    return addresses.checked(url, "SUPABASE_URL") if url else None


def registry_login() -> tuple[SecretStr, SecretStr] | None:
    """User and password of a private image's registry; None without both.

    Raises:
        SpecError: one is set and the other is not.
    """
    names = ("PODTUNE_REGISTRY_USER", "PODTUNE_REGISTRY_PASSWORD")
    values = [os.environ.get(name) for name in names]
    if not any(values):
        return None
    for name, value in zip(names, values, strict=True):
        if not value:
            raise SpecError(
                f"{name} is not set, and the other half of the login is",
                code="bad_setting",
                hint=f"set both or neither: export {name}=...",
            )
    user, password = (SecretStr(value or "") for value in values)
    return user, password


def database_url() -> SecretStr | None:
    """Where the job store is instead of in the home; None for the home. It holds a password."""
    value = os.environ.get("PODTUNE_DATABASE_URL")
    return SecretStr(value) if value else None


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
