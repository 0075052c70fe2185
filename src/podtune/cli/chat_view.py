"""Talking to an adapter in the terminal; the model lives in a worker program."""

import sys
from collections.abc import Iterator

from rich.console import Console
from rich.markup import escape

from podtune.app.chat_program import ChatProgram
from podtune.cli.console import plain

HELP = (
    "/base switches the adapter off and on (a new conversation), /forget begins anew, /quit leaves"
)


def converse(console: Console, program: ChatProgram, lines: Iterator[str]) -> None:
    """Take lines of a person (or of a pipe) and print answers as they come."""
    adapter = True
    for line in lines:
        text = line.strip()
        if not text:
            continue
        if text in ("/quit", "/exit"):
            return
        if text == "/help":
            console.print(HELP)
        elif text == "/base":
            adapter = not adapter
            # A new conversation: an answer of the other one in the history would be copied.
            program.command({"adapter": adapter, "forget": True})
            which = "adapter on" if adapter else "adapter off: the base model answers"
            console.print(f"[dim]{which}; a new conversation[/]")
        elif text == "/forget":
            program.command({"forget": True})
            console.print("[dim]forgotten[/]")
        elif text.startswith("/"):
            console.print(f"[yellow]unknown {escape(text)}[/]; {HELP}")
        else:
            for piece in program.say(text):
                console.print(
                    plain(piece), end="", style="green" if adapter else "", soft_wrap=True
                )
            console.print()


def typed_lines(console: Console, name: str) -> Iterator[str]:
    """Lines from the keyboard with a prompt, or from a pipe without one."""
    if not sys.stdin.isatty():
        yield from sys.stdin
        return
    while True:
        try:
            yield console.input(f"[bold cyan]{escape(name)}>[/] ")
        except (EOFError, KeyboardInterrupt):
            console.print()
            return
