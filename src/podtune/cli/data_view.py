"""The data doctor's report on the screen: the verdict, what it is, what is wrong, what to do."""

import json
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn
from rich.table import Table
from rich.text import Text

from podtune.cli.console import CONTROLS, plain, print_line
from podtune.core.units import count, duration, gib, plural, short_count

if TYPE_CHECKING:
    from podtune.app.data_files import Result

Facts = Mapping[str, Any]

SHOWN_CHARACTERS = 360
"""Of a raw record and of each message on the screen."""

BAR = 28
"""Characters of the longest bar."""

MARKS = {"error": "[red]✗[/]", "warning": "[yellow]![/]", "note": "[dim]-[/]"}


def render(console: Console, facts: Facts) -> None:
    """Print the report."""
    console.print(_verdict(facts))
    console.print(_grid(list(_what(facts))))
    if facts["first_row"]:
        console.print(_beside(facts, console.width))
    if facts["kinds"]:
        console.print()
        console.print(_kinds(facts["kinds"]))
    if facts["files"]:
        console.print()
        console.print(_files(facts["files"]))
    if facts["tokens"] and facts["tokens"]["rows"]:
        console.print()
        console.print(_tokens(facts["tokens"]))
    rows = list(_training(facts))
    if rows:
        console.print()
        console.print(_grid(rows))
    print_line(console, f"[bold]next[/]  {plain(str(facts['next']))}")


def _verdict(facts: Facts) -> Panel:
    ready = facts["good_rows"] > 0
    colour = "green" if facts["verdict"] == "ready" else "yellow" if ready else "red"
    numbers = f"{plural(facts['rows'], 'row')}, {count(facts['good_rows'])} good"
    if facts["good_rows_after_repair"] > facts["good_rows"]:
        numbers += f", {count(facts['good_rows_after_repair'])} after the offered repairs"
    if facts["duplicates"]:
        numbers += f", {plural(facts['duplicates'], 'exact repeat')}"
    body = f"[bold {colour}]{plain(str(facts['verdict']))}[/]\n{numbers}"
    return Panel(
        body,
        title=f"[bold]{plain(str(facts['source']))}[/]",
        title_align="left",
        border_style=colour,
    )


def _grid(rows: list[tuple[str, str]]) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold cyan", no_wrap=True)
    table.add_column(overflow="fold")
    for name, text in rows:
        table.add_row(name, text)
    return table


def _what(facts: Facts) -> Iterator[tuple[str, str]]:
    encoding = f", {facts['encoding']}" if facts["encoding"] else ""
    size = gib(facts["size_bytes"])
    yield (
        "what",
        f"{facts['format']} in {facts['container']}{encoding}, {size}, sha256 {facts['sha256'][:12]}",
    )
    known = facts["recognised"]
    if known:
        others = f"; or {', '.join(known['others'])}" if known["others"] else ""
        yield "recognised", plain(f"{known['confidence']}: {known['why']}{others}")
    for role, column in facts["mapping"].items():
        yield role, plain(column)
    for name, choice in facts["choices"].items():
        others = (
            f" (or {', '.join(choice['others'][:5])}: {choice['option']})"
            if choice["others"]
            else ""
        )
        asks = "[bold yellow]which?[/] " if choice["close"] else ""
        if choice["others"] or name not in ("prompt_column", "response_column"):
            yield name.replace("_", " "), asks + plain(choice["value"] + others)
    if facts["repaired"]:
        made = ", ".join(f"{name} in {plural(n, 'row')}" for name, n in facts["repaired"].items())
        yield "mended", made


def _beside(facts: Facts, width: int) -> RenderableType:
    """One raw record beside what it becomes; under it where the screen is narrow."""
    raw = _cut(json.dumps(facts["first_raw"], ensure_ascii=False))
    left = Panel(Text(raw.translate(CONTROLS)), title=_raw_title(facts), border_style="dim")
    right = Panel(_row(facts["first_row"]), title="as it is trained on", border_style="dim")
    if width < 100:
        return Group(left, right)
    table = Table.grid(expand=True, padding=(0, 1))
    table.add_column(ratio=1)
    table.add_column(ratio=1)
    table.add_row(left, right)
    return table


def _raw_title(facts: Facts) -> str:
    container = str(facts["container"]).split(".")[0]
    logs = ("slack", "discord", "message_table")
    gathered = container in ("txt", "md", "pdf", "mbox") or facts["format"] in logs
    return "as it was read" if gathered else "as it stands in the file"


def _row(row: Mapping[str, Any]) -> Text:
    text = Text()
    for part in ("messages", "prompt", "chosen", "rejected"):
        for message in row.get(part, ()):
            label = message["role"] if part == "messages" else f"{part} {message['role']}"
            text.append(
                f"{label}  ", style="bold green" if message["role"] == "assistant" else "bold"
            )
            said = message["content"]
            if said is None:
                said = ", ".join(
                    c["function"]["name"] + "(...)" for c in message.get("tool_calls", ())
                )
            text.append(_cut(said).translate(CONTROLS) + "\n")
    text.rstrip()
    return text


def _cut(text: str) -> str:
    return text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS] + " ..."


