"""What can be set on a stand-in cloud."""

from decimal import Decimal
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

KEY: Final = "rpa_EXAMPLEKEYOFTHESTANDINCLOUD00000000000"
"""The key that a cloud names when no other is set, and the only one that `podtune dev cloud` takes; it
opens nothing but stand-ins. The word in it keeps searches for keys in texts quiet."""


class PodKeyRules(BaseModel):
    """Where the key that a pod is given opens; unknown of the real RunPod (runpod.md 10), so a rule."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rest: bool = False
    """Accepted by REST v2 for the pod's own id; else 403."""
    graphql: bool = True
    """Accepted by GraphQL `podStop` and `podTerminate` of the pod's own id."""


class RateLimits(BaseModel):
    """Requests of one key to REST v2; 0 for no limit.

    Source: a live reading `"minute";r=176` and the examples of the OpenAPI document for hour and day
    (runpod.md 1.1, 2026-11-22).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    per_minute: int = Field(default=180, ge=0)
    per_hour: int = Field(default=3_000, ge=0)
    per_day: int = Field(default=50_000, ge=0)


class CloudOptions(BaseModel):
    """The stand-in cloud's behaviour; the defaults are a quick, kind RunPod."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    api_keys: frozenset[str] = frozenset()
    """Keys accepted; when empty, every key that begins with `rpa_`."""
    base_url: str = "http://127.0.0.1:8460"
    """Where pods and answers are told that the cloud is; a server sets it once it has its port."""
    proxy_url: str = ""
    """Template told to nobody but shown in state; `{base_url}/proxy/{pod}-{port}` when empty."""
    provisioning_s: float = Field(default=1, ge=0)
    """From create to STARTING; 5 to 30 s live."""
    pull_s: float = Field(default=2, ge=0)
    """From STARTING to the start of the container; 165 s live for a cold image of 16 GB, 33 s cached."""
    is_running_while_pulling: bool = False
    """RUNNING is shown (without runtime) while the image is still pulled, as seen live."""
    is_runtime_sparse: bool = False
    """`runtime` is `{}` before the container runs and has no `gpus` then, as the document's examples show."""
    restart_s: float = Field(default=1, ge=0)
    """From the end of a container's command to its next start."""
    stop_grace_s: float = Field(default=5, ge=0)
    """SIGTERM to SIGKILL."""
    balance_usd: Decimal = Decimal(25)
    spend_limit_usd: Decimal = Decimal(80)
    """Per hour; RunPod's default (runpod.md 3)."""
    listing_lag_s: float = Field(default=0, ge=0)
    """A new pod is missing from lists this long."""
    removal_lag_s: float = Field(default=0, ge=0)
    """A pod just terminated stays in lists this long."""
    transient_404_s: float = Field(default=0, ge=0)
    """GET of a new pod answers 404 this long."""
    pod_key: PodKeyRules = PodKeyRules()
    rate_limits: RateLimits = RateLimits()
    page_size: int = Field(default=0, ge=0)
    """Lists are cut into pages with `nextCursor`; 0 for whole lists."""
    prices_as_text: bool = False
    """Prices are JSON strings, as other RunPod interfaces have them."""
    is_playground: bool = True
    """`/_stand_in/...` is there: state, faults, the virtual clock."""
