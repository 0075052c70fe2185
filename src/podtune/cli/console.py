"""Consoles and the look of an error: data to stdout, everything else to stderr."""

import json
from collections.abc import Sequence
from enum import StrEnum
from typing import Any, Final, cast

from rich.console import Console
from rich.markup import escape

from podtune.core.errors import PodtuneError
from podtune.core.redact import scrub

FINDINGS_SHOWN: Final = 30


class Output(StrEnum):
    """How results are written."""

    HUMAN = "human"
    JSON = "json"


def out() -> Console:
    """Where data goes."""
    return Console(highlight=False, soft_wrap=False)


def err() -> Console:
    """Where everything else goes."""
    return Console(stderr=True, highlight=False)


_DIRECTIONS: Final = (0x200E, 0x200F, 0x061C, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
"""Marks that turn the direction of writing, and so what a line seems to say."""

CONTROLS: Final = {
    c: None for c in (*range(32), *range(127, 160), *_DIRECTIONS) if chr(c) not in "\n\t"
}
"""What foreign text may not hold on a terminal."""


def plain(text: str) -> str:
    """Foreign text as it may stand on a terminal: no control sequences, no markup."""
    return escape(text.translate(CONTROLS))


def print_json(value: object) -> None:
    """A value as indented JSON on stdout."""
    print(as_json(value))  # noqa: T201 - the renderer


def print_json_line(value: object) -> None:
    """A value as one line of JSON on stdout, at once."""
    print(json.dumps(value, ensure_ascii=False, default=str), flush=True)  # noqa: T201 - the renderer


def as_json(value: object) -> str:
    """A value as indented JSON."""
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)


def print_line(console: Console, text: str) -> None:
    """A line that wraps at words on a terminal and not at all in a pipe."""
    console.print(text, soft_wrap=not console.is_terminal)


def wants_json(arguments: Sequence[str]) -> bool:
    """Whether the command line asks for JSON."""
    pairs = zip(arguments, [*arguments[1:], ""], strict=True)
    return any(a == "--output=json" or (a == "--output" and b == "json") for a, b in pairs)


def render_error(error: PodtuneError, arguments: Sequence[str]) -> None:
    """Show an error: what happened, the rows concerned, the next step."""
    if wants_json(arguments):
        told = {"error": error.to_json()}
        is_lines = arguments[1:2] == ["ask"]  # whose JSON is a line each
        text = json.dumps(told, ensure_ascii=False, default=str) if is_lines else as_json(told)
        print(scrub(text))  # noqa: T201 - the renderer
        return
    console = err()
    print_line(console, f"[bold red]error[/] {plain(scrub(error.message))}")
    findings = error.context.get("findings")
    if isinstance(findings, list):
        _render_findings(console, cast("list[dict[str, Any]]", findings))
    if error.hint:
        print_line(console, f"[bold]next[/]  {plain(scrub(error.hint))}")
    console.print(f"[dim]code  {error.code}[/]")


def _render_findings(console: Console, findings: list[dict[str, Any]]) -> None:
    """Each kind of error with the lines it stands on; equal ones together."""
    groups: dict[tuple[str, str, str], list[int]] = {}
    for item in findings:
        if item["severity"] == "error":
            key = (item["code"], item["message"], item["advice"])
            groups.setdefault(key, []).extend([item["line"]] if item["line"] else [])
    for (code, message, advice), lines in list(groups.items())[:FINDINGS_SHOWN]:
        print_line(
            console,
            f"  [yellow]{_lines(lines):>9}[/]  [bold]{code}[/]  {plain(message)} "
            f"[dim]- {plain(advice)}[/]",
        )
    if len(groups) > FINDINGS_SHOWN:
        left = len(groups) - FINDINGS_SHOWN
        console.print(f"  [dim]... and {left} more; --output json has all[/]")


def _lines(lines: list[int]) -> str:
    """`line 7`, `lines 1-12`, `lines 1, 5, 9 ...`, or `file`."""
    if not lines:
        return "file"
    if len(lines) == 1:
        return f"line {lines[0]}"
    if lines[-1] - lines[0] == len(lines) - 1:
        return f"lines {lines[0]}-{lines[-1]}"
    shown = ", ".join(str(line) for line in lines[:6])
    return f"lines {shown}" + (" ..." if len(lines) > 6 else "")
