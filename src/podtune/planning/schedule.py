"""The plan's own decisions: every `auto` of the spec becomes a value with its reason."""

import math
from typing import Final, NamedTuple

from podtune.core.errors import SpecError
from podtune.core.plan import BaseModelFacts, Device, Schedule
from podtune.core.spec import AUTO, EffectiveBatch, TrainingOptions
from podtune.data.lengths import Lengths
from podtune.data.packing import best_fit_decreasing, singles

TARGET_STEPS: Final = 80
"""A small job should make about so many optimizer steps; fewer teach too little (lab, section 11)."""

MOST_TOKENS_PER_STEP: Final = 16_384
"""Larger steps gain nothing for adapters (recipes use 16-32k)."""

FEWEST_STEPS: Final = 8
"""A time limit that leaves fewer steps than this is refused: nothing would be learnt."""


class Decision(NamedTuple):
    """A value and why."""

    value: object
    why: str


class Decided(NamedTuple):
    """All decisions by spec path, and the schedule they give."""

    values: dict[str, Decision]
    schedule: Schedule


def decide(
    options: TrainingOptions,
    facts: BaseModelFacts,
    device: Device,
    lengths: Lengths,
    *,
    packable: bool,
) -> Decided:
    """Fill every `auto` of the training options.

    Raises:
        SpecError: an example is longer than the row, or packing is asked where it is not exact.
    """
    values: dict[str, Decision] = {}
    total, longest = sum(lengths.train), max((*lengths.train, *lengths.validation))
    if facts.window is not None and longest > facts.window:
        raise SpecError(
            f"the longest example has {longest} tokens; {facts.name} attends over {facts.window}",
            code="too_long",
            hint="shorten the row, or choose a base model with a longer window",
        )
    epochs = _take(options.epochs, values, "training.epochs", _epochs(total))
    _take(options.learning_rate, values, "training.learning_rate", _learning_rate(facts))
    _take(options.precision, values, "training.precision", _precision(device))
    if options.packing is True and not packable:
        raise SpecError(
            f"packing is not exact for {facts.model_type}: its linear-attention layers would see "
            "the neighbouring documents",
            hint="leave training.packing at auto",
        )
    packing = _take(options.packing, values, "training.packing", _packing(packable))
    per_step = _tokens_per_step(options.effective_batch, total, len(lengths.train), float(epochs))
    if options.effective_batch == AUTO:
        values["training.effective_batch"] = Decision(
            {"tokens": per_step, "examples": None},
            f"tokens x epochs / {TARGET_STEPS} as a power of two, 256 to {MOST_TOKENS_PER_STEP:,}",
        )
    row = _take(
        options.max_length,
        values,
        "training.max_length",
        _max_length(longest, per_step, bool(packing), facts.max_positions),
    )
    if longest > int(row):
        raise SpecError(
            f"the longest example has {longest} tokens, training.max_length is {row}",
            code="too_long",
            hint=f"--set training.max_length={longest}, or shorten the row; nothing is cut",
        )
    micro = _take(
        options.micro_batch,
        values,
        "training.micro_batch",
        Decision(1, "one row a pass: rows are full, more would only need more memory"),
    )
    rows = best_fit_decreasing(lengths.train, int(row)) if packing else singles(lengths.train)
    schedule = _steps(options.max_steps, rows, total, per_step, int(micro), float(epochs))
    schedule = schedule.model_copy(update={"exact": lengths.exact})
    _take(options.save_steps, values, "training.save_steps", save_steps(schedule.steps))
    return Decided(values, schedule)


def save_steps(steps: int) -> Decision:
    """Steps between checkpoints."""
    return Decision(max(1, math.ceil(steps / 10)), "a crash costs at most a tenth")


