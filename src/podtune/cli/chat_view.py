"""Talking to an adapter in the terminal; the model lives in a worker program."""

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from podtune.cli.console import plain
from podtune.core.errors import TrainingError

HELP = (
    "/base switches the adapter off and on (a new conversation), /forget begins anew, /quit leaves"
)


class ChatProgram:
    """The worker program `chat.py`, spoken to in JSON lines."""

    def __init__(
        self, program: Path, folder: Path, models: Path, environment: dict[str, str]
    ) -> None:
        """Start it; it is ready once `wait_ready` returns."""
        self._process = subprocess.Popen(
            [sys.executable, str(program), str(folder), "--models", str(models)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
            env=environment,
        )

    def close(self) -> None:
        """End the program and everything it holds."""
        if self._process.stdin:
            with contextlib.suppress(BrokenPipeError):  # it ended by itself
                self._process.stdin.close()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()

    def wait_ready(self) -> None:
        """Block until the model is loaded.

        Raises:
            TrainingError: it could not be loaded.
        """
        self._read()

    def say(self, text: str) -> Iterator[str]:
        """Ask, and give the answer's pieces as they come."""
        self._send({"say": text})
        while (message := self._read()) and "end" not in message:
            yield str(message.get("piece", ""))

    def command(self, message: dict[str, bool]) -> None:
        """Send a command and wait for its acknowledgement."""
        self._send(message)
        self._read()

    def _send(self, message: dict[str, Any]) -> None:
        if self._process.stdin is None or self._process.poll() is not None:
            raise TrainingError("the chat program has ended", code="chat_failed")
        self._process.stdin.write(json.dumps(message) + "\n")
        self._process.stdin.flush()

    def _read(self) -> dict[str, Any]:
        for line in self._process.stdout or ():
            if line.startswith("{"):
                message: dict[str, Any] = json.loads(line)
                if "error" in message:
                    raise TrainingError(
                        str(message["error"]), code="chat_failed", hint=message.get("advice")
                    )
                return message
        raise TrainingError("the chat program ended without a word", code="chat_failed")


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
