"""A plan on the screen: what will happen, what it needs, and why each field is as it is."""

from collections.abc import Collection, Iterable
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.table import Table

from podtune.app import plan_words
from podtune.app.sources import unsigned
from podtune.cli.console import plain
from podtune.core.plan import FieldNote, Origin, Plan


def plan_json(plan: Plan) -> dict[str, Any]:
    """The plan for machines: everything, with its digest; of a callback's address not the query."""
    url = plan.spec.deliver.callback_url
    shown = plan.with_callback(unsigned(url)) if url else plan
    return {"digest": plan.digest, **shown.model_dump(mode="json")}


def render(
    console: Console,
    plan: Plan,
    *,
    all_fields: bool = False,
    brief: bool = False,
    elsewhere: bool = False,
    chosen: Collection[str] | None = None,
) -> None:
    """Print a plan; in brief, with the stated fields only; elsewhere, for a machine of whatever price.

    `chosen` are fields that were chosen for this very request: in brief they stand with their reasons, and what
    is assumed by rule with its values alone, so that all of it is one screen.
    """
    fields = [
        n for n in plan.fields if n.origin is Origin.STATED or not brief or n.path in (chosen or ())
    ]
    parts: list[RenderableType] = [_summary(plan, elsewhere=elsewhere), ""]
    if plan.price is not None:
        from podtune.cli import price_view

        parts += [price_view.ladder(plan), ""]
    parts.append(_fields(fields, all_fields=all_fields))
    if brief and chosen is not None:
        rest = [n for n in plan.fields if n not in fields]
        parts += ["", f"[dim]assumed by rule (--fields says why): {plain(_values(rest))}[/]"]
    elif brief:
        parts.append("[dim]everything else is assumed; podtune plan shows each value and why[/]")
    title = f"[bold]plan[/] [dim]{plan.digest[:12]}[/]"
    console.print(Panel(Group(*parts), title=title, title_align="left", border_style="cyan"))
    for warning in plan.warnings:
        console.print(f"[yellow]note[/]  {plain(warning)}", soft_wrap=True)


def _values(notes: Iterable[FieldNote]) -> str:
    """Fields and their values, one after the other."""
    told = plan_words.told_fields(notes)
    return "; ".join(f"{n.path} {plan_words.shown_value(n.value)}" for n in told)


def _summary(plan: Plan, *, elsewhere: bool) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold cyan", no_wrap=True)
    table.add_column(overflow="fold")
    for name, text in plan_words.lines(plan):
        if not (elsewhere and name == "cost"):
            table.add_row(name, plain(text))
    if elsewhere:
        table.add_row(
            "machine", f"planned for {plain(plan.device.name)}; what it costs is yours to know"
        )
    return table


def _fields(notes: Iterable[FieldNote], *, all_fields: bool) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", show_edge=False)
    table.add_column("field", no_wrap=True)
    for heading in ("value", "", "why"):
        table.add_column(heading, overflow="fold")
    for note in plan_words.told_fields(notes, all_fields=all_fields):
        stated = note.origin is Origin.STATED
        origin = "[green]stated[/]" if stated else "[dim]assumed[/]"
        told = plan_words.reason(note)
        why = f"[dim]{plain(told)}[/]" if told else ""
        table.add_row(note.path, plain(plan_words.shown_value(note.value)), origin, why)
    return table
