"""Resolved spec + data + base model + device -> the plan. One function; nothing is read here."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from podtune.core.dataset import DatasetReport
from podtune.core.errors import SpecError
from podtune.core.plan import (
    BaseModelFacts,
    Device,
    FieldNote,
    Origin,
    Plan,
    Schedule,
    TimeEstimate,
    TokenCounts,
)
from podtune.core.spec import AUTO, AdapterKind, Place, TrainingSpec, flatten, nest
from podtune.core.units import duration, short_count
from podtune.data.lengths import Lengths
from podtune.planning import duration as durations
from podtune.planning.adaptation import (
    adaptation,
    expert_parameters,
    mixers,
    substituted,
)
from podtune.planning.fitting import Fitted, Load, fit
from podtune.planning.schedule import (
    Conditions,
    Decided,
    Decision,
    decide,
    save_steps,
    shortened,
)

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
        SpecError: it does not fit the memory, a stated value contradicts the data or the model,
            or more devices are asked for than there are.
    """
    _refuse_missing_devices(given.spec, given.device)
    return settled(given, decided(given))


def decided(given: PlanInput) -> Decided:
    """What data and model decide, whatever the device."""
    return decide(given.spec.training, _conditions(given))


def settled(given: PlanInput, decided: Decided) -> Plan:
    """The plan on `given.device`.

    Raises:
        SpecError: it does not fit the device's memory, or `--minutes` hold too little of it.
    """
    schedule = decided.schedule
    fitted = fit(given.spec, given.facts, given.device, load(given, decided))
    values = {**decided.values, **_held(given, fitted)}
    spec = _fill(given.spec, values)
    speed = _time(given, spec, schedule, answers=0).tokens_per_second
    if given.minutes is not None:
        schedule = shortened(schedule, speed, given.minutes, float(spec.training.epochs))
        if schedule.left_out:
            why = f"--minutes {given.minutes:g} at {speed:.0f} tokens/s"
            values["training.max_steps"] = Decision(schedule.steps, why)
            if "training.save_steps" in values:
                values["training.save_steps"] = save_steps(schedule.steps)
            spec = _fill(spec, values)
    time = _time(given, spec, schedule, answers=answers_of(spec, given.validation_rows))
    return Plan(
        spec=spec,
        fields=_notes(spec, given.notes, values),
        report=given.report,
        validation_report=given.validation_report,
        base_model=given.facts,
        device=given.device,
        tokens=_tokens(given),
        schedule=schedule,
        memory=fitted.needed,
        time=time,
        adapted_layers=adaptation(spec.adapter, given.facts, fitted.choice.kind).targets,
        warnings=(*given.warnings, *_warnings(given, spec, schedule, time)),
    )


def _conditions(given: PlanInput) -> Conditions:
    return Conditions(
        facts=given.facts,
        lengths=given.lengths,
        packable=given.packable,
        method=given.spec.method,
        full=given.spec.adapter.kind == AdapterKind.FULL,
        world=_world(given.spec),
    )


def _world(spec: TrainingSpec) -> int:
    return spec.where.count * spec.where.nodes


def _refuse_missing_devices(spec: TrainingSpec, device: Device) -> None:
    if spec.where.count <= device.count:
        return
    cpu = device.kind == "cpu"
    there = f"{device.name}: {device.count} {'processes at most' if cpu else 'of its kind'}"
    raise SpecError(
        f"where.count is {spec.where.count}; there is {there}",
        code="too_few_devices",
        hint=f"use --set where.count={device.count}, or less",
        context={"asked": spec.where.count, "there": device.count},
    )


def load(given: PlanInput, decided: Decided) -> Load:
    """What a pass of the planned rows holds, and on how many processes."""
    options, values = given.spec.training, decided.values
    row = options.max_length if options.max_length != AUTO else values["training.max_length"].value
    micro = (
        options.micro_batch if options.micro_batch != AUTO else values["training.micro_batch"].value
    )
    per_pass = int(row) * int(micro)  # pyright: ignore[reportArgumentType]
    total = max(1, sum(given.lengths.train))
    return Load(
        tokens_per_pass=per_pass,
        trained_per_pass=int(per_pass * sum(given.lengths.trained) / total),
        local=given.spec.where.count,
        world=decided.schedule.world,
    )


def _held(given: PlanInput, fitted: Fitted) -> dict[str, Decision]:
    """How the model is held and trained, with the reason of each value nobody stated."""
    spec, choice, device = given.spec, fitted.choice, given.device
    spared = f"; {fitted.spared}" if fitted.spared else ""
    fits = "the base model fits the memory unquantised"
    packed = f"4-bit weights fit the memory{spared}"
    native = "the weights stay in the training's precision"
    choices = {
        "adapter.kind": (choice.kind.value, packed if choice.bits == 4 else fits),
        "adapter.bits": (choice.bits, packed if choice.bits == 4 else native),
        "training.precision": (choice.precision, _why_precision(choice.precision, spec, device)),
        "training.gradient_checkpointing": (
            choice.checkpointing,
            f"it fits so{spared}" if choice.checkpointing else "it fits without; a third faster",
        ),
        "training.sharding": (choice.sharding, _why_sharding(choice.sharding, _world(spec))),
    }
    if spec.where.on is Place.LOCAL:
        choices["where.gpu"] = (device.kind, f"found here: {device.name}")
    flat = flatten(spec)
    return {path: Decision(*pair) for path, pair in choices.items() if flat[path] == AUTO}


