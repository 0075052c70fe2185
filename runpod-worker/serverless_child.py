"""A job's own program as a process group of its own: started, looked after, ended.

Knows nothing of jobs. Everything that the program starts stays in its session, and is ended with it;
the leash ends all of it when this process is killed.
"""

import asyncio
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

import psutil

import leash

STOP_S: Final = 4.0
"""Between SIGTERM and SIGKILL on a cancel or a time-out: nothing may live 5 s later."""

SAVE_S: Final = 25.0
"""The same where the worker itself is asked to end: time for a checkpoint. RunPod's containers get 30 s
or less; not published, chosen."""

LOOK_S: Final = 0.05


class Child:
    """One running program and everything it started."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        """Takes a process that leads a session."""
        self._process = process

    @classmethod
    def start(
        cls, program: Path, folder: Path, log: Path, told: bytes, environment: Mapping[str, str]
    ) -> "Child":
        """Start a Python program on a leash. To be called in the main thread.

        Args:
            program: Its file; its one argument is the folder.
            folder: Where it works.
            log: What it says is appended here: a pipe would fill up.
            told: What it reads from its standard input; secrets belong here and nowhere else.
            environment: All of it.

        Raises:
            OSError: it cannot be started.
        """
        with log.open("ab") as output:
            process = subprocess.Popen(
                leash.command(program, str(folder)),
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=folder,
                env=dict(environment),
                start_new_session=True,
            )
        if process.stdin is not None:
            with suppress(BrokenPipeError):  # it has ended already, which its exit code says
                process.stdin.write(told)
                process.stdin.close()
        return cls(process)

    @property
    def pid(self) -> int:
        """Of the program, which is its session's number too."""
        return self._process.pid

    def code(self) -> int | None:
        """Its exit code; None while it runs."""
        return self._process.poll()

    async def stop(self, grace_s: float) -> None:
        """Ask the whole session to end; kill what is left after the grace."""
        self._signal(signal.SIGTERM)
        for _ in range(int(grace_s / LOOK_S)):
            if not self.alive():
                return
            await asyncio.sleep(LOOK_S)
        self.kill()
        while self.alive():  # noqa: ASYNC110 - the kernel sends no event
            await asyncio.sleep(LOOK_S)

    def kill(self) -> None:
        """Kill every process of the session at once."""
        self._signal(signal.SIGKILL)

    def alive(self) -> tuple[int, ...]:
        """Processes of the session that still run; zombies have ended."""
        found = tuple(members(self.pid))
        self._process.poll()  # afterwards: what was passed over as a zombie is taken away
        return found

    def _signal(self, number: int) -> None:
        for pid in members(self.pid):
            with suppress(ProcessLookupError):
                os.kill(pid, number)


def members(session: int) -> Iterator[int]:
    """Numbers of all processes of a session that run.

    A training with several processes gives each a group of its own; the session holds them all.
    """
    for process in psutil.process_iter(["status"]):
        with suppress(ProcessLookupError, PermissionError):
            if os.getsid(process.pid) == session and process.info["status"] != psutil.STATUS_ZOMBIE:
                yield process.pid
