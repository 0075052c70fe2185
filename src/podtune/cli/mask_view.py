"""What is trained on, on the screen: tokens coloured and underlined, counts and findings above."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.panel import Panel
from rich.text import Text

from podtune.cli.console import plain, print_line
from podtune.core.errors import SpecError
from podtune.core.units import count, plural

Facts = Mapping[str, Any]

MOST_TOKENS = 1200
"""Tokens of a row on the screen; a page (`--html`) has all."""


def numbers(text: str) -> tuple[int, ...]:
    """Record numbers as somebody writes them.

    >>> numbers("1-3,7")
    (1, 2, 3, 7)

    Raises:
        SpecError: it is no such list, or names more than 100.
    """
    found: list[int] = []
    try:
        for part in text.split(","):
            first, dash, last = part.partition("-")
            found.extend(range(int(first), int(last if dash else first) + 1)[:101])
    except ValueError as error:
        raise SpecError(
            f"--rows {text!r} is no list of numbers", code="bad_option", hint="e.g. --rows 1-3,7"
        ) from error
    if len(found) > 100:
        raise SpecError("--rows names more than 100 rows", code="bad_option")
    return tuple(found)


def render(console: Console, facts: Facts) -> None:
    """Print the facts of `podtune.app.masked`."""
    share = facts["trained"] / max(1, facts["tokens"])
    print_line(
        console,
        f"[bold]{plural(facts['rows'], 'row')}[/] as {plain(facts['model'])} sees them: "
        f"{count(facts['tokens'])} tokens, {count(facts['trained'])} trained on ({share:.0%}), "
        f"longest {facts['longest']}",
    )
    if facts["rows_left"]:
        print_line(console, f"[dim]the first rows only; {facts['rows_left']} more are not shown[/]")
    if facts["folded"]:
        print_line(
            console,
            f"[yellow]![/] this template has no system role: in {plural(facts['folded'], 'row')} its text "
            "goes before the first user turn, here and when the model is asked",
        )
    for kind in facts["kinds"]:
        lines = [str(f["line"]) for f in facts["findings"] if f["code"] == kind["code"]]
        some = ", ".join(lines[:5]) + (" ..." if len(lines) > 5 else "")
        mark, at = ("[red]✗[/]", f"line {some} - ") if lines else ("[yellow]![/]", "")
        print_line(
            console,
            f"{mark} [bold]{kind['code']}[/] {kind['rows']}  {plain(kind['message'])} "
            f"[dim]{at}{plain(kind['advice'])}[/]",
        )
    for number in facts["missing"]:
        print_line(console, f"[yellow]![/] there is no good row {number}")
    coloured = console.color_system is not None
    for row in facts["shown"]:
        _render_row(console, row, coloured=coloured)
    if facts["shown"]:
        console.print(
            "[green underline]trained on[/]  [dim]context only[/]" if coloured else "« trained on »"
        )


def _render_row(console: Console, row: Mapping[str, Any], *, coloured: bool) -> None:
    title = f"row {row['row']}, line {row['line']}"
    if row["problem"]:
        print_line(console, f"[red]✗[/] {title}: {plain(row['problem'])}")
    for document in row["documents"]:
        text = Text()
        tokens = document["tokens"]
        inside = False
        for token in tokens[:MOST_TOKENS]:
            if not coloured and token["trained"] != inside:
                text.append("«" if token["trained"] else "»")
            inside = token["trained"]
            text.append(visible(token["text"]), style="green underline" if inside else "dim")
        if inside and not coloured:
            text.append("»")
        if len(tokens) > MOST_TOKENS:
            text.append(f" ... {len(tokens) - MOST_TOKENS} tokens more", style="italic")
        trained = sum(token["trained"] for token in tokens)
        cut = f", over {document['cut']}" if document["cut"] else ""
        console.print(
            Panel(
                text,
                title=f"{title}: {len(tokens)} tokens, {trained} trained on{cut}",
                title_align="left",
                border_style="dim",
            )
        )


def visible(text: str) -> str:
    """A token's text with its line breaks shown, and no control characters."""
    shown = text.replace("\n", "⏎\n").replace("\t", "⇥\t")
    return "".join(
        c if c in "\n\t" or (c >= " " and not "\x7f" <= c <= "\x9f") else "�" for c in shown
    )
