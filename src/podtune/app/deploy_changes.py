"""What differs between a template or endpoint as it is and as it should be, for people and for sending.

What RunPod does not tell counts as it should be: a field that its answers leave out would otherwise be
written again for ever. Variables are compared by value and shown masked.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from pydantic import SecretStr

from podtune.core.redact import mask
from podtune.providers.runpod import serverless_wire as wire

_CONTAINER = ("image", "disk", "registry")
"""Fields that an endpoint takes over from its template."""


class Change(NamedTuple):
    """One thing that is to be done."""

    kind: str
    """`credentials`, `template` or `endpoint`."""
    name: str
    field: str
    """`created`, or the field in RunPod's words."""
    old: str | None
    new: str
    is_container: bool = False
    """Whether an endpoint has to take its template over again."""


def template_changes(found: wire.Template | None, body: wire.TemplateBody) -> list[Change]:
    """What is to be changed of a template; its creation where there is none."""
    name = body.name or ""
    if found is None:
        return [Change("template", name, "created", None, body.image or "")]
    fields = ("image", "disk", "registry", "serverless", "start_ssh", "start_jupyter")
    pairs = {field: (getattr(found, field), getattr(body, field)) for field in fields}
    return [
        *_changes("template", name, pairs, container=_CONTAINER),
        *_env_changes("template", name, found.env, body.env or {}),
    ]


def endpoint_changes(
    found: wire.Endpoint | None, body: wire.EndpointBody, container: wire.TemplateBody
) -> list[Change]:
    """What is to be changed of an endpoint; its creation where there is none."""
    name = body.name or ""
    gpu, workers, scaling = body.gpu, body.workers, body.scaling
    assert gpu is not None
    assert workers is not None
    assert scaling is not None
    if found is None:
        return [Change("endpoint", name, "created", None, ", ".join(gpu.pools))]
    has, had = found.gpu or wire.EndpointGpu(), found.workers or wire.EndpointWorkers()
    scaled = found.scaling or wire.Scaling()
    # an endpoint that scales by the number of requests has no idle timeout, and gets one with our scaling
    is_other = scaled.type not in (None, scaling.type)
    idle = "none" if is_other and had.idle_timeout is None else had.idle_timeout
    pairs: dict[str, tuple[object, object]] = {
        "gpu.pools": (_set(has.pools), _set(gpu.pools)),
        "gpu.excludedTypes": (_set(has.excluded_types or ()), _set(gpu.excluded_types)),
        "gpu.count": (has.count, gpu.count),
        "workers.min": (had.min, workers.min),
        "workers.max": (had.max, workers.max),
        "workers.idleTimeout": (idle, workers.idle_timeout),
        "scaling.type": (scaled.type, scaling.type),
        "scaling.queueDelay": (scaled.queue_delay, scaling.queue_delay),
        "timeout": (found.timeout, body.timeout),
        "flashboot": (found.flashboot, body.flashboot),
        "networkVolumes": (_set(found.network_volumes or ()), _set(body.network_volumes or ())),
        "dataCenterIds": (_set(found.data_center_ids or ()), _set(body.data_center_ids or ())),
    }
    parts = {field: (getattr(found, field), getattr(container, field)) for field in _CONTAINER}
    return [
        *_changes("endpoint", name, pairs),
        *_changes("endpoint", name, parts, container=_CONTAINER),
        *_env_changes("endpoint", name, found.env, container.env or {}),
    ]


def _changes(
    kind: str,
    name: str,
    pairs: Mapping[str, tuple[object, object]],
    container: Iterable[str] = (),
) -> list[Change]:
    inside = set(container)
    return [
        Change(kind, name, field, _text(old), _text(new), field in inside)
        for field, (old, new) in pairs.items()
        if old != new and (old is not None or field == "registry")
    ]


def _env_changes(
    kind: str, name: str, found: Mapping[str, str] | None, wanted: Mapping[str, SecretStr]
) -> list[Change]:
    """Variables that differ. RunPod's own, which nobody set, are left alone."""
    if found is None:
        return []
    said: list[Change] = []
    for variable in sorted({*found, *wanted}):
        old = found.get(variable)
        new = wanted[variable].get_secret_value() if variable in wanted else None
        if old == new or (new is None and variable.startswith("RUNPOD_")):
            continue
        shown = "left out" if new is None else mask(new)
        before = None if old is None else mask(old)
        said.append(Change(kind, name, f"env.{variable}", before, shown, True))
    return said


def _set(values: Iterable[str] | None) -> tuple[str, ...] | None:
    """Values whose order means nothing."""
    return None if values is None else tuple(sorted(values))


def _text(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(str(part) for part in value) or "none"  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    return "none" if value is None else str(value)
