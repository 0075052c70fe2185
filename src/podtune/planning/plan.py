"""Resolved spec + data + base model + device -> the plan. One function; nothing is read here."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from podtune.core.dataset import DatasetReport
from podtune.core.errors import SpecError
from podtune.core.plan import (
    BaseModelFacts,
    Device,
    FieldNote,
    MemoryEstimate,
    Origin,
    Plan,
    Schedule,
    TimeEstimate,
    TokenCounts,
)
from podtune.core.spec import AdapterKind, TrainingSpec, flatten, nest
from podtune.core.units import duration, gib
from podtune.data.lengths import Lengths
from podtune.planning import duration as durations
from podtune.planning import memory
from podtune.planning.model_facts import linear_shapes, sizes_of
from podtune.planning.schedule import Decision, decide, save_steps, shortened

LONG_S: Final = 1800.0
"""A job over this says so before it starts and offers `--minutes`."""


class PlanInput(NamedTuple):
    """Everything a plan follows from."""

    spec: TrainingSpec
    notes: dict[str, FieldNote]
    report: DatasetReport
    validation_report: DatasetReport | None
    facts: BaseModelFacts
    device: Device
    lengths: Lengths
    train_rows: int
    validation_rows: int
    packable: bool
    reached_speeds: Mapping[str, float]
    """Speed key -> FLOP/s of the last run on a device of this machine."""
    minutes: float | None
    warnings: tuple[str, ...]


def plan(given: PlanInput) -> Plan:
    """Decide what is still open, and estimate steps, memory and time.

    Raises:
        SpecError: it does not fit the memory, or a stated value contradicts the data.
    """
    decided = decide(
        given.spec.training, given.facts, given.device, given.lengths, packable=given.packable
    )
    values = {**decided.values, **_adapter(given)}
    settled = _fill(given.spec, values)
    schedule = decided.schedule
    epochs = float(settled.training.epochs)
    speed = _time(given, settled, tokens=1, answers=0).tokens_per_second
    if given.minutes is not None:
        schedule = shortened(schedule, speed, given.minutes, epochs)
        if schedule.left_out:
            why = f"--minutes {given.minutes:g} at {speed:.0f} tokens/s"
            values["training.max_steps"] = Decision(schedule.steps, why)
            if "training.save_steps" in values:
                values["training.save_steps"] = save_steps(schedule.steps)
            settled = _fill(settled, values)
    needed = _memory(settled, given, schedule)
    _refuse_unfit(needed, given.device)
    answers = _answers(settled, given.validation_rows)
    time = _time(given, settled, tokens=schedule.steps * schedule.tokens_per_step, answers=answers)
    warnings = list(given.warnings)
    if time.training_s > LONG_S:
        warnings.append(
            f"this takes about {duration(time.total_s)} here; --minutes 30 trains as much as 30 minutes hold"
        )
    return Plan(
        spec=settled,
        fields=_notes(settled, given.notes, values),
        report=given.report,
        validation_report=given.validation_report,
        base_model=given.facts,
        device=given.device,
        tokens=_tokens(given),
        schedule=schedule,
        memory=needed,
        time=time,
        adapted_layers=adapted_layers(settled, given.facts),
        warnings=tuple(warnings),
    )


def adapted_layers(spec: TrainingSpec, facts: BaseModelFacts) -> tuple[str, ...]:
    """Names of the linear layers that get an adapter: what the worker hands to peft.

    Never `all-linear` itself: peft would add the experts of a mixture to it.
    """
    targets = spec.adapter.target_modules
    if spec.adapter.kind == AdapterKind.FULL:
        return ()
    if targets != "all-linear":
        return tuple(targets)
    return tuple(shape.name for shape in linear_shapes(sizes_of(facts)))


def _adapter(given: PlanInput) -> dict[str, Decision]:
    values: dict[str, Decision] = {}
    if given.spec.adapter.kind == "auto":
        values["adapter.kind"] = Decision("lora", "the base model fits the memory unquantised")
    if given.spec.adapter.bits == "auto":
        values["adapter.bits"] = Decision(
            16 if given.device.bf16 else 32, "the weights stay in the training's precision"
        )
    if given.spec.where.gpu == "auto":
        values["where.gpu"] = Decision(given.device.kind, f"found here: {given.device.name}")
    return values


def _fill(spec: TrainingSpec, values: dict[str, Decision]) -> TrainingSpec:
    flat = flatten(spec)
    flat.update({path: decision.value for path, decision in values.items()})
    return TrainingSpec.model_validate(nest(flat))


def _memory(spec: TrainingSpec, given: PlanInput, schedule: Schedule) -> MemoryEstimate:
    row = int(spec.training.max_length)
    per_pass = row * int(spec.training.micro_batch)
    total = max(1, sum(given.lengths.train))
    trained = int(per_pass * sum(given.lengths.trained) / total)
    return memory.estimate(
        given.facts,
        rank=spec.adapter.rank,
        targets=spec.adapter.target_modules,
        tokens_per_pass=per_pass,
        trained_per_pass=trained,
        precision=str(spec.training.precision),
        device_kind=given.device.kind,
    )


def _time(given: PlanInput, spec: TrainingSpec, *, tokens: float, answers: int) -> TimeEstimate:
    precision = str(spec.training.precision)
    return durations.estimate(
        given.facts,
        given.device,
        precision=precision,
        tokens=tokens,
        answers=answers,
        reached_flops=given.reached_speeds.get(durations.speed_key(given.device, precision)),
    )


def _refuse_unfit(needed: MemoryEstimate, device: Device) -> None:
    if needed.total <= device.memory_bytes:
        return
    parts = ", ".join(f"{name} {gib(size)}" for name, size in needed.parts().items())
    raise SpecError(
        f"the training needs {gib(needed.total)} ({parts}); {device.name} has {gib(device.memory_bytes)}",
        code="does_not_fit",
        hint="choose a smaller base model with --model, or shorter rows",
        context={"needed_bytes": needed.total, "available_bytes": device.memory_bytes},
    )


def _answers(spec: TrainingSpec, validation_rows: int) -> int:
    if not spec.evaluate.before_after:
        return 0
    return 2 * min(spec.evaluate.samples, validation_rows)


def _notes(
    spec: TrainingSpec, notes: dict[str, FieldNote], values: dict[str, Decision]
) -> tuple[FieldNote, ...]:
    complete: list[FieldNote] = []
    for path, value in flatten(spec).items():
        known = notes[path]
        why = values[path].why if path in values else known.why
        origin = Origin.ASSUMED if path in values else known.origin
        complete.append(FieldNote(path=path, value=value, origin=origin, why=why))
    return tuple(complete)


def _tokens(given: PlanInput) -> TokenCounts:
    return TokenCounts(
        exact=given.lengths.exact,
        train_rows=given.train_rows,
        validation_rows=given.validation_rows,
        train=sum(given.lengths.train),
        trained=sum(given.lengths.trained),
        validation=sum(given.lengths.validation),
        longest=max((*given.lengths.train, *given.lengths.validation)),
        examples=len(given.lengths.train),
    )
