"""How long a training takes: arithmetic per token over the speed of the device.

The speed of a device is what the last run on it reached; before a first run, a table.
"""

from typing import Final

from podtune.core.plan import BaseModelFacts, Device, TimeEstimate

FLOP_PER_SECOND: Final = {"cuda": 4.0e13, "mps": 1.5e12}
"""Assumed for devices nobody has run on yet: a third of a mid-range card's dense bf16 rate."""

CPU_FLOP_PER_CORE_SECOND: Final = {"fp32": 4.0e10, "bf16": 8.0e10}
"""One core. fp32: AVX2, the lab of 2026-11-22 (158 tokens/s of the demo on 2 cores; 265 with
AVX-512). bf16: only where it is in hardware, `bench/results/training.json`."""

IMPORT_AND_LOAD_S: Final = 25.0
"""Two processes import the libraries and load the model (the trainer, the proof), on a CPU."""

ANSWER_TOKENS: Final = 60
"""Tokens of an answer before or after, at most in the mean."""

ANSWER_TOKENS_PER_S: Final = 40.0
"""Batched greedy decoding of a 135M model on 2 CPU cores; scaled by size below."""


def flop_per_token(facts: BaseModelFacts) -> float:
    """Operations to train on one token with LoRA.

    2 per parameter forward, 2 backward for the activations' gradient; the frozen weights need
    no gradient of their own (Kaplan et al. 2020, arXiv 2001.08361, section 2.1, less the third
    2N). The head counts as a fourth of its size: it runs on trained positions only.
    """
    head = facts.vocab_size * facts.hidden_size / 4
    return 4.0 * (facts.linear_parameters + head)


def speed_key(device: Device, precision: str) -> str:
    """Under which name a device's reached speed is remembered."""
    cores = f"-{device.cores}" if device.kind == "cpu" else ""
    return f"{device.kind}{cores}-{precision}"


def estimate(
    facts: BaseModelFacts,
    device: Device,
    *,
    precision: str,
    tokens: float,
    answers: int,
    reached_flops: float | None,
) -> TimeEstimate:
    """Seconds of training and of what is around it.

    Args:
        facts: The base model.
        device: What it runs on.
        precision: `fp32` or `bf16`.
        tokens: Tokens over the whole training.
        answers: Answers generated before and after together.
        reached_flops: FLOP/s the last run on this device reached, if there was one.
    """
    if reached_flops:
        flops, basis = reached_flops, "the last run on this machine"
    elif device.kind == "cpu":
        per_core = CPU_FLOP_PER_CORE_SECOND[precision]
        flops, basis = per_core * device.cores, f"table: {precision} on a CPU core"
    else:
        flops, basis = FLOP_PER_SECOND[device.kind], f"assumed for {device.kind}; never measured"
    speed = flops / flop_per_token(facts)
    small = 134_515_008
    decoding = ANSWER_TOKENS_PER_S * (flops / (2 * CPU_FLOP_PER_CORE_SECOND[precision]))
    decoding *= small / facts.total_parameters
    return TimeEstimate(
        training_s=tokens / speed,
        around_s=IMPORT_AND_LOAD_S + answers * ANSWER_TOKENS / decoding,
        tokens_per_second=speed,
        basis=basis,
    )
