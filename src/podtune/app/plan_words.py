"""A plan in words: what will happen, what it needs, what it costs. Every face says it so."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final, cast

from podtune.app.sources import unsigned
from podtune.core.offer import Offer
from podtune.core.plan import FieldNote, Origin, Plan, Rung
from podtune.core.spec import CALLBACK, AdapterKind, Method
from podtune.core.units import count, duration, gib, short_count
from podtune.planning.price import hours, money

SHOWN = (
    "base_model.name", "base_model.source", "base_model.revision", "data.source",
    "data.validation_source", "data.validation", "data.max_rows", "data.on_bad_rows",
    "method", "adapter.kind", "adapter.bits", "adapter.rank", "adapter.alpha",
    "adapter.target_modules", "training.epochs", "training.max_steps", "training.learning_rate",
    "training.effective_batch", "training.max_length", "training.packing", "training.precision",
    "training.gradient_checkpointing", "training.save_steps", "training.seed", "where.on", "where.gpu", "where.max_usd",
    "where.max_hours", "deliver.store", "deliver.to", "evaluate.samples",
)  # fmt: skip
"""The fields that people look for; `--fields` shows all, and what was stated is always shown."""

ADAPTER_WORDS = {
    AdapterKind.LORA: "LoRA",
    AdapterKind.QLORA: "QLoRA",
    AdapterKind.DORA: "DoRA",
    AdapterKind.RSLORA: "rank-stabilised LoRA",
}

ROWS = {
    Method.SFT: "conversations",
    Method.DPO: "pairs",
    Method.ORPO: "pairs",
    Method.KTO: "rated answers",
    Method.CPT: "texts",
}

STORES: Final = {
    "hf": "through a private repository of yours on the Hub; cut off at its limits while this machine is "
    "off, what was trained is lost",
    "s3": "through your bucket, by addresses signed for this job; this machine may be off meanwhile, and "
    "what is trained at the limits is left there as a checkpoint",
    "supabase": "through Supabase Storage; this machine must stay on, it signs the address once the "
    "adapter is ready; off for less than 2 hours, a checkpoint is left there at the limits",
}
"""How data and adapter travel, where not straight between the machines."""

QUEUE_STORES: Final = {
    store: f"through {name}, by addresses signed for this job; this machine may be off meanwhile, and what is "
    "trained at the limits is left there as a checkpoint"
    for store, name in (("s3", "your bucket"), ("supabase", "Supabase Storage"))
}
"""The same for a serverless worker."""


def lines(plan: Plan) -> Iterable[tuple[str, str]]:
    """A plan in lines: what each is about, and what there is to say."""
    tokens, schedule, spec = plan.tokens, plan.schedule, plan.spec
    about = "" if tokens.exact else "about "
    until = "" if tokens.exact else " (estimated until the base model's tokenizer is here)"
    held = f", {tokens.validation_rows} held out" if tokens.validation_rows else ", none held out"
    yield "data", f"{tokens.train_rows} {ROWS[spec.method]} to train on{held}"
    yield (
        "tokens",
        f"{about}{count(tokens.train)} an epoch, {count(tokens.trained)} of them trained on; "
        f"longest example {tokens.longest}{until}",
    )
    yield "model", f"{plan.base_model.name}, {_size(plan)}"
    yield "training", _trained(plan)
    if plan.base_model.experts is not None:
        yield "experts", _experts(plan)
    if schedule.world > 1:
        yield "devices", _devices(plan)
    if spec.training.packing is False:
        note = plan.note("training.packing")
        why = f": {note.why}" if note and note.origin is Origin.ASSUMED else ""
        yield "packing", f"none, one document a row{why}"
    epochs = f"{float(spec.training.epochs):g} epochs"
    yield (
        "steps",
        f"{about}{schedule.steps} optimizer steps, {epochs}, about "
        f"{schedule.tokens_per_step} tokens each",
    )
    for left in schedule.left_out:
        yield "left out", left
    if spec.deliver.callback_url is not None:
        yield (
            "callback",
            f"a signed message to {unsigned(spec.deliver.callback_url)} once it has ended",
        )
    parts = ", ".join(f"{name} {gib(size)}" for name, size in plan.memory.parts().items())
    yield "memory", f"{gib(plan.memory.total)} of {gib(plan.device.memory_bytes)}: {parts}"
    if plan.price is not None:
        yield from price_lines(plan)
        return
    yield (
        "time",
        f"about {duration(plan.time.training_s)} of training, {duration(plan.time.total_s)} in all "
        f"({plan.time.tokens_per_second:.0f} tokens/s, {plan.time.basis})",
    )
    yield "cost", f"${plan.usd:.2f}: {plan.device.name} of this machine"


def _size(plan: Plan) -> str:
    words = f"{short_count(plan.base_model.total_parameters)} parameters"
    bits = plan.spec.adapter.bits
    return f"{words} in {bits} bits" if bits in (4, 8) else words


def _trained(plan: Plan) -> str:
    """What is trained, by which method, and how much that is."""
    adapter, total = plan.spec.adapter, short_count(plan.memory.adapter_parameters)
    method = plan.spec.method.value
    if adapter.kind == AdapterKind.FULL:
        return f"{method}, every weight: {total} parameters"
    kind = AdapterKind(adapter.kind)
    return (
        f"{method}, {ADAPTER_WORDS[kind]} rank {adapter.rank} on "
        f"{', '.join(plan.adapted_layers)}: "
        f"{total} parameters"
    )


def _experts(plan: Plan) -> str:
    """The mixture, and whether its experts are adapted."""
    experts = plan.base_model.experts
    if experts is None:
        return ""
    mixture = (
        f"{experts.count} in each of {experts.layers} layers, {experts.active} of them a token"
    )
    if plan.spec.adapter.kind == AdapterKind.FULL:
        return f"{mixture}; all trained"
    if plan.spec.adapter.experts:
        return f"{mixture}; adapted with {short_count(plan.memory.expert_parameters)} parameters"
    return f"{mixture}; not adapted"


def _devices(plan: Plan) -> str:
    """How many processes train together, where, and how they share the model."""
    where, sharding = plan.spec.where, plan.spec.training.sharding
    machines = f" on each of {where.nodes} machines" if where.nodes > 1 else ""
    kind = "processes" if plan.device.kind == "cpu" else f"x {plan.device.name}"
    held = "the model spread over them" if sharding == "fsdp" else "the model on each"
    return f"{where.count} {kind}{machines}, {held} ({sharding})"


def price_lines(plan: Plan) -> Iterable[tuple[str, str]]:
    """The lines of time and money of a rented job's summary; none for a job of this machine."""
    price, where = plan.price, plan.spec.where
    if price is None:
        return
    first = price.first
    life = f"{hours(price.life_hours(first))} at most"
    kept = where.keep_on_failure_min
    volume = f"volume {where.volume}" if where.volume else f"{where.volume_gb} GB at /workspace"
    yield (
        "time",
        f"about {duration(plan.time.training_s)} of training, {hours(first.hours_p50)} of the "
        f"machine (p90 {hours(first.hours_p90)}; {plan.time.tokens_per_second:.0f} tokens/s, "
        f"{plan.time.basis})",
    )
    yield (
        "cost",
        f"about {money(first.usd_p50)} on {first.offer.name}; nine of ten such jobs stay under "
        f"{money(first.usd_p90)}; never over {money(price.max_usd)}",
    )
    if where.on.has_queue:
        yield (
            "machine",
            f"a worker of endpoint {where.endpoint}: {offer_count(first.offer)}{first.offer.name}; {life}, "
            "waiting in the queue is free",
        )
    else:
        yield (
            "machine",
            f"{offer_count(first.offer)}{first.offer.name}, {where.cloud} cloud, {volume}, {where.image}; "
            f"{life}" + (f"; after a failure kept {kept} min" if kept else ""),
        )
    yield "pick-up", _pick_up(plan, first)


