"""How long a training takes: arithmetic per token over the speed of the device.

The speed of a device is what the last run on it reached; before a first run, a table.
"""

from typing import Final, NamedTuple

from podtune.core.plan import BaseModelFacts, Device, TimeEstimate
from podtune.core.spec import AdapterKind, Method, TrainingSpec

FLOP_PER_SECOND: Final = {"cuda": 4.0e13, "mps": 1.5e12}
"""Assumed for devices nobody has run on yet: a third of a mid-range card's dense bf16 rate."""

CPU_FLOP_PER_CORE_SECOND: Final = {"fp32": 4.0e10, "bf16": 8.0e10}
"""One core. fp32: AVX2, the lab of 2026-11-22 (158 tokens/s of the demo on 2 cores; 265 with
AVX-512). bf16: only where it is in hardware, `bench/results/training.json`."""

CPU_SLOW_HALF: Final = 7.0
"""How much slower a CPU computes in 16 bits that its hardware lacks: the same lab, section 1."""

CHECKPOINTING: Final = 4 / 3
"""The forward pass once more; 27 % more CPU time in the lab."""

IMPORT_AND_LOAD_S: Final = 25.0
"""Two processes import the libraries and load the model (the trainer, the proof), on a CPU."""

ANSWER_TOKENS: Final = 60
"""Tokens of an answer before or after, at most in the mean."""

ANSWER_TOKENS_PER_S: Final = 40.0
"""Batched greedy decoding of a 135M model on 2 CPU cores; scaled by size below."""


class Work(NamedTuple):
    """What has to be computed."""

    precision: str
    tokens: float
    """Over the whole training."""
    answers: int = 0
    """Generated before and after together."""
    full: bool = False
    checkpointing: bool = False
    reference: bool = False
    """A forward pass of the reference model besides (DPO, KTO)."""
    devices: int = 1
    """Devices of this kind that train at the same time."""


def work(
    spec: TrainingSpec, device: Device, world: int, *, tokens: float, answers: int = 0
) -> Work:
    """What a settled spec has to compute; processes of a CPU share its cores and add no speed."""
    return Work(
        precision=str(spec.training.precision),
        tokens=tokens,
        answers=answers,
        full=spec.adapter.kind == AdapterKind.FULL,
        checkpointing=spec.training.gradient_checkpointing is True,
        reference=spec.method in (Method.DPO, Method.KTO),
        devices=1 if device.kind == "cpu" else world,
    )


def active_parameters(facts: BaseModelFacts) -> float:
    """Parameters a token goes through: of the experts only those it is sent to."""
    if facts.experts is None:
        return float(facts.linear_parameters)
    share = facts.experts.active / facts.experts.count
    return facts.linear_parameters + facts.experts.parameters * share


def flop_per_token(facts: BaseModelFacts, work: Work) -> float:
    """Operations to train on one token.

    2 per parameter forward, 2 backward for the activations' gradient and, where every weight is
    trained, 2 for the weights' own (Kaplan et al. 2020, arXiv 2001.08361, section 2.1). The head
    counts as a fourth of its size: it runs on trained positions only.
    """
    head = facts.vocab_size * facts.hidden_size / 4
    per_parameter = 6.0 if work.full else 4.0
    if work.checkpointing:
        per_parameter *= CHECKPOINTING
    if work.reference:
        per_parameter += 2.0
    return per_parameter * (active_parameters(facts) + head)


def speed_key(device: Device, precision: str) -> str:
    """Under which name a device's reached speed is remembered."""
    cores = f"-{device.cores}" if device.kind == "cpu" else ""
    return f"{device.kind}{cores}-{precision}"


def estimate(
    facts: BaseModelFacts, device: Device, work: Work, *, reached_flops: float | None
) -> TimeEstimate:
    """Seconds of training and of what is around it.

    Args:
        facts: The base model.
        device: What it runs on.
        work: What is computed.
        reached_flops: FLOP/s the last run on one such device reached, if there was one.
    """
    if reached_flops:
        flops, basis = reached_flops, "the last run on this machine"
    elif device.kind == "cpu":
        flops, basis = _cpu_speed(device, work.precision)
    else:
        flops, basis = FLOP_PER_SECOND[device.kind], f"assumed for {device.kind}; never measured"
    speed = flops * work.devices / flop_per_token(facts, work)
    small = 134_515_008
    decoding = ANSWER_TOKENS_PER_S * (flops / (2 * CPU_FLOP_PER_CORE_SECOND["fp32"]))
    decoding *= small / (active_parameters(facts) + facts.vocab_size * facts.hidden_size)
    return TimeEstimate(
        training_s=work.tokens / speed,
        around_s=IMPORT_AND_LOAD_S + work.answers * ANSWER_TOKENS / decoding,
        tokens_per_second=speed,
        basis=basis,
    )


def _cpu_speed(device: Device, precision: str) -> tuple[float, str]:
    if precision == "fp32" or (precision == "bf16" and device.bf16):
        per_core = CPU_FLOP_PER_CORE_SECOND[precision]
        return per_core * device.cores, f"table: {precision} on a CPU core"
    per_core = CPU_FLOP_PER_CORE_SECOND["fp32"] / CPU_SLOW_HALF
    return per_core * device.cores, f"table: {precision} that this CPU's hardware lacks"
