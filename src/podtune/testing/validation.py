# ruff: noqa: N815 - fields are named as on the wire
"""Request bodies of REST v2, checked as strictly as the real one checks them.

Own models, made after RunPod's OpenAPI document (2026-08-18); a test compares both. A field unknown
to them is refused by name with 422.
"""

from collections.abc import Mapping
from typing import Annotated, Final, Literal, TypeVar, cast

import msgspec
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from podtune.testing.http import refuse

MAX_BODY_BYTES: Final = 10 * 2**20
"""Of one request to the control plane; the real limit is not known."""
NULLABLE: Final = frozenset({"registry"})
"""Fields that may be null."""

Name = Annotated[str, Field(min_length=1)]
CudaVersion = Annotated[str, Field(pattern=r"^\d+\.\d+$")]
CloudName = Literal["SECURE", "COMMUNITY"]
Category = Literal["CPU", "NVIDIA", "AMD"]


class Body(BaseModel):
    """A request body: strict types, no field beyond the known ones."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    def given(self, *names: str) -> bool:
        """Whether all of these fields were sent."""
        return set(names) <= self.model_fields_set


class PersistentMount(Body):
    """A disk on the pod's host."""

    size: int = Field(ge=10)
    path: str


class NetworkMount(Body):
    """A network volume in a pod."""

    volumeId: str
    path: str


class Mounts(Body):
    """Disks of a pod."""

    persistent: PersistentMount | None = None
    network: Annotated[list[NetworkMount], Field(max_length=1)] | None = None


class TemplateMounts(Body):
    """Disks of a template."""

    persistent: PersistentMount | None = None


class Gpu(Body):
    """GPUs of a new pod."""

    id: str
    count: int | None = Field(default=None, ge=1)
    allowedCudaVersions: list[CudaVersion] = []
    minCudaVersion: CudaVersion | None = None


class Cpu(Body):
    """CPU flavour."""

    id: Name
    vcpuCount: int = Field(ge=2)


class Container(Body):
    """What all containers have."""

    args: str = ""
    disk: int = Field(default=20, ge=1)
    env: dict[str, str] = {}
    image: str = ""
    ports: list[str] = []
    registry: str | None = None


class CreatePod(Container):
    """POST /v2/pods."""

    name: Name
    cloud: CloudName = "SECURE"
    cpu: Cpu | None = None
    dataCenterIds: list[str] = []
    globalNetworking: bool = False
    gpu: Gpu | None = None
    mounts: Mounts = Mounts()
    startJupyter: bool = False
    startSsh: bool = False
    templateId: Name | None = None


class UpdatePod(Container):
    """PATCH /v2/pods/{id}."""

    globalNetworking: bool = False
    locked: bool = False
    mounts: Mounts = Mounts()
    name: Name = "-"
    templateId: str | None = None


class PodAction(Body):
    """POST /v2/pods/{id}/action."""

    action: Literal["start", "stop", "restart", "terminate"]


class TemplateBody(Container):
    """What a template says whether it is made or changed."""

    allowedCudaVersions: list[CudaVersion] = []
    category: Category = "NVIDIA"
    mounts: TemplateMounts | None = None
    public: bool = False
    serverless: bool = False
    startJupyter: bool = True
    startSsh: bool = True


class CreateTemplate(TemplateBody):
    """POST /v2/templates."""

    name: Name


class UpdateTemplate(TemplateBody):
    """PATCH /v2/templates/{id}."""

    name: Name = "-"


class CreateVolume(Body):
    """POST /v2/network-volumes."""

    dataCenter: Name
    name: Name
    size: int = Field(ge=10, le=4096)
    type: Literal["STANDARD", "HIGH_PERFORMANCE"] | None = None


class UpdateVolume(Body):
    """PATCH /v2/network-volumes/{id}."""

    name: Name = "-"
    size: int = Field(default=10, ge=10, le=4096)


class CreateRegistry(Body):
    """POST /v2/registries."""

    name: Name
    password: Name
    username: Name


class UpdateSshKeys(Body):
    """PUT /v2/account/ssh-keys."""

    keys: list[str]


