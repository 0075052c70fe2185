"""A program of this machine in a session of its own: started, watched, ended with all it started."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

STOP_GRACE_S = 30.0
"""Between SIGTERM and SIGKILL: a worker that trains writes a checkpoint first."""

POLL_S = 0.2


class Limits(NamedTuple):
    """When a program is ended from outside."""

    wanted_s: float | None = None
    """Longest run; None for any length."""
    stop: Callable[[], bool] = bool
    """Asked several times a second: whether to end it now."""
    grace_s: float = STOP_GRACE_S


class Ended(NamedTuple):
    """How a program ended."""

    code: int
    """Negative: the signal."""
    stopped: bool = False
    """It was asked to."""
    too_slow: bool = False


def run(
    command: Sequence[str],
    *,
    log: Path,
    environment: Mapping[str, str],
    folder: Path,
    limits: Limits | None = None,
) -> Ended:
    """Run a program to its end; what it writes is appended to the log.

    Raises:
        OSError: it cannot be started.
    """
    limits = limits or Limits()
    with log.open("ab") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
            cwd=folder, env=dict(environment), start_new_session=True,
        )  # fmt: skip
    try:
        return _wait(process, limits)
    finally:
        _kill(process, signal.SIGKILL)  # what it left behind
        process.wait()


def _wait(process: "subprocess.Popen[bytes]", limits: Limits) -> Ended:
    begin = time.monotonic()
    asked_at: float | None = None
    too_slow = False
    while True:
        try:
            code = process.wait(POLL_S)
        except subprocess.TimeoutExpired:
            pass
        else:
            return Ended(code, stopped=asked_at is not None and not too_slow, too_slow=too_slow)
        now = time.monotonic()
        if asked_at is None:
            too_slow = limits.wanted_s is not None and now - begin > limits.wanted_s
            if too_slow or limits.stop():
                asked_at = now
                _kill(process, signal.SIGTERM)
        elif now - asked_at > limits.grace_s:
            _kill(process, signal.SIGKILL)


def _kill(process: "subprocess.Popen[bytes]", number: int) -> None:
    """A signal for a program and everything of its session's group."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)