def shortened(
    schedule: Schedule, tokens_per_second: float, minutes: float, epochs: float
) -> Schedule:
    """The schedule cut to what `minutes` of training hold, saying what is left out.

    Raises:
        SpecError: fewer than 8 steps would be left.
    """
    steps = int(minutes * 60 * tokens_per_second / schedule.tokens_per_step)
    if steps >= schedule.steps:
        return schedule
    if steps < FEWEST_STEPS:
        needed = FEWEST_STEPS * schedule.tokens_per_step / tokens_per_second / 60
        raise SpecError(
            f"{minutes:g} minutes hold {steps} optimizer steps here; fewer than {FEWEST_STEPS} teach nothing",
            code="too_short",
            hint=f"allow --minutes {math.ceil(needed)}, ask for fewer epochs, or a smaller model",
        )
    done = steps / schedule.steps_per_epoch
    left = [
        *schedule.left_out,
        f"{schedule.steps - steps} of {schedule.steps} steps ({done:.1f} of {epochs:g} epochs run)",
    ]
    if done < 1:
        unseen = round((1 - done) * schedule.rows_per_epoch)
        left.append(f"{unseen} of {schedule.rows_per_epoch} packed rows are never seen")
    return schedule.model_copy(update={"steps": steps, "left_out": tuple(left)})


def _take(stated: object, values: dict[str, Decision], path: str, decision: Decision) -> float:
    """The stated value, or the decision, which is then recorded. Booleans pass as 0 and 1."""
    if stated != AUTO:
        return stated  # pyright: ignore[reportReturnType]
    values[path] = decision
    return decision.value  # pyright: ignore[reportReturnType]


def _epochs(tokens: int) -> Decision:
    if tokens < 50_000:
        return Decision(5, f"little data ({tokens:,} tokens) is seen five times")
    if tokens < 5_000_000:
        return Decision(3, f"three passes over {tokens:,} tokens, the common choice")
    return Decision(1, f"one pass: {tokens:,} tokens are plenty")


def _learning_rate(facts: BaseModelFacts) -> Decision:
    """10x the rate of full fine-tuning, falling with width.

    Source: Schulman et al. 2025, "LoRA Without Regret": 5e-5 x 10 x (2000 / hidden)^0.781, here
    kept within 1e-4 .. 1e-3 and rounded to two digits.
    """
    rate = 5e-5 * 10 * (2000 / facts.hidden_size) ** 0.781
    bounded = float(f"{min(1e-3, max(1e-4, rate)):.1e}")
    return Decision(
        bounded, f"by the model's width {facts.hidden_size} (LoRA Without Regret, 2025)"
    )


def _precision(device: Device) -> Decision:
    if device.bf16:
        return Decision("bf16", f"{device.name} computes bf16 in hardware")
    return Decision("fp32", f"{device.name} has no bf16 hardware; bf16 would be 7 times slower")


def _packing(packable: bool) -> Decision:
    if packable:
        return Decision(True, "no padding; documents in a row do not see each other")
    return Decision(False, "linear-attention layers cannot keep packed documents apart")


def _tokens_per_step(wanted: EffectiveBatch | str, total: int, examples: int, epochs: float) -> int:
    if isinstance(wanted, EffectiveBatch):
        if wanted.tokens:
            return wanted.tokens
        return max(1, round(wanted.examples * total / examples)) if wanted.examples else total
    ideal = max(1.0, total * epochs / TARGET_STEPS)
    return int(min(MOST_TOKENS_PER_STEP, max(256, 2 ** round(math.log2(ideal)))))


def _max_length(longest: int, per_step: int, packing: bool, positions: int) -> Decision:
    if not packing:
        return Decision(longest, "the longest example; nothing is cut")
    need = math.ceil(longest / 64) * 64
    row = min(max(need, min(per_step, 2048)), max(positions, need))
    if row == need and need > min(per_step, 2048):
        return Decision(row, f"room for the longest example ({longest} tokens); nothing is cut")
    return Decision(row, f"a step's tokens in one row; the longest example has {longest}")


def _steps(
    max_steps: int | None,
    rows: list[list[int]],
    total: int,
    per_step: int,
    micro: int,
    epochs: float,
) -> Schedule:
    mean_row = total / len(rows)
    passes = math.ceil(len(rows) / micro)
    accumulation = max(1, min(passes, round(per_step / (mean_row * micro))))
    per_epoch = math.ceil(passes / accumulation)
    steps = math.ceil(epochs * per_epoch)
    left: tuple[str, ...] = ()
    if max_steps is not None and max_steps < steps:
        left = (f"{steps - max_steps} of {steps} steps (training.max_steps)",)
        steps = max_steps
    return Schedule(
        exact=True,
        steps=steps if max_steps is None else min(steps, max_steps),
        steps_per_epoch=per_epoch,
        rows_per_epoch=len(rows),
        accumulation=accumulation,
        tokens_per_step=round(total / per_epoch),
        left_out=left,
    )
