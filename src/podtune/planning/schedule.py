"""The plan's own decisions: every `auto` of the spec becomes a value with its reason."""

import math
from typing import Final, NamedTuple

from podtune.core.errors import SpecError
from podtune.core.plan import BaseModelFacts, Schedule
from podtune.core.spec import AUTO, EffectiveBatch, Method, TrainingOptions
from podtune.data.lengths import Lengths
from podtune.data.packing import best_fit_decreasing, singles
from podtune.planning.model_facts import packing_kernels

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


class Conditions(NamedTuple):
    """What the decisions depend on besides the training options."""

    facts: BaseModelFacts
    lengths: Lengths
    packable: bool
    """Whether packing is exact for this model on this device."""
    method: Method = Method.SFT
    full: bool = False
    """Whether every weight is trained, and not an adapter."""
    world: int = 1
    """Processes that train together."""


def decide(options: TrainingOptions, given: Conditions) -> Decided:
    """Fill every `auto` that data and model decide; what memory decides is `fitting`'s.

    Raises:
        SpecError: an example is longer than the row, packing is asked where it is not exact, or
            a step cannot be divided among the processes.
    """
    values: dict[str, Decision] = {}
    lengths, facts = _shortened_guess(options, given.lengths), given.facts
    total, longest = sum(lengths.train), max((*lengths.train, *lengths.validation))
    epochs = _take(options.epochs, values, "training.epochs", _epochs(total, given.method))
    _take(options.learning_rate, values, "training.learning_rate", _learning_rate(given))
    _refuse_leaking(options, given)
    per_step = _tokens_per_step(options.effective_batch, total, len(lengths.train), float(epochs))
    if options.effective_batch == AUTO:
        values["training.effective_batch"] = Decision(
            {"tokens": per_step, "examples": None},
            f"tokens x epochs / {TARGET_STEPS} as a power of two, 256 to {MOST_TOKENS_PER_STEP:,}",
        )
    packing = bool(
        _take(options.packing, values, "training.packing", _packing(options, given, per_step))
    )
    row = _take(
        options.max_length,
        values,
        "training.max_length",
        _max_length(longest, per_step, packing, facts.max_positions),
    )
    if longest > int(row):
        raise SpecError(
            f"the longest example has {longest} tokens, training.max_length is {row}",
            code="too_long",
            hint=f"--set training.max_length={longest}, --set training.long_rows=shorten, or "
            "shorten the row; nothing is cut unasked",
        )
    micro = _take(
        options.micro_batch,
        values,
        "training.micro_batch",
        Decision(1, "one row a pass: rows are full, more would only need more memory"),
    )
    rows = best_fit_decreasing(lengths.train, int(row)) if packing else singles(lengths.train)
    _refuse_indivisible(options, given, len(rows), int(micro))
    schedule = _steps(
        options.max_steps,
        _Rows(len(rows), total, int(micro), given.world),
        per_step,
        float(epochs),
    )
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


def _shortened_guess(options: TrainingOptions, lengths: Lengths) -> Lengths:
    """Guessed lengths as they will be once long rows are shortened; counted ones are so already."""
    if lengths.exact or options.long_rows != "shorten" or options.max_length == AUTO:
        return lengths
    row = int(options.max_length)
    return lengths._replace(
        train=tuple(min(n, row) for n in lengths.train),
        validation=tuple(min(n, row) for n in lengths.validation),
    )


def _epochs(tokens: int, method: Method) -> Decision:
    if method.is_preference:
        if tokens < 500_000:
            return Decision(3, f"little data ({tokens:,} tokens) is seen three times")
        return Decision(1, "one pass: preferences are overlearnt quickly")
    if tokens < 50_000:
        return Decision(5, f"little data ({tokens:,} tokens) is seen five times")
    if tokens < 5_000_000:
        return Decision(3, f"three passes over {tokens:,} tokens, the common choice")
    return Decision(1, f"one pass: {tokens:,} tokens are plenty")


