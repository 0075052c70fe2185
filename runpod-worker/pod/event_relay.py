"""The worker's events: signed onto the container's output, and a last word where it left none.

The worker itself writes `events.jsonl`; this reads it, and appends a `result` only for an attempt
that ended without one. The form of an event is `podtune.core.events.TrainingEvent`.
"""

import hashlib
import hmac
import json
import threading
import time
from pathlib import Path
from typing import Any

from orders import Orders, say

MARKER = "@podtune+"
POLL_S = 0.2
LINE_BYTES = 2**20
"""Longer lines are no events."""


class Relay:
    """Prints each new event of `events.jsonl` behind its HMAC, until it is closed."""

    def __init__(self, path: Path, key: bytes) -> None:
        """Begins at the file's beginning; it may not exist yet."""
        self._path, self._key, self._at = path, key, 0
        self._closed = threading.Event()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._follow, daemon=True)

    def start(self) -> None:
        """Follow the file in a thread."""
        self._thread.start()

    def close(self) -> None:
        """Print what is left and stop."""
        self._closed.set()
        self._thread.join(5)
        self.print_new()

    def print_new(self) -> None:
        """Print the complete lines that came since the last time."""
        with self._lock:
            for line in self._new_lines():
                if line.startswith("{"):
                    code = hmac.new(self._key, line.encode(), hashlib.sha256).hexdigest()
                    say(f"{MARKER}{code} {line}")

    def _new_lines(self) -> list[str]:
        try:
            with self._path.open("rb") as stream:
                stream.seek(self._at)
                block = stream.read(4 * LINE_BYTES)
        except OSError:
            return []
        end = block.rfind(b"\n") + 1
        self._at += end if end or len(block) < LINE_BYTES else len(block)
        return block[:end].decode("utf-8", errors="replace").splitlines()

    def _follow(self) -> None:
        while not self._closed.wait(POLL_S):
            self.print_new()


def result_of(path: Path, attempt: int) -> dict[str, Any] | None:
    """The attempt's result, if the worker gave one."""
    found: dict[str, Any] | None = None
    for event in _events(path):
        if event.get("attempt") == attempt and isinstance(event.get("result"), dict):
            found = event["result"]
    return found


def facts_of(path: Path, attempt: int) -> dict[str, Any]:
    """What the worker measured in an attempt: figures for the receipt, never a row's text."""
    found: dict[str, Any] = {}
    for event in _events(path):
        if event.get("attempt") == attempt and isinstance(event.get("facts"), dict):
            found.update(event["facts"])
    return found


def add_failure(
    path: Path, orders: Orders, *, code: str, message: str, advice: str, stage: str
) -> dict[str, Any]:
    """Append the typed failure that the worker could not give; returns its `result`.

    Args:
        path: `events.jsonl`; made if it is not there.
        orders: Job and attempt.
        code: Stable snake_case.
        message: What happened.
        advice: The next step.
        stage: A `WorkerStage`.
    """
    result = {"ok": False, "error_code": code, "error_message": message, "advice": advice}
    numbers = [e.get("seq", 0) for e in _events(path) if e.get("attempt") == orders.attempt]
    now = time.time()
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now))
    event = {
        "job": orders.job,
        "attempt": orders.attempt,
        "seq": max(numbers, default=-1) + 1,
        "time": f"{whole}.{int(now % 1 * 1e6):06d}Z",
        "kind": "result",
        "stage": stage,
        "result": result,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    (path.parent / ".reserve").unlink(missing_ok=True)  # room kept for last words
    with path.open("ab") as stream:
        cut_short = stream.tell() and not _ends_a_line(path)
        stream.write((b"\n" if cut_short else b"") + json.dumps(event).encode() + b"\n")
    return result


def _events(path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    try:
        with path.open("rb") as stream:
            while line := stream.readline(LINE_BYTES):
                try:
                    event = json.loads(line)
                except ValueError:  # a line cut short, or half a line that is too long
                    continue
                if isinstance(event, dict):
                    found.append(event)
    except OSError:
        pass  # not written yet; the next look finds it
    return found


def _ends_a_line(path: Path) -> bool:
    with path.open("rb") as stream:
        stream.seek(-1, 2)
        return stream.read(1) == b"\n"
