"""First process of a container: runs its command, and leaves nothing of it behind.

Started as a program of its own with the command as its arguments, standard library only. Like a real
container's process 1 it inherits whatever its command leaves orphaned, and once the command has ended
everything else of the container ends too, whatever session or environment it gave itself.

Standard input is the line to the cloud: `stop SECONDS` asks the command to end and kills it after
that; when the line breaks (the cloud died, by SIGKILL even) the container ends by itself.
"""

import ctypes
import os
import select
import signal
import subprocess
import sys
import time
from types import FrameType
from typing import Final

PR_SET_CHILD_SUBREAPER: Final = 36
"""prctl(2), Linux 3.4 and later."""

ORPHAN_GRACE_S: Final = 1.0
"""Between SIGTERM and SIGKILL when the cloud is gone."""

NOT_FOUND: Final = 127
NOT_EXECUTABLE: Final = 126
"""Exit codes of shells and of docker for a command that cannot be started."""


class Children:
    """The command, and the exit code it left."""

    def __init__(self, command: list[str]) -> None:
        # kept: a Popen that is thrown away takes the exit code of a quick command with it
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
        self.pid = self._process.pid
        self.code: int | None = None

    def reap(self) -> None:
        """Collect whatever ended, orphans included."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid == self.pid:
                code = os.waitstatus_to_exitcode(status)
                self.code = self._process.returncode = code if code >= 0 else 128 - code

    def ask(self) -> None:
        """SIGTERM to the command alone, as `docker stop` sends it to process 1 only."""
        try:
            os.kill(self.pid, signal.SIGTERM)
        except (ProcessLookupError, PermissionError):
            return

    def kill_all(self) -> None:
        """SIGKILL everything that is left, until nothing is."""
        pause = 0.002
        while True:
            self.reap()
            left = descendants(os.getpid())
            if not left:
                return
            for pid in left:
                _kill(pid)
            time.sleep(pause)
            pause = min(0.2, pause * 2)


def main(command: list[str]) -> int:
    """Run a command as a container's; its exit code (128 + n for signal n)."""
    wake, told = os.pipe()
    os.set_blocking(wake, False)
    os.set_blocking(told, False)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, _heard)
    signal.set_wakeup_fd(told, warn_on_full_buffer=False)
    _inherit_orphans()
    try:
        children = Children(command)
    except OSError as error:
        print(f"exec: {command[0]!r}: {error.strerror}", file=sys.stderr, flush=True)  # noqa: T201
        return NOT_EXECUTABLE if isinstance(error, PermissionError) else NOT_FOUND
    grace_s = _wait(children, wake, None)
    if grace_s is not None and children.code is None:
        children.ask()
        _wait(children, wake, time.monotonic() + grace_s)
    children.kill_all()
    return children.code if children.code is not None else 128 + signal.SIGKILL


def _wait(children: Children, wake: int, until: float | None) -> float | None:
    """Wait for the command's end, for a word to stop (its grace in seconds) or for a moment."""
    sources = [wake] if until is not None else [wake, 0]
    while children.code is None:
        left = None if until is None else until - time.monotonic()
        if left is not None and left <= 0:
            return None
        ready = select.select(sources, [], [], left)[0]
        if 0 in ready:
            return _grace(os.read(0, 200))
        if wake in ready and signal.SIGTERM in os.read(wake, 512):
            return ORPHAN_GRACE_S
        children.reap()
    return None


def _grace(word: bytes) -> float:
    """Seconds of `stop SECONDS`; no word at all means that the cloud is gone."""
    _, _, seconds = word.partition(b" ")
    try:
        return max(0.0, float(seconds))
    except ValueError:
        return ORPHAN_GRACE_S


def descendants(root: int) -> list[int]:
    """Every process below one, in no order."""
    below: dict[int, list[int]] = {}
    for pid, parent in _parents():
        below.setdefault(parent, []).append(pid)
    found: list[int] = []
    waiting = [root]
    while waiting:
        for pid in below.get(waiting.pop(), ()):
            found.append(pid)
            waiting.append(pid)
    return found


def _parents() -> list[tuple[int, int]]:
    """(process, its parent) of everything that runs."""
    if not os.path.isdir("/proc/self"):  # noqa: PTH112 - pathlib doubles the start of this program
        return _listed_parents()
    pairs: list[tuple[int, int]] = []
    for name in filter(str.isdigit, os.listdir("/proc")):  # noqa: PTH208
        try:
            with open(f"/proc/{name}/stat", "rb") as file:  # noqa: PTH123
                fields = file.read().rpartition(b")")[2].split()
        except OSError:
            continue
        pairs.append((int(name), int(fields[1])))
    return pairs


def _listed_parents() -> list[tuple[int, int]]:
    """The same where there is no /proc; the listing program itself left out."""
    listing = subprocess.Popen(["ps", "-axo", "pid=,ppid="], stdout=subprocess.PIPE)  # noqa: S607
    text = listing.communicate()[0].decode()
    rows = [line.split() for line in text.splitlines()]
    return [(int(r[0]), int(r[1])) for r in rows if len(r) == 2 and int(r[0]) != listing.pid]


def _heard(number: int, _frame: FrameType | None) -> None:
    """Signals only wake the loop, which reads their numbers from a pipe."""


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return


def _inherit_orphans() -> None:
    """Make orphans of this process tree its children instead of the machine's process 1's."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
