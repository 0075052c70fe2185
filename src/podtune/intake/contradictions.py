"""Fields of a spec that cannot both hold, found before anything is read."""

from collections.abc import Callable, Sequence
from typing import Final

from podtune.core.errors import SpecError
from podtune.core.spec import AUTO, AdapterKind, TrainingOptions, TrainingSpec

LEAST_VOLUME_GB: Final = 10
"""Least size of a pod's own volume (RunPod REST v2 document, `mounts.persistent.size`, 2026-11-22)."""

_WIDE: Final = {"fp32": 32, "bf16": 16, "fp16": 16}

BETA: Final[object] = TrainingOptions.model_fields["beta"].default

_UNSAID: Final = (None, AUTO)

_Rule = tuple[str, Callable[[TrainingSpec], object], str]

_RULES: Final[Sequence[_Rule]] = (
    (
        "adapter.bits",
        lambda s: s.adapter.kind == AdapterKind.QLORA and s.adapter.bits not in (AUTO, 4),
        "qlora holds the base model in 4 bits; for other bits use kind lora",
    ),
    (
        "adapter.bits",
        lambda s: s.adapter.kind == AdapterKind.FULL and s.adapter.bits in (4, 8),
        "full trains every weight, which needs 16 or 32 bits",
    ),
    (
        "adapter.bits",
        lambda s: (
            s.adapter.bits in (16, 32)
            and _WIDE.get(str(s.training.precision), s.adapter.bits) != s.adapter.bits
        ),
        "unquantised weights are held in training.precision; leave one of the two at auto",
    ),
    (
        "adapter.target_modules",
        lambda s: s.adapter.kind == AdapterKind.FULL and s.adapter.target_modules != "all-linear",
        "full trains every weight; layers are chosen for adapters only",
    ),
    (
        "adapter.dropout",
        lambda s: s.adapter.kind == AdapterKind.FULL and s.adapter.dropout,
        "full has no adapter to drop inputs of",
    ),
    (
        "adapter.experts",
        lambda s: s.adapter.kind == AdapterKind.FULL and s.adapter.experts,
        "full trains the experts too; leave it away",
    ),
    (
        "adapter.experts",
        lambda s: s.adapter.experts and s.adapter.kind == AdapterKind.DORA,
        "experts can be adapted by lora, qlora or rslora",
    ),
    (
        "adapter.dropout",
        lambda s: s.adapter.experts and s.adapter.dropout,
        "adapted experts need dropout 0",
    ),
    (
        "training.beta",
        lambda s: s.training.beta != BETA and not s.method.is_preference,
        "it is for dpo, orpo and kto",
    ),
    (
        "training.sharding",
        lambda s: s.training.sharding == "fsdp" and s.where.count * s.where.nodes == 1,
        "fsdp spreads the model over several devices; there is one (where.count, where.nodes)",
    ),
    (
        "where.gpu_any_of",
        lambda s: s.where.gpu_any_of and s.where.gpu != AUTO,
        "where.gpu names one card already; leave one of the two away",
    ),
    (
        "where.gpu_avoid",
        lambda s: set(s.where.gpu_avoid) & {s.where.gpu, *s.where.gpu_any_of},
        "it names a card that is asked for",
    ),
    (
        "where.volume",
        lambda s: s.where.volume and s.where.cloud == "community",
        "network volumes are in secure data centres only; leave where.cloud away",
    ),
    (
        "where.volume_gb",
        lambda s: (
            s.where.on.is_rented and not s.where.volume and s.where.volume_gb < LEAST_VOLUME_GB
        ),
        f"a pod needs a disk of {LEAST_VOLUME_GB} GB or more that outlives its container",
    ),
    (
        "where.endpoint",
        lambda s: s.where.endpoint is not None and not s.where.on.has_queue,
        "only with where.on=runpod-serverless",
    ),
    *(
        (
            f"where.{name}",
            lambda s, name=name: s.where.on.has_queue and getattr(s.where, name) not in _UNSAID,
            "the endpoint decides that: podtune runpod deploy",
        )
        for name in ("image", "registry_auth", "region", "volume")
    ),
    (
        "where.keep_on_failure_min",
        lambda s: s.where.on.has_queue and s.where.keep_on_failure_min,
        "a serverless worker belongs to its endpoint and is not kept",
    ),
)
"""Path, whether it contradicts the rest, and why."""


def refuse_contradictions(spec: TrainingSpec) -> None:
    """Raise where fields contradict each other, all of them at once.

    A default contradicts nothing: the resolved spec of a plan states every field and is read again.

    Raises:
        SpecError: naming the fields and why.
    """
    problems = [f"{path}: {why}" for path, contradicts, why in _RULES if contradicts(spec)]
    if problems:
        raise SpecError(
            "; ".join(problems),
            code="contradiction",
            hint="`podtune plan SOURCE --fields` lists every field and its value",
            context={"problems": problems},
        )
