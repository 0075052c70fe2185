"""RunPod's JSON: what we send (pydantic, nothing unknown) and what it answers (msgspec, every part optional).

Field names and limits: OpenAPI document of REST v2, read 2026-11-22. Lists of 5,000 pods decode in a
few milliseconds because only the fields used here are read.
"""

from decimal import Decimal
from typing import Annotated, Literal

import msgspec
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

MIN_VOLUME_GB = 10
"""Least size of a persistent mount and of a network volume."""

MAX_VOLUME_GB = 4096
"""Largest network volume."""

MAX_VARIABLES = 50
"""Environment variables of one pod."""

CudaVersion = Annotated[str, Field(pattern=r"^\d+\.\d+$")]


class _Sent(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True
    )


class GpuRequest(_Sent):
    """Which card, and how many: without the count RunPod finds no machine at all."""

    id: str = Field(min_length=1)
    count: int = Field(ge=1)
    min_cuda_version: CudaVersion | None = None


class CpuRequest(_Sent):
    """Which flavour of processor, and how many of its virtual cores: a power of two."""

    id: str = Field(min_length=1)
    vcpu_count: int = Field(ge=2)


class PersistentMount(_Sent):
    """Disk of the host; lives as long as the pod."""

    size: int = Field(ge=MIN_VOLUME_GB)
    path: str


class NetworkMount(_Sent):
    """A network volume of the pod's data centre."""

    volume_id: str
    path: str


class Mounts(_Sent):
    """One of the two, or none."""

    persistent: PersistentMount | None = None
    network: Annotated[tuple[NetworkMount, ...], Field(max_length=1)] | None = None


class CreatePod(_Sent):
    """`POST /pods`."""

    name: str = Field(min_length=1)
    image: str = Field(min_length=1)
    gpu: GpuRequest | None = None
    cpu: CpuRequest | None = None
    """One of the two."""
    cloud: Literal["SECURE", "COMMUNITY"]
    data_center_ids: tuple[str, ...] | None = None
    disk: int = Field(ge=1)
    mounts: Mounts | None = None
    env: Annotated[dict[str, str], Field(max_length=MAX_VARIABLES)]
    ports: tuple[str, ...]
    args: str
    registry: str | None = None
    start_ssh: bool | None = None


class CreateVolume(_Sent):
    """`POST /network-volumes`."""

    name: str = Field(min_length=1)
    size: int = Field(ge=MIN_VOLUME_GB, le=MAX_VOLUME_GB)
    data_center: str = Field(min_length=1)


class GrowVolume(_Sent):
    """`PATCH /network-volumes/{id}`: never smaller than it is."""

    size: int = Field(ge=MIN_VOLUME_GB, le=MAX_VOLUME_GB)


class _Answer(msgspec.Struct, frozen=True, rename="camel"):
    pass


class Gpu(_Answer, frozen=True):
    """A pod's card."""

    id: str | None = None
    count: int | None = None


class Cpu(_Answer, frozen=True):
    """A pod's processor, where it has no card."""

    id: str | None = None


class Utilisation(_Answer, frozen=True):
    """Of a processor or of memory, percent."""

    util: float | None = None


class GpuUtilisation(_Answer, frozen=True):
    """Of one card, percent."""

    util: float | None = None
    memory_util: float | None = None


class Runtime(_Answer, frozen=True):
    """What a running container reports."""

    uptime: float | None = None
    """Seconds since the container started."""
    gpus: tuple[GpuUtilisation, ...] | None = None
    cpu: Utilisation | None = None
    memory: Utilisation | None = None


class SshEndpoint(_Answer, frozen=True):
    """One way to a shell."""

    command: str | None = None


class Ssh(_Answer, frozen=True):
    """The ways to a shell."""

    proxy: SshEndpoint | None = None
    direct: SshEndpoint | None = None


class Pod(_Answer, frozen=True):
    """A pod as lists show it; its environment is not read."""

    id: str
    name: str | None = None
    status: str | None = None
    cost: Decimal | None = None
    """Dollars an hour; 0 when it is stopped."""
    gpu: Gpu | None = None
    cpu: Cpu | None = None
    image: str | None = None
    data_center_id: str | None = None
    cuda_version: str | None = None
    runtime: Runtime | None = None
    ssh: Ssh | None = None
    created_at: str | None = None
    started_at: str | None = None