def _why_precision(precision: str, spec: TrainingSpec, device: Device) -> str:
    if spec.adapter.bits in (16, 32):
        return f"the weights have {spec.adapter.bits} bits"
    if precision == "bf16" and device.bf16:
        return f"{device.name} computes bf16 in hardware"
    if precision == "fp16":
        return f"{device.name} has no bf16 hardware, but fp16"
    if spec.adapter.kind == AdapterKind.FULL:
        return "small updates of the weights need all bits"
    return f"{device.name} has no bf16 hardware; bf16 would be 7 times slower"


def _why_sharding(sharding: str, world: int) -> str:
    if world == 1:
        return "one process"
    if sharding == "fsdp":
        return "one device cannot hold the base model; each holds its part"
    return "each device holds the base model"


def _warnings(
    given: PlanInput, spec: TrainingSpec, schedule: Schedule, time: TimeEstimate
) -> list[str]:
    """What somebody should know before they approve."""
    words: list[str] = []
    names = substituted(spec.adapter, given.facts)
    if names and spec.adapter.target_modules != "all-linear":
        added = expert_parameters(given.facts, spec.adapter.rank)
        words.append(
            f"{', '.join(names)} are the experts of this mixture: adapted are "
            f"{', '.join(mixers(given.facts))} instead; experts only on request "
            f"(--set adapter.experts=true, {short_count(added)} parameters more)"
        )
    if spec.training.packing is True and spec.training.effective_batch != AUTO:
        wanted = spec.training.effective_batch
        mean = sum(given.lengths.train) / max(1, len(given.lengths.train))
        asked = wanted.tokens or mean * (wanted.examples or 1)
        if schedule.accumulation == 1 and schedule.tokens_per_step > 1.25 * asked:
            words.append(
                f"a step averages over about {schedule.tokens_per_step} tokens, "
                f"training.effective_batch asks for about {asked:.0f}: rows are longer than that"
            )
    warmup = spec.training.warmup_steps
    if warmup is not None and warmup >= schedule.steps:
        words.append(
            f"training.warmup_steps {warmup} outlast the {schedule.steps} steps: the learning rate "
            "never reaches its peak"
        )
    if spec.adapter.kind == AdapterKind.FULL and spec.adapter.bits == 16:
        words.append(
            "weights of 16 bits lose updates smaller than a 256th of them; full fine-tuning in "
            "fp32 (--set training.precision=fp32) keeps all"
        )
    return [*words, *_local_warnings(spec, time)]


def _local_warnings(spec: TrainingSpec, time: TimeEstimate) -> list[str]:
    """What somebody should know who trains on this machine."""
    if spec.where.on is not Place.LOCAL:
        return []
    words: list[str] = []
    if spec.where.max_usd is not None:
        words.append(
            f"nothing is rented, so a ceiling of ${spec.where.max_usd:g} means nothing; "
            "--on runpod rents a machine"
        )
    if time.training_s > LONG_S:
        words.append(
            f"this takes about {duration(time.total_s)} here; --minutes 30 trains as much as 30 "
            "minutes hold"
        )
    return words


def _fill(spec: TrainingSpec, values: dict[str, Decision]) -> TrainingSpec:
    flat = flatten(spec)
    flat.update({path: decision.value for path, decision in values.items()})
    return TrainingSpec.model_validate(nest(flat))


def _time(
    given: PlanInput, spec: TrainingSpec, schedule: Schedule, *, answers: int
) -> TimeEstimate:
    return timed(given, spec, schedule, given.device, answers=answers)[0]


def timed(
    given: PlanInput, spec: TrainingSpec, schedule: Schedule, device: Device, *, answers: int
) -> tuple[TimeEstimate, bool]:
    """How long a settled spec takes on a device, and whether a run on one like it was measured."""
    work = durations.work(
        spec,
        device,
        schedule.world,
        tokens=schedule.steps * schedule.tokens_per_step,
        answers=answers,
        passes=schedule.steps * schedule.accumulation,
    )
    reached = given.reached_speeds.get(durations.speed_key(device, work, given.facts))
    return durations.estimate(given.facts, device, work, reached_flops=reached), reached is not None


def answers_of(spec: TrainingSpec, validation_rows: int) -> int:
    """Answers that are generated before and after the training together."""
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
        complete.append(
            known.model_copy(update={"path": path, "value": value, "origin": origin, "why": why})
        )
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
