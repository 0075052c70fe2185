"""Containers as processes of this machine: a command, its output line by line, and a certain end.

Each runs under `container_init`, which ends everything that the command left, and which ends by itself
when this process dies. Knows nothing of pods or images. Output is kept here until somebody asks for it.
"""

import os
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Final

import psutil

from podtune.testing import container_init
from podtune.testing.executor import Usage

MARK: Final = "PODTUNE_STAND_IN"
"""Variable that names the container to every process of it: found by it when all else failed."""

LINE_BYTES: Final = 16 * 1024
"""A longer line is cut into several, as docker's logs do (moby, `daemon/logger`, 16 KiB)."""

KEPT_LINES: Final = 20_000
"""Output that nobody asked for, in lines; beyond, the oldest go."""

USAGE_AGE_S: Final = 0.5
"""A reading of the load counts for so long: it looks at every process of the machine."""

_CONTROLS: Final = dict.fromkeys((*range(9), *range(10, 32), 127))
_READ_BYTES: Final = 64 * 1024


class Container:
    """A running command with everything it starts."""

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], folder: Path, mark: str
    ) -> None:
        """Start it.

        Args:
            command: A program and its arguments; nothing is passed through a shell.
            environment: All that it sees, besides the mark.
            folder: Where it starts.
            mark: Names this container; unique on this machine.

        Raises:
            OSError: no process can be started at all. (A command that cannot be found ends with
                code 127 and says so in its output.)
        """
        self.mark = mark
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", container_init.__file__, *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env={**environment, MARK: mark},
            start_new_session=True,
        )
        self._lines: deque[str] = deque(maxlen=KEPT_LINES)
        self._last = (time.monotonic(), 0.0, Usage())
        self._word = threading.Lock()
        self._pump = threading.Thread(target=self._read, name=f"output of {mark}", daemon=True)
        self._pump.start()

    @property
    def pid(self) -> int:
        """The process that everything of the container stands under."""
        return self._process.pid

    def poll(self) -> int | None:
        """The command's exit code, once nothing of the container is left."""
        code = self._process.poll()
        if code is None:
            return None
        self._hang_up()
        if code < 0:  # its first process was killed: what stood under it may still be there
            end_marked(self.mark)
            return 128 - code
        return code

    def wait(self, timeout_s: float) -> int | None:
        """Wait for the end; None when it took longer."""
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return None
        self._pump.join(timeout_s)
        return self.poll()

    def stop(self, grace_s: float) -> None:
        """Ask the command to end, and have everything killed after the grace. Does not wait."""
        self._hang_up(f"stop {max(0.0, grace_s)}\n".encode())

    def kill(self) -> None:
        """End it at once, and wait until nothing is left."""
        self.stop(0.0)
        if self.wait(10.0) is None:
            self._process.kill()
            self._process.wait()
            end_marked(self.mark)

    def lines(self) -> list[str]:
        """Output since the last call, free of control signs."""
        taken: list[str] = []
        while self._lines:
            taken.append(self._lines.popleft())
        return taken

    def usage(self) -> Usage:
        """Processor and memory, percent of this machine's; shown as the GPU's too, for want of one."""
        then, seconds_then, shown = self._last
        now = time.monotonic()
        if now - then < USAGE_AGE_S:
            return shown
        seconds, resident = _load(self.pid)
        cores = psutil.cpu_count() or 1
        cpu = 100.0 * max(0.0, seconds - seconds_then) / (now - then) / cores
        memory = 100.0 * resident / psutil.virtual_memory().total
        cpu, memory = round(min(100.0, cpu), 1), round(min(100.0, memory), 1)
        self._last = (now, seconds, Usage(cpu, memory, cpu, memory))
        return self._last[2]

    def _hang_up(self, word: bytes = b"") -> None:
        """Close the line to the first process, after a last word."""
        line = self._process.stdin
        with self._word:
            if line is None or line.closed:
                return
            try:
                line.write(word)
                line.close()
            except OSError:  # it ended by itself meanwhile; the line is closed all the same
                return

    def _read(self) -> None:
        source = self._process.stdout
        if source is None:
            return
        with source:
            rest = b""
            while piece := _some(source):
                *whole, rest = (rest + piece).split(b"\n")
                for line in whole:
                    self._keep(line)
                while len(rest) > LINE_BYTES:
                    self._keep(rest[:LINE_BYTES])
                    rest = rest[LINE_BYTES:]
            if rest:
                self._keep(rest)

    def _keep(self, line: bytes) -> None:
        for start in range(0, max(1, len(line)), LINE_BYTES):
            text = line[start : start + LINE_BYTES].decode("utf-8", errors="replace")
            self._lines.append(text.translate(_CONTROLS))


def basics(disk: Path) -> dict[str, str]:
    """What an image's own environment would hold: this Python first, a home on the container disk."""
    for name in ("root", "tmp"):
        (disk / name).mkdir(parents=True, exist_ok=True)
    here = Path(sys.executable).parent
    return {
        "PATH": f"{here}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": str(disk / "root"),
        "TMPDIR": str(disk / "tmp"),
        "LANG": "C.UTF-8",
        # threads that wait spin little: pods share these cores (bench/contention.py)
        "GOMP_SPINCOUNT": "3000",
    }


def end_marked(mark: str) -> int:
    """Kill every process that carries a mark; how many there were."""
    ended = 0
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == mark:
                process.kill()
                ended += 1
        except (psutil.Error, OSError):  # gone, or another user's
            continue
    return ended


def _some(source: IO[bytes]) -> bytes:
    """Whatever is there, at least one byte; b"" at the end."""
    try:
        return os.read(source.fileno(), _READ_BYTES)
    except (OSError, ValueError):
        return b""


def _load(pid: int) -> tuple[float, int]:
    """Processor seconds and resident bytes of everything below a process."""
    seconds, resident = 0.0, 0
    try:
        members = psutil.Process(pid).children(recursive=True)
    except psutil.Error:
        return 0.0, 0
    for process in members:
        try:
            times = process.cpu_times()
            seconds += times.user + times.system
            resident += process.memory_info().rss
        except psutil.Error:
            continue
    return seconds, resident