class PodList(_Answer, frozen=True):
    """`GET /pods`."""

    pods: list[Pod]
    next_cursor: str | None = None


class Prices(_Answer, frozen=True):
    """Dollars an hour for one card."""

    secure: Decimal | None = None
    community: Decimal | None = None


class Counts(_Answer, frozen=True):
    """Most cards of one machine."""

    secure: int | None = None
    community: int | None = None


class DataCentreStock(_Answer, frozen=True):
    """What one data centre has of a card."""

    id: str
    availability: str | None = None


class CudaStock(_Answer, frozen=True):
    """Whether hosts of one CUDA version have the card free."""

    version: str
    available: bool | None = None


class GpuType(_Answer, frozen=True):
    """A card of the catalogue."""

    id: str
    name: str | None = None
    manufacturer: str | None = None
    memory: float | None = None
    """GB of one card."""
    secure: bool | None = None
    community: bool | None = None
    price: Prices | None = None
    max_count: Counts | None = None
    availability: str | None = None
    data_centers: tuple[DataCentreStock, ...] | None = None
    cuda_versions: tuple[CudaStock, ...] | None = None


class GpuList(_Answer, frozen=True):
    """`GET /catalog/gpus`."""

    gpus: list[GpuType]
    next_cursor: str | None = None


class VcpuRange(_Answer, frozen=True):
    """How many virtual cores a machine of a flavour may have."""

    min: int | None = None
    max: int | None = None


class CpuPrices(_Answer, frozen=True):
    """Dollars an hour for one virtual core."""

    secure_per_vcpu: Decimal | None = None


class CpuType(_Answer, frozen=True):
    """A flavour of machines without a card."""

    id: str
    name: str | None = None
    vcpu: VcpuRange | None = None
    ram_gb_per_vcpu: float | None = None
    price: CpuPrices | None = None
    availability: str | None = None
    data_centers: tuple[DataCentreStock, ...] | None = None


class CpuList(_Answer, frozen=True):
    """`GET /catalog/cpus`."""

    cpus: list[CpuType]
    next_cursor: str | None = None


class DataCentre(_Answer, frozen=True):
    """A data centre."""

    id: str
    name: str | None = None
    network_volume_types: tuple[str, ...] = ()
    """Empty where it has no network volumes."""


class DataCentreList(_Answer, frozen=True):
    """`GET /catalog/datacenters`."""

    data_centers: list[DataCentre]
    next_cursor: str | None = None


class Volume(_Answer, frozen=True):
    """A network volume."""

    id: str
    name: str | None = None
    size: int | None = None
    data_center: str | None = None


class VolumeList(_Answer, frozen=True):
    """`GET /network-volumes`."""

    network_volumes: list[Volume]
    next_cursor: str | None = None


class Registry(_Answer, frozen=True):
    """Credentials for private images; their values are never answered."""

    id: str
    name: str | None = None


class RegistryList(_Answer, frozen=True):
    """`GET /registries`."""

    registries: list[Registry]
    next_cursor: str | None = None


class BillingRecord(_Answer, frozen=True):
    """What one pod cost in one stretch of time."""

    pod_id: str | None = None
    total_amount: Decimal | None = None


class BillingList(_Answer, frozen=True):
    """`GET /billing/pods`."""

    records: list[BillingRecord]
    next_cursor: str | None = None


class Myself(_Answer, frozen=True):
    """GraphQL's `myself`: dollars, and dollars an hour."""

    client_balance: Decimal | None = None
    current_spend_per_hr: Decimal | None = None
    spend_limit: Decimal | None = None


class _MyselfData(_Answer, frozen=True):
    myself: Myself | None = None


class MyselfAnswer(_Answer, frozen=True):
    """Answer to `query { myself {...} }`; `errors` where it failed."""

    data: _MyselfData | None = None
    errors: list[object] | None = None