def _pick_up(plan: Plan, first: Rung) -> str:
    """What the store means for this machine, and what can be lost."""
    price, store = plan.price, plan.spec.deliver.store
    assert price is not None
    if store == "direct":
        return (
            "straight to this machine, which must stay on, or be back in time: the pod holds the "
            f"adapter until {hours(price.life_hours(first))} or {money(price.max_usd)} are used "
            "up, then it is lost with what was spent"
        )
    return QUEUE_STORES[store] if plan.spec.where.on.has_queue else STORES[store]


def offer_count(offer: Offer) -> str:
    """`2 x ` before the name of a card, where a machine has several."""
    return f"{offer.count} x " if offer.count > 1 else ""


def told_fields(fields: Iterable[FieldNote], *, all_fields: bool = False) -> list[FieldNote]:
    """The fields that people look for, or all; a callback's address without its query."""
    notes = [note for note in fields if all_fields or _is_told(note)]
    return [
        note.model_copy(update={"value": unsigned(str(note.value))})
        if note.path == CALLBACK and note.value
        else note
        for note in notes
    ]


def _is_told(note: FieldNote) -> bool:
    return note.origin is Origin.STATED or (note.value is not None and note.path in SHOWN)


def reason(note: FieldNote) -> str:
    """Why a field has its value: the words it was read from, the reason it was assumed for, or both."""
    said = f'you said: "{note.quote}"' if note.quote else ""
    why = note.why if note.origin is Origin.ASSUMED else ""
    return "; ".join(part for part in (said, why) if part)


def shown_value(value: object) -> str:
    """A field's value as a person reads it; paths relative to here where that is shorter."""
    if isinstance(value, dict):
        pairs = cast("dict[str, object]", value).items()
        return ", ".join(f"{k} {v}" for k, v in pairs if v is not None) or "none"
    if isinstance(value, list | tuple):
        return ", ".join(str(v) for v in cast("list[object]", value)) or "none"
    if isinstance(value, str) and value.startswith("/"):
        path = Path(value)
        return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else value
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    return "none" if value is None else str(value)
