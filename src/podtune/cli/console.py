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


_CONTROLS: Final = {c: None for c in (*range(32), *range(127, 160)) if chr(c) not in "\n\t"}


def plain(text: str) -> str:
    """Foreign text as it may stand on a terminal: no control sequences, no markup."""
    return escape(text.translate(_CONTROLS))


def print_json(value: object) -> None:
    """A value as indented JSON on stdout."""
    print(as_json(value))  # noqa: T201 - the renderer


def as_json(value: object) -> str:
    """A value as indented JSON."""
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)


def wants_json(arguments: Sequence[str]) -> bool:
    """Whether the command line asks for JSON."""
    pairs = zip(arguments, [*arguments[1:], ""], strict=True)
    return any(a == "--output=json" or (a == "--output" and b == "json") for a, b in pairs)


def render_error(error: PodtuneError, arguments: Sequence[str]) -> None:
    """Show an error: what happened, the rows concerned, the next step."""
    if wants_json(arguments):
        print(scrub(as_json({"error": error.to_json()})))  # noqa: T201 - the renderer
        return
    console = err()
    console.print(f"[bold red]error[/] {plain(scrub(error.message))}", soft_wrap=True)
    findings = error.context.get("findings")
    if isinstance(findings, list):
        _render_findings(console, cast("list[dict[str, Any]]", findings))
    if error.hint:
        console.print(f"[bold]next[/]  {plain(scrub(error.hint))}", soft_wrap=True)
    console.print(f"[dim]code  {error.code}[/]")


def _render_findings(console: Console, findings: list[dict[str, Any]]) -> None:
    errors = [f for f in findings if f["severity"] == "error"]
    for item in errors[:FINDINGS_SHOWN]:
        line = f"line {item['line']}" if item["line"] else "file"
        console.print(
            f"  [yellow]{line:>9}[/]  [bold]{item['code']}[/]  {plain(item['message'])} "
            f"[dim]- {escape(item['advice'])}[/]",
            soft_wrap=True,
        )
    if len(errors) > FINDINGS_SHOWN:
        console.print(
            f"  [dim]... and {len(errors) - FINDINGS_SHOWN} more; --output json has all[/]"
        )
