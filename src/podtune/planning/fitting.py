"""Which adapter, in how many bits, with or without checkpointing: the first choice that fits.

The order is by what a choice costs. Weights in 16 or 32 bits come first; gradient checkpointing
changes no result and costs a third more time; 4 bits change the base model's weights, so they come
last. What somebody stated is kept, and then only the rest is chosen.
"""

from collections.abc import Iterator, Sequence
from itertools import product
from typing import Final, Literal, NamedTuple

from podtune.core.errors import SpecError
from podtune.core.plan import BaseModelFacts, Device, MemoryEstimate
from podtune.core.spec import AUTO, AdapterKind, TrainingSpec
from podtune.core.units import gib
from podtune.planning import memory
from podtune.planning.adaptation import adaptation

Sharding = Literal["ddp", "fsdp"]

NATIVE_BITS: Final = {"fp32": 32, "bf16": 16, "fp16": 16}
"""Bits of a weight that is held in a training's precision."""

SPREADABLE: Final = (AdapterKind.LORA, AdapterKind.RSLORA)
"""Kinds whose frozen base may lie spread over devices (`sharding.py` of the worker)."""

NOT_FULL_HINT: Final = "train an adapter (--set adapter.kind=auto), or choose a smaller base model"


class Choice(NamedTuple):
    """One way to hold the model and train it."""

    kind: AdapterKind
    bits: int
    precision: str
    checkpointing: bool
    sharding: Sharding


class Load(NamedTuple):
    """What a pass of one process holds, and on how many processes."""

    tokens_per_pass: int
    trained_per_pass: int
    local: int
    """Processes on this machine."""
    world: int
    """Processes on all machines."""


class Fitted(NamedTuple):
    """The choice, and the memory of one process under it."""

    choice: Choice
    needed: MemoryEstimate
    spared: str
    """What did not fit and was avoided, in words; empty for the first choice."""


def fit(spec: TrainingSpec, facts: BaseModelFacts, device: Device, load: Load) -> Fitted:
    """The first choice that fits the device.

    Raises:
        SpecError: none fits, with the figures of the smallest by parts; or what is stated
            cannot be had of this model.
    """
    choices = list(candidates(spec, facts, device, load.world))
    smallest: MemoryEstimate | None = None
    for index, choice in enumerate(choices):
        needed = estimate(spec, facts, device, load, choice)
        if needed.total <= share(device, load):
            return Fitted(choice, needed, _words(choices[0], choice) if index else "")
        if smallest is None or needed.total < smallest.total:
            smallest = needed
    assert smallest is not None  # there is always a choice
    raise _unfit(spec, smallest, device, load)


def runs(spec: TrainingSpec, facts: BaseModelFacts, device: Device, load: Load) -> bool:
    """Whether a settled spec runs on a device as it stands: its memory, and bf16 in hardware."""
    if spec.training.precision == "bf16" and not device.bf16 and device.kind == "cuda":
        return False
    (choice,) = candidates(spec, facts, device, load.world)
    return estimate(spec, facts, device, load, choice).total <= share(device, load)


def candidates(
    spec: TrainingSpec, facts: BaseModelFacts, device: Device, world: int
) -> Iterator[Choice]:
    """All choices the spec leaves open, the best first.

    Raises:
        SpecError: experts in 8 bits, full training in fp16, or a model spread over devices in a
            way that is not built.
    """
    stated = spec.training.sharding
    shardings: Sequence[Sharding] = ("ddp", "fsdp") if world > 1 else ("ddp",)
    if stated != AUTO:
        shardings = (stated,)
    forms = _forms(spec, facts, device)
    spreadable = [form for form in forms if form[0] in SPREADABLE and form[1] in (16, 32)]
    if facts.linear_attention_layers:
        spreadable = []  # a document a pass: processes with more documents would wait for ever
    if stated == "fsdp" and not spreadable:
        raise SpecError(
            "training.sharding: fsdp spreads a frozen base in 16 or 32 bits under lora or rslora, "
            "without linear attention",
            code="contradiction",
            hint="use --set training.sharding=ddp, or adapter.kind=lora with 16 bits",
        )
    for sharding in shardings:
        there = spreadable if sharding == "fsdp" else forms
        for (kind, bits, precision), checkpointing in product(there, _checkpointings(spec)):
            yield Choice(kind, bits, precision, checkpointing, sharding)


