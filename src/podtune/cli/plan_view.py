"""A plan on the screen: what will happen, what it needs, and why each field is as it is."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.table import Table

from podtune.cli.console import plain
from podtune.core.plan import FieldNote, Origin, Plan
from podtune.core.spec import AdapterKind, Method
from podtune.core.units import count, duration, gib, short_count

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


def plan_json(plan: Plan) -> dict[str, Any]:
    """The plan for machines: everything, with its digest."""
    return {"digest": plan.digest, **plan.model_dump(mode="json")}


def render(
    console: Console,
    plan: Plan,
    *,
    all_fields: bool = False,
    brief: bool = False,
    elsewhere: bool = False,
) -> None:
    """Print a plan; in brief, with the stated fields only; elsewhere, for a machine of whatever price."""
    fields = [n for n in plan.fields if n.origin is Origin.STATED or not brief]
    parts: list[RenderableType] = [_summary(plan, elsewhere=elsewhere), ""]
    if plan.price is not None:
        from podtune.cli import price_view

        parts += [price_view.ladder(plan), ""]
    parts.append(_fields(fields, all_fields=all_fields))
    if brief:
        parts.append("[dim]everything else is assumed; podtune plan shows each value and why[/]")
    title = f"[bold]plan[/] [dim]{plan.digest[:12]}[/]"
    console.print(Panel(Group(*parts), title=title, title_align="left", border_style="cyan"))
    for warning in plan.warnings:
        console.print(f"[yellow]note[/]  {plain(warning)}", soft_wrap=True)


def _summary(plan: Plan, *, elsewhere: bool) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold cyan", no_wrap=True)
    table.add_column()
    for name, text in _lines(plan):
        if not (elsewhere and name == "cost"):
            table.add_row(name, plain(text))
    if elsewhere:
        table.add_row(
            "machine", f"planned for {plain(plan.device.name)}; what it costs is yours to know"
        )
    return table


def _lines(plan: Plan) -> Iterable[tuple[str, str]]:
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
    parts = ", ".join(f"{name} {gib(size)}" for name, size in plan.memory.parts().items())
    yield "memory", f"{gib(plan.memory.total)} of {gib(plan.device.memory_bytes)}: {parts}"
    if plan.price is not None:
        from podtune.cli import price_view

        yield from price_view.lines(plan)
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


def _fields(notes: Iterable[FieldNote], *, all_fields: bool) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", show_edge=False)
    table.add_column("field", no_wrap=True)
    for heading in ("value", "", "why"):
        table.add_column(heading, overflow="fold")
    for note in notes:
        stated = note.origin is Origin.STATED
        empty = note.value is None and not stated
        if not all_fields and (empty or (note.path not in SHOWN and not stated)):
            continue
        origin = "[green]stated[/]" if stated else "[dim]assumed[/]"
        why = "" if stated else f"[dim]{plain(note.why)}[/]"
        table.add_row(note.path, plain(shown_value(note.value)), origin, why)
    return table


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