class EndpointGpu(Body):
    """GPU pools of an endpoint."""

    pools: Annotated[list[str], Field(min_length=1)] | None = None
    excludedTypes: list[str] = []
    count: int = Field(default=1, ge=1)
    allowedCudaVersions: list[CudaVersion] = []
    minCudaVersion: Annotated[str, Field(pattern=r"^$|^\d+\.\d+$")] | None = None


class Workers(Body):
    """Worker counts of an endpoint."""

    min: int = Field(default=0, ge=0)
    max: int = Field(default=3, ge=0)
    idleTimeout: int = Field(default=10, ge=1, le=3600)


class QueueDelay(Body):
    """Scale by the time that a job waits."""

    type: Literal["QUEUE_DELAY"]
    queueDelay: float = Field(ge=0.5)


class RequestCount(Body):
    """Scale by the number of requests."""

    type: Literal["REQUEST_COUNT"]
    requestCount: int = Field(ge=1)


Scaling = Annotated[QueueDelay | RequestCount, Field(discriminator="type")]


class CreateEndpoint(Container):
    """POST /v2/serverless."""

    name: Name
    type: Literal["QUEUE", "LOAD_BALANCER"]
    scaling: Scaling
    gpu: EndpointGpu | None = None
    cpu: Annotated[list[Cpu], Field(min_length=1)] | None = None
    dataCenterIds: list[str] = []
    flashboot: Literal["OFF", "FLASHBOOT", "PRIORITY_FLASHBOOT"] = "OFF"
    networkVolumes: list[str] = []
    templateId: Name | None = None
    timeout: int = 0
    """Milliseconds. Documented default 300000, observed 0 when omitted (runpod.md 1.3)."""
    workers: Workers = Workers()


class UpdateEndpoint(Container):
    """PATCH /v2/serverless/{id}."""

    name: Name = "-"
    scaling: Scaling | None = None
    gpu: EndpointGpu | None = None
    cpu: Annotated[list[Cpu], Field(min_length=1)] | None = None
    dataCenterIds: list[str] = []
    flashboot: Literal["OFF", "FLASHBOOT", "PRIORITY_FLASHBOOT"] = "OFF"
    networkVolumes: list[str] = []
    templateId: str | None = None
    timeout: int = 0
    workers: Workers = Workers()


Model = TypeVar("Model", bound=Body)


def parse(body: bytes, model: type[Model]) -> Model:
    """A request body as its model.

    Raises:
        Refused: 400, no JSON object; 422, it breaks the contract (`errors` names each place).
    """
    if len(body) > MAX_BODY_BYTES:
        raise refuse(400, "request body too large")
    try:
        value: object = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise refuse(400, "request body is not valid JSON") from error
    if not isinstance(value, dict):
        raise refuse(422, "Request validation failed.", ["$: expected object"])
    given = cast("dict[str, object]", value)
    errors = nulls(given)
    if errors:
        raise refuse(422, "Request validation failed.", errors)
    try:
        return model.model_validate(given)
    except ValidationError as error:
        raise refuse(422, "Request validation failed.", described(error)) from error


def nulls(value: Mapping[str, object], place: str = "$") -> list[str]:
    """Places that are null and may not be."""
    found: list[str] = []
    for name, part in value.items():
        if part is None and name not in NULLABLE:
            found.append(f"{place}.{name}: null is not allowed")
        elif isinstance(part, dict):
            found += nulls(cast("dict[str, object]", part), f"{place}.{name}")
    return found


def described(error: ValidationError) -> list[str]:
    """The faults of a body, one line each, as REST v2 words them; values are not told."""
    lines: list[str] = []
    for fault in error.errors(include_url=False, include_input=False):
        *parents, last = fault["loc"] or ("",)
        place = ".".join(("$", *(str(part) for part in parents)))
        if fault["type"] == "extra_forbidden":
            lines.append(f"{place}: additional properties '{last}' not allowed")
        elif fault["type"] == "missing":
            lines.append(f"{place}: missing properties: '{last}'")
        else:
            lines.append(f"{place}.{last}: {fault['msg']}")
    return lines