def estimate(
    spec: TrainingSpec, facts: BaseModelFacts, device: Device, load: Load, choice: Choice
) -> MemoryEstimate:
    """The memory of one process under a choice."""
    what = adaptation(spec.adapter, facts, choice.kind)
    return memory.estimate(
        facts,
        memory.Workload(
            adaptation=what,
            bits=choice.bits,
            precision=choice.precision,
            tokens_per_pass=load.tokens_per_pass,
            trained_per_pass=load.trained_per_pass,
            device_kind=device.kind,
            checkpointing=choice.checkpointing,
            sharded_over=load.world if choice.sharding == "fsdp" else 1,
        ),
    )


def share(device: Device, load: Load) -> int:
    """Memory one process may use: a card's own, or its part of the machine's."""
    return device.memory_bytes // (load.local if device.kind == "cpu" else 1)


def default_precision(spec: TrainingSpec, device: Device) -> str:
    """The precision where nobody stated one: what the hardware computes fast."""
    bits = spec.adapter.bits
    if bits == 32:
        return "fp32"
    half = "fp16" if device.kind == "cuda" and not device.bf16 else "bf16"
    if bits == 16 or device.bf16 or half == "fp16":
        return half
    return "fp32"


def _forms(
    spec: TrainingSpec, facts: BaseModelFacts, device: Device
) -> list[tuple[AdapterKind, int, str]]:
    """Kind, bits and precision, the best first."""
    kind, bits, stated = spec.adapter.kind, spec.adapter.bits, spec.training.precision
    precision = default_precision(spec, device) if stated == AUTO else str(stated)
    if kind == AdapterKind.FULL:
        return _full_forms(spec)
    if bits == 8 and facts.experts is not None:
        raise SpecError(
            f"adapter.bits: {facts.name} is a mixture, whose experts cannot be held in 8 bits",
            code="contradiction",
            hint="use 4, or 16 where the memory holds it",
        )
    native = NATIVE_BITS[precision]
    allowed = (native, 4) if bits == AUTO else (int(bits),)
    if kind == AdapterKind.QLORA:
        allowed = (4,)
    return [(_named(kind, n), n, precision) for n in allowed]


def _full_forms(spec: TrainingSpec) -> list[tuple[AdapterKind, int, str]]:
    """All bits unless somebody stated fewer: in bf16 small updates of a weight are lost."""
    stated, bits = spec.training.precision, spec.adapter.bits
    if stated == "fp16":
        raise SpecError(
            "full fine-tuning in fp16 loses small updates",
            code="contradiction",
            hint="use --set training.precision=bf16 or fp32",
        )
    if stated != AUTO:
        return [(AdapterKind.FULL, NATIVE_BITS[str(stated)], str(stated))]
    return [(AdapterKind.FULL, 16, "bf16") if bits == 16 else (AdapterKind.FULL, 32, "fp32")]


def _checkpointings(spec: TrainingSpec) -> tuple[bool, ...]:
    stated = spec.training.gradient_checkpointing
    return (False, True) if stated == AUTO else (bool(stated),)


def _named(kind: AdapterKind | str, bits: int) -> AdapterKind:
    if kind == AUTO:
        return AdapterKind.QLORA if bits == 4 else AdapterKind.LORA
    return AdapterKind(kind)


def _words(first: Choice, taken: Choice) -> str:
    what = f"{first.bits}-bit weights"
    if taken.bits == first.bits and taken.checkpointing and not first.checkpointing:
        what += " without checkpointing"
    return f"{what} would not fit"


def _unfit(spec: TrainingSpec, needed: MemoryEstimate, device: Device, load: Load) -> SpecError:
    parts = ", ".join(f"{name} {gib(size)}" for name, size in needed.parts().items())
    room = share(device, load)
    of = f" for each of {load.local} processes" if room < device.memory_bytes else ""
    full = spec.adapter.kind == AdapterKind.FULL
    what = "full fine-tuning" if full else "the training"
    return SpecError(
        f"{what} needs {gib(needed.total)} ({parts}); {device.name} has {gib(room)}{of}",
        code="does_not_fit",
        hint=NOT_FULL_HINT if full else "choose a smaller base model with --model, or shorter rows",
        context={
            "needed_bytes": needed.total,
            "available_bytes": room,
            "parts": needed.parts(),
        },
    )
