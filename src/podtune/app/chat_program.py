"""The worker program `chat.py`: a process that holds one adapter on its base model, spoken to in JSON lines."""

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from podtune.core.errors import SpecError, TrainingError


class Ended(NamedTuple):
    """How an answer ended."""

    finish_reason: str
    """`stop`, or `length` where the tokens were used up."""
    prompt_tokens: int
    completion_tokens: int


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

    @property
    def is_alive(self) -> bool:
        """Whether it can be spoken to."""
        return self._process.poll() is None

    def kill(self) -> None:
        """End it at once, whatever it is doing; `close` follows."""
        self._process.kill()

    def complete(self, asked: Mapping[str, object]) -> Iterator[str | Ended]:
        """Have a whole conversation answered: the answer's pieces as they come, then how it ended.

        Raises:
            SpecError: code `bad_conversation`: the model cannot take it.
            TrainingError: the program failed.
        """
        self._send({"complete": dict(asked)})
        while True:
            message = self._read()
            if "refused" in message:
                raise SpecError(
                    str(message["refused"])[:500],
                    code="bad_conversation",
                    hint="send fewer or shorter messages, in the order that the model was trained on",
                    context={"param": "messages"},
                )
            if "end" in message:
                yield Ended(
                    finish_reason=str(message["finish_reason"]),
                    prompt_tokens=int(message["prompt_tokens"]),
                    completion_tokens=int(message["completion_tokens"]),
                )
                return
            yield str(message.get("piece", ""))

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
        try:
            self._process.stdin.write(json.dumps(message) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError as error:
            raise TrainingError("the chat program has ended", code="chat_failed") from error

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