def learning_rate(width: int, method: Method, *, full: bool = False) -> Decision:
    """The peak learning rate where nobody says one, and why.

    10x the rate of full fine-tuning, falling with width; a tenth of it for preferences.

    Args:
        width: The model's hidden size.
        method: What is learnt.
        full: Whether every weight is trained, and no adapter.

    Sources: Schulman et al. 2025, "LoRA Without Regret": 5e-5 x 10 x (2000 / hidden)^0.781, here
    kept within 1e-4 .. 1e-3 and rounded to two digits. DPO: Rafailov et al. 2023 (1e-6, all
    weights) and the Zephyr recipes (Tunstall et al. 2023, 5e-7, all weights; 5e-6 with QLoRA at a
    width of 4,096) stand a tenth or more below their fine-tuning.
    """
    rate = min(1e-3, max(1e-4, 5e-5 * 10 * (2000 / width) ** 0.781))
    why = f"by the model's width {width} (LoRA Without Regret, 2025)"
    if full:
        rate, why = rate / 10, f"a tenth of an adapter's, {why}"
    if method.is_preference:
        rate, why = rate / 10, f"a tenth of fine-tuning's: preferences need less; {why}"
    return Decision(float(f"{rate:.1e}"), why)


def _learning_rate(given: Conditions) -> Decision:
    return learning_rate(given.facts.hidden_size, given.method, full=given.full)


def _packing(options: TrainingOptions, given: Conditions, per_step: int) -> Decision:
    if not given.packable:
        return Decision(False, _leak(given.facts))
    micro = 1 if options.micro_batch == AUTO else int(options.micro_batch)
    if options.effective_batch != AUTO and options.max_length != AUTO:
        filled = min(int(options.max_length), sum(given.lengths.train)) * micro * given.world
        if filled > per_step:
            return Decision(
                False,
                f"full rows would make a step of {filled:,} tokens, effective_batch asks for about "
                f"{per_step:,}",
            )
    return Decision(True, "no padding; documents in a row do not see each other")


def _refuse_leaking(options: TrainingOptions, given: Conditions) -> None:
    if options.packing is True and not given.packable:
        raise SpecError(
            f"packing is not exact for {given.facts.model_type}: {_leak(given.facts)}",
            hint="leave training.packing at auto",
        )


def _leak(facts: BaseModelFacts) -> str:
    needed = packing_kernels(facts)
    words = "its linear-attention layers would see the neighbouring documents"
    return f"{words} without {' and '.join(needed)}" if needed else words


def _refuse_indivisible(options: TrainingOptions, given: Conditions, rows: int, micro: int) -> None:
    """Raise where processes would have nothing to do, or a stated batch is too small for them."""
    if given.world == 1:
        return
    if rows < given.world:
        raise SpecError(
            f"{rows} rows cannot be divided among {given.world} processes",
            code="indivisible",
            hint="use fewer devices (where.count, where.nodes), or --set training.packing=false",
        )
    batch = options.effective_batch
    if isinstance(batch, EffectiveBatch) and batch.examples is not None:
        mean = len(given.lengths.train) / rows
        if batch.examples < mean * micro * given.world * 0.5:
            raise SpecError(
                f"training.effective_batch: {batch.examples} examples a step are less than one "
                f"pass of {given.world} processes ({mean * micro * given.world:.0f} examples)",
                code="indivisible",
                hint="use fewer devices, a smaller micro_batch, or a larger effective_batch",
            )


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


class _Rows(NamedTuple):
    rows: int
    tokens: int
    micro: int
    world: int


def _steps(max_steps: int | None, rows: _Rows, per_step: int, epochs: float) -> Schedule:
    """Steps as the trainer counts them: rows -> passes of all processes -> optimizer steps."""
    at_once = rows.micro * rows.world
    passes = math.ceil(rows.rows / at_once)
    accumulation = max(1, min(passes, round(per_step / (rows.tokens / rows.rows * at_once))))
    per_epoch = math.ceil(passes / accumulation)
    steps = math.ceil(epochs * per_epoch)
    left: tuple[str, ...] = ()
    if max_steps is not None and max_steps < steps:
        left = (f"{steps - max_steps} of {steps} steps (training.max_steps)",)
        steps = max_steps
    return Schedule(
        exact=True,
        steps=steps,
        steps_per_epoch=per_epoch,
        rows_per_epoch=rows.rows,
        accumulation=accumulation,
        world=rows.world,
        tokens_per_step=round(rows.tokens / per_epoch),
        left_out=left,
    )
