"""Asking a person which of two readings of their data is meant."""

import sys
from typing import Any, NamedTuple

import typer

from podtune.cli.console import Output, err, plain, print_line
from podtune.core.errors import PodtuneError

_ROLES = {"prompt_column": "prompt", "response_column": "completion"}


class Picked(NamedTuple):
    """What was picked: a role's column, or the value of another choice."""

    name: str
    """`prompt`, `completion`, `speaker`, `sheet` or `member`."""
    value: str
    is_column: bool


def may_ask(error: PodtuneError, output: Output) -> bool:
    """Whether an error is an open choice, and somebody is there to answer."""
    return error.code == "choice_needed" and output is Output.HUMAN and sys.stdin.isatty()


def ask(error: PodtuneError) -> Picked:
    """Show what can be meant, and wait for a number."""
    name, taken = str(error.context["choice"]), str(error.context["taken"])
    others: Any = error.context["others"]
    values = [taken, *map(str, others)]
    console = err()
    print_line(console, plain(error.message))
    for number, value in enumerate(values, start=1):
        console.print(f"  [bold]{number}[/] {plain(value)}")
    picked = None
    while picked is None:
        typed = str(typer.prompt(f"which, 1 to {len(values)}", default="1", err=True)).strip()
        picked = _meant(typed, values)
        if picked is None:
            print_line(console, f"type a number from 1 to {len(values)}, or one of the names")
    return Picked(_ROLES.get(name, name), picked, name in _ROLES)


def _meant(typed: str, values: list[str]) -> str | None:
    """The value that a number or a name means."""
    if typed.isdecimal() and 1 <= int(typed) <= len(values):
        return values[int(typed) - 1]
    return next((v for v in values if v.casefold() == typed.casefold()), None)