def _kinds(kinds: list[Mapping[str, Any]]) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), show_header=False, show_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, style="bold")
    table.add_column(justify="right", no_wrap=True)
    table.add_column(overflow="fold")
    for kind in kinds:
        lines = ", ".join(str(n) for n in kind["first_lines"])
        more = f" (+{kind['more']})" if kind["more"] else ""
        where = f"  {kind['by']} {lines}{more}" if lines else ""
        examples = f"  {', '.join(kind['examples'])}" if kind["examples"] else ""
        advice = kind["advice"]
        if kind["repairs"] and "--fix" not in advice:
            advice = f"{' '.join(f'--fix {name}' for name in kind['repairs'])}, or {advice}"
        table.add_row(
            MARKS[kind["severity"]],
            kind["code"],
            str(kind["rows"]),
            f"{plain(kind['message'])}[dim]{plain(where + examples)} - {plain(advice)}[/]",
        )
    return table


def _files(files: list[Mapping[str, Any]]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", show_edge=False)
    for heading in ("file", "format", "container", "rows", "good"):
        table.add_column(
            heading, justify="right" if heading in ("rows", "good") else "left", overflow="fold"
        )
    for file in files:
        name = str(file["source"]).replace("\\", "/").rsplit("/", 1)[-1]
        good = file["good_rows"]
        colour = "green" if good == file["rows"] and good else "yellow" if good else "red"
        table.add_row(
            plain(name),
            file["format"],
            file["container"],
            str(file["rows"]),
            f"[{colour}]{good}[/]",
        )
    return table


def _tokens(tokens: Mapping[str, Any]) -> Table:
    about = "" if tokens["exact"] else "about "
    share = tokens["trained"] / max(1, tokens["total"])
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold cyan", no_wrap=True, justify="right")
    table.add_column(overflow="fold")
    table.add_row(
        "tokens",
        f"{about}{short_count(tokens['total'])}, {share:.0%} of them trained on; median {tokens['p50']}, "
        f"95 % up to {tokens['p95']}, longest {tokens['max']} [dim]({plain(tokens['basis'])})[/]",
    )
    most = max(bar["rows"] for bar in tokens["histogram"]) or 1
    filled = [i for i, bar in enumerate(tokens["histogram"]) if bar["rows"]]
    for bar in tokens["histogram"][filled[0] : filled[-1] + 1]:
        label = f"to {bar['up_to']}" if bar["up_to"] else "more"
        length = max(1, round(BAR * bar["rows"] / most)) if bar["rows"] else 0
        table.add_row(f"[not bold dim]{label}[/]", f"[green]{'█' * length}[/] {bar['rows']}")
    for limit, rows in list(tokens["over"].items())[:2]:
        table.add_row(
            "[not bold dim]cut[/]",
            f"[dim]{plural(rows, 'row')} would not fit max_length {limit}[/]",
        )
    return table


def _training(facts: Facts) -> Iterator[tuple[str, str]]:
    planned = facts["training"]
    if planned["planned"]:
        about = "" if planned["exact"] else "about "
        yield (
            "training",
            f"{about}{planned['steps']} steps, {duration(planned['seconds'])} on {plain(planned['device'])}, "
            f"${planned['usd']:.2f} [dim]({plain(planned['formula'])}; {plain(planned['model'])})[/]",
        )
    elif facts["good_rows"]:
        yield "training", f"[dim]{plain(planned['why'])}[/]"
    halves = facts["split"]
    if halves:
        held = (
            f"{halves['validation']} rows"
            if halves["validation"]
            else f"{halves['share']:.0%} of the rows"
        )
        yield (
            "held out",
            f"{held}, by {halves['by']}: the same question is never on both sides"
            if not halves["validation"]
            else f"{held}, by {halves['by']}",
        )


@contextmanager
def fetching(console: Console) -> Generator[Callable[[int, int | None], None]]:
    """A bar for a download; nothing where nothing is downloaded."""
    progress = Progress(
        TextColumn("fetching"), BarColumn(), DownloadColumn(), TransferSpeedColumn(),
        console=console, transient=True,
    )  # fmt: skip
    task = None

    def tell(done: int, total: int | None) -> None:
        nonlocal task
        if task is None:
            progress.start()
            task = progress.add_task("fetching", total=total)
        progress.update(task, completed=done, total=total)

    try:
        yield tell
    finally:
        if task is not None:  # stopping what never began prints an empty line
            progress.stop()


def result_json(done: "Result") -> dict[str, Any]:
    """What was written, for machines."""
    report = done.report
    return {
        "source": report.source,
        "rows": report.rows,
        "good_rows": report.good_rows,
        "repaired": report.repaired,
        "written": [w.as_json() for w in done.written],
        "rejected": done.rejected.as_json() if done.rejected else None,
    }


def render_result(console: Console, done: "Result") -> None:
    """What was written and what was left out."""
    for file in done.written:
        console.print(
            f"[green]✓[/] {plain(str(file.path))}  {plural(file.rows, 'row')}  [dim]sha256 {file.sha256[:16]}[/]",
            soft_wrap=True,
        )
    for name, rows in done.report.repaired.items():
        console.print(f"  mended with consent: {name} in {plural(rows, 'row')}")
    left = [
        c
        for c in ("pii_email", "pii_phone", "pii_card", "pii_iban", "secret")
        if done.report.counts.get(c)
    ]
    if left:
        rows = ", ".join(f"{code} {done.report.counts[code]}" for code in left)
        fixes = " ".join(
            sorted({"--fix redact-secrets" if c == "secret" else "--fix redact-pii" for c in left})
        )
        print_line(
            console, f"[yellow]![/] left in as they are: {rows} [dim]- {fixes} blots them out[/]"
        )
    if done.rejected:
        console.print(
            f"[yellow]![/] {plain(str(done.rejected.path))}  {plural(done.rejected.rows, 'row')} left out: line, row and reason of each",
            soft_wrap=True,
        )
