"""RunPod's JSON of serverless endpoints and templates: what we send (pydantic) and what it answers (msgspec).

Field names and limits: OpenAPI document of REST v2, read 2026-11-23. Answers give every part but the id as
optional, since the document and what was seen differ (`mounts` is absent where there is none).
"""

from decimal import Decimal
from typing import Annotated, Final, Literal

import msgspec
from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_serializer
from pydantic.alias_generators import to_camel

from podtune.providers.runpod.wire import MAX_VARIABLES

MOST_IDLE_S: Final = 3600
"""Greatest `workers.idleTimeout`; the least is 1 (OpenAPI document, 2026-11-23)."""

LONGEST_JOB_S: Final = 7 * 86_400
"""Greatest `executionTimeout` and `ttl` of a job (docs.runpod.io, send requests, 2026-08-20)."""

SHORTEST_JOB_S: Final = 5
"""Least `executionTimeout` (same page)."""

SHORTEST_TTL_S: Final = 10
"""Least `ttl` (same page)."""

QUEUE_DELAY_S: Final = 4.0
"""RunPod's own default of the scaling by waiting time (OpenAPI document's examples, 2026-11-23)."""

Variables = Annotated[dict[str, SecretStr], Field(max_length=MAX_VARIABLES)]
"""An environment; values show only in the request itself."""


class Sent(BaseModel):
    """What is sent: nothing that RunPod does not know, and variables in clear only as JSON."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True
    )

    @field_serializer("env", when_used="json", check_fields=False)
    def _in_clear(self, env: dict[str, SecretStr] | None) -> dict[str, str] | None:
        return None if env is None else {k: v.get_secret_value() for k, v in env.items()}


class TemplateBody(Sent):
    """`POST /templates`, and with some of its fields `PATCH /templates/{id}`."""

    name: str | None = Field(default=None, min_length=1)
    image: str | None = Field(default=None, min_length=1)
    disk: int | None = Field(default=None, ge=1)
    """GB of the container's own disk."""
    env: Variables | None = None
    registry: str | None = None
    serverless: bool | None = None
    start_ssh: bool | None = None
    start_jupyter: bool | None = None


class Pools(Sent):
    """Which cards workers may have: pools of the catalogue, less some of their cards."""

    pools: Annotated[tuple[str, ...], Field(min_length=1)]
    count: int = Field(default=1, ge=1)
    excluded_types: tuple[str, ...] = ()


class WorkerLimits(Sent):
    """How many workers, and for how long one stays without a job."""

    min: int | None = Field(default=None, ge=0)
    max: int | None = Field(default=None, ge=0)
    idle_timeout: int | None = Field(default=None, ge=1, le=MOST_IDLE_S)
    """Seconds."""


class QueueDelay(Sent):
    """A further worker once a job has waited so long, in seconds."""

    type: Literal["QUEUE_DELAY"] = "QUEUE_DELAY"
    queue_delay: float = Field(default=QUEUE_DELAY_S, ge=0.5)


class EndpointBody(Sent):
    """`POST /serverless`, and with some of its fields `PATCH /serverless/{id}`."""

    name: str | None = Field(default=None, min_length=1)
    type: Literal["QUEUE"] | None = None
    template_id: str | None = None
    """Its container settings are copied once; no link remains."""
    gpu: Pools | None = None
    workers: WorkerLimits | None = None
    scaling: QueueDelay | None = None
    timeout: int | None = Field(default=None, ge=SHORTEST_JOB_S * 1000, le=LONGEST_JOB_S * 1000)
    """Milliseconds a job may run. Left out, it was seen to become 0 (runpod.md 1.3): always sent."""
    flashboot: Literal["OFF", "FLASHBOOT"] | None = None
    network_volumes: tuple[str, ...] | None = None
    data_center_ids: tuple[str, ...] | None = None


class CreateRegistry(Sent):
    """`POST /registries`."""

    name: str = Field(min_length=1)
    username: SecretStr
    password: SecretStr

    @field_serializer("username", "password", when_used="json")
    def _shown(self, secret: SecretStr) -> str:
        return secret.get_secret_value()


class _Answer(msgspec.Struct, frozen=True, rename="camel"):
    pass


class Template(_Answer, frozen=True):
    """A template."""

    id: str
    name: str | None = None
    image: str | None = None
    disk: int | None = None
    env: dict[str, str] | None = None
    registry: str | None = None
    serverless: bool | None = None
    start_ssh: bool | None = None
    start_jupyter: bool | None = None


class TemplateList(_Answer, frozen=True):
    """`GET /templates`."""

    templates: list[Template]
    next_cursor: str | None = None


class EndpointGpu(_Answer, frozen=True):
    """Cards of an endpoint's workers."""

    pools: tuple[str, ...] | None = None
    count: int | None = None
    excluded_types: tuple[str, ...] | None = None


class EndpointWorkers(_Answer, frozen=True):
    """Limits of workers."""

    min: int | None = None
    max: int | None = None
    idle_timeout: int | None = None


class Scaling(_Answer, frozen=True):
    """When further workers are started."""

    type: str | None = None
    queue_delay: float | None = None


class Endpoint(_Answer, frozen=True):
    """A serverless endpoint."""

    id: str
    name: str | None = None
    type: str | None = None
    image: str | None = None
    disk: int | None = None
    env: dict[str, str] | None = None
    registry: str | None = None
    gpu: EndpointGpu | None = None
    workers: EndpointWorkers | None = None
    scaling: Scaling | None = None
    timeout: int | None = None
    """Milliseconds."""
    flashboot: str | None = None
    network_volumes: tuple[str, ...] | None = None
    data_center_ids: tuple[str, ...] | None = None
    created_at: str | None = None


class EndpointList(_Answer, frozen=True):
    """`GET /serverless`."""

    endpoints: list[Endpoint]
    next_cursor: str | None = None


class WorkerSummary(_Answer, frozen=True):
    """Workers of an endpoint, counted by what they do."""

    running: int = 0
    idle: int = 0
    initializing: int = 0
    throttled: int = 0
    """Waiting for a free machine."""
    unhealthy: int = 0
    """Failing, such as a container that ends again and again."""
    total: int = 0


class Worker(_Answer, frozen=True):
    """One of them."""

    id: str
    status: str = ""
    """`UNHEALTHY`, `INITIALIZING`, ...: what the summary counts."""


class Workers(_Answer, frozen=True):
    """`GET /serverless/{id}/workers`, as far as it is used."""

    summary: WorkerSummary = WorkerSummary()
    workers: tuple[Worker, ...] = ()


class ServerlessPrice(_Answer, frozen=True):
    """Dollars an hour of one card."""

    serverless: Decimal | None = None


class CentreStock(_Answer, frozen=True):
    """What one data centre has of a card."""

    id: str
    availability: str | None = None


class PoolCard(_Answer, frozen=True):
    """A card of the catalogue, as serverless sees it."""

    id: str
    name: str | None = None
    pool: str | None = None
    """None where it cannot be had serverless."""
    memory: float | None = None
    """GB."""
    price: ServerlessPrice | None = None
    availability: str | None = None
    data_centers: tuple[CentreStock, ...] | None = None


class PoolCardList(_Answer, frozen=True):
    """`GET /catalog/gpus` for serverless."""

    gpus: list[PoolCard]
    next_cursor: str | None = None
