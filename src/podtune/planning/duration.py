"""How long a training takes: arithmetic per token over the speed of the device.

The speed of a device is what the last run on it reached; before a first run, a table.
"""

import math
from typing import Final, NamedTuple

from podtune.core.plan import BaseModelFacts, Device, TimeEstimate
from podtune.core.spec import AdapterKind, Method, TrainingSpec
from podtune.core.units import GIB
from podtune.planning import cards

MPS_FLOP_PER_SECOND: Final = 1.5e12
"""Assumed for Apple's chips, on which nobody has run yet."""

CARD_UTILISATION: Final = 0.35
"""Share of a card's dense rate that a training reaches. Assumed 2026-11-22, in the middle of what is
published for adapters of 7-8 B models in bf16 (0.25-0.45); `bench/gpu/training.py` will measure it."""

CARD_SLOWER: Final = {"bf16": 1.0, "fp16": 1.0, "fp32": 8.0}
"""fp32 runs outside of the fast units: an eighth on GA102 (white paper 2.1, 2021: 18.8 to 149.7
dense); more on some cards."""

CARD_4_BIT_SLOWER: Final = 1.3
"""Weights in 4 bits are unpacked in every pass. Assumed 2026-11-22; unmeasured on a card."""

CARD_LAYER_S: Final = 0.0015
"""A card spends at least so long on one layer of a pass, forward and back: about 180 operations at 8
us each to start them. Assumed 2026-11-22; it decides for small models only."""

CARD_ANSWERS_AT_ONCE: Final = 8
"""Answers that are decoded together (`generation.py` of the worker)."""

CARD_LOAD_BYTES_PER_S: Final = 1e9
"""From a pod's disk onto its card. Assumed 2026-11-22."""

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
    bits: int = 32
    """Of a base weight."""
    passes: float = 0
    """Forward and backward passes of one device over the whole training; 0 where nobody counted."""


def work(
    spec: TrainingSpec,
    device: Device,
    world: int,
    *,
    tokens: float,
    answers: int = 0,
    passes: float = 0,
) -> Work:
    """What a settled spec has to compute; processes of a CPU share its cores and add no speed."""
    bits = spec.adapter.bits
    return Work(
        precision=str(spec.training.precision),
        tokens=tokens,
        answers=answers,
        full=spec.adapter.kind == AdapterKind.FULL,
        checkpointing=spec.training.gradient_checkpointing is True,
        reference=spec.method in (Method.DPO, Method.KTO),
        devices=1 if device.kind == "cpu" else world,
        bits=bits if isinstance(bits, int) else 32,
        passes=passes,
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


def speed_key(device: Device, work: Work, facts: BaseModelFacts) -> str:
    """Under which name a device's reached speed is remembered.

    A card's counts for its own kind, for weights of the same bits and for models of about the same
    size: a small model reaches a small part of what a large one does.
    """
    if device.kind == "cpu":
        return f"cpu-{device.cores}-{work.precision}"
    size = round(math.log2(max(1.0, active_parameters(facts))))
    bits = "-4bit" if work.bits == 4 else ""
    return f"{device.name}-{work.precision}{bits}-2^{size}"


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
    else:
        flops, basis = _speed(device, work)
    speed = flops * work.devices / flop_per_token(facts, work)
    training = work.tokens / speed
    if device.kind == "cuda":
        if reached_flops:
            basis = f"the last run on {device.name}"
        else:
            training = max(training, work.passes * CARD_LAYER_S * facts.layers)
        around = _around_on_card(facts, work)
    else:
        around = IMPORT_AND_LOAD_S + work.answers * ANSWER_TOKENS / _decoding(facts, flops)
    return TimeEstimate(
        training_s=training,
        around_s=around,
        tokens_per_second=work.tokens / training if training else speed,
        basis=basis,
    )


def _speed(device: Device, work: Work) -> tuple[float, str]:
    """Operations a second of one device nobody has run on, and where that comes from."""
    if device.kind == "cpu":
        return _cpu_speed(device, work.precision)
    if device.kind == "mps":
        return MPS_FLOP_PER_SECOND, "assumed for mps; never measured"
    card = cards.card(device.name, device.memory_bytes / GIB)
    flops = card.tflops * 1e12 * CARD_UTILISATION / CARD_SLOWER[work.precision]
    flops /= CARD_4_BIT_SLOWER if work.bits == 4 else 1.0
    known = "its size" if card.is_assumed else "the data sheet"
    return flops, f"assumed from {known} of {device.name}; never measured"


def _around_on_card(facts: BaseModelFacts, work: Work) -> float:
    """Two processes load the model from disk; answers are decoded together, a token a pass."""
    loading = 2 * 2 * facts.total_parameters / CARD_LOAD_BYTES_PER_S
    decoded = math.ceil(work.answers / CARD_ANSWERS_AT_ONCE) * ANSWER_TOKENS
    return IMPORT_AND_LOAD_S + loading + decoded * CARD_LAYER_S * facts.layers


def _decoding(facts: BaseModelFacts, flops: float) -> float:
    """Tokens a second of answers on a CPU or an Apple chip."""
    small = 134_515_008
    decoding = ANSWER_TOKENS_PER_S * (flops / (2 * CPU_FLOP_PER_CORE_SECOND["fp32"]))
    return decoding * small / (active_parameters(facts) + facts.vocab_size * facts.hidden_size)


def _cpu_speed(device: Device, precision: str) -> tuple[float, str]:
    if precision == "fp32" or (precision == "bf16" and device.bf16):
        per_core = CPU_FLOP_PER_CORE_SECOND[precision]
        return per_core * device.cores, f"table: {precision} on a CPU core"
    per_core = CPU_FLOP_PER_CORE_SECOND["fp32"] / CPU_SLOW_HALF
    return per_core * device.cores, f"table: {precision} that this CPU's hardware lacks"
