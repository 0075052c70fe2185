"""A plan on the screen: what will happen, what it needs, and why each field is as it is."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.table import Table

from podtune.cli.console import plain
from podtune.core.plan import FieldNote, Origin, Plan
from podtune.core.units import count, duration, gib, short_count

SHOWN = (
    "base_model.name", "base_model.source", "base_model.revision", "data.source",
    "data.validation_source", "data.validation", "data.max_rows", "data.on_bad_rows",
    "adapter.kind", "adapter.rank", "adapter.alpha", "adapter.target_modules", "training.epochs",
    "training.max_steps", "training.learning_rate", "training.effective_batch",
    "training.max_length", "training.packing", "training.precision", "training.save_steps",
    "training.seed", "where.on", "where.gpu", "where.max_hours", "deliver.to", "evaluate.samples",
)  # fmt: skip
"""The fields that people look for; `--fields` shows all, and what was stated is always shown."""


def plan_json(plan: Plan) -> dict[str, Any]:
    """The plan for machines: everything, with its digest."""
    return {"digest": plan.digest, **plan.model_dump(mode="json")}


def render(console: Console, plan: Plan, *, all_fields: bool = False, brief: bool = False) -> None:
    """Print a plan; in brief, with the stated fields only."""
    fields = [n for n in plan.fields if n.origin is Origin.STATED or not brief]
    parts: list[RenderableType] = [_summary(plan), "", _fields(fields, all_fields=all_fields)]
    if brief:
        parts.append("[dim]everything else is assumed; podtune plan shows each value and why[/]")
    title = f"[bold]plan[/] [dim]{plan.digest[:12]}[/]"
    console.print(Panel(Group(*parts), title=title, title_align="left", border_style="cyan"))
    for warning in plan.warnings:
        console.print(f"[yellow]note[/]  {plain(warning)}", soft_wrap=True)


def _summary(plan: Plan) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold cyan", no_wrap=True)
    table.add_column()
    for name, text in _lines(plan):
        table.add_row(name, plain(text))
    return table


def _lines(plan: Plan) -> Iterable[tuple[str, str]]:
    tokens, schedule, spec = plan.tokens, plan.schedule, plan.spec
    about = "" if tokens.exact else "about "
    until = "" if tokens.exact else " (estimated until the base model's tokenizer is here)"
    held = f", {tokens.validation_rows} held out" if tokens.validation_rows else ", none held out"
    yield "data", f"{tokens.train_rows} conversations to train on{held}"
    yield (
        "tokens",
        f"{about}{count(tokens.train)} an epoch, {count(tokens.trained)} of them trained on; "
        f"longest example {tokens.longest}{until}",
    )
    yield (
        "model",
        f"{plan.base_model.name}, {short_count(plan.base_model.total_parameters)} parameters; "
        f"LoRA rank {spec.adapter.rank} trains {short_count(plan.memory.adapter_parameters)}",
    )
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
    yield (
        "time",
        f"about {duration(plan.time.training_s)} of training, {duration(plan.time.total_s)} in all "
        f"({plan.time.tokens_per_second:.0f} tokens/s, {plan.time.basis})",
    )
    yield "cost", f"${plan.usd:.2f}: {plan.device.name} of this machine"


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
