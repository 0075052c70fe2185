"""A process that ends with the one that started it, however that one died.

    python leash.py PARENT_PID PROGRAM [ARGUMENT ...]

runs a Python program so. Linux only: elsewhere nothing ends by itself, and whoever starts processes has
to end them. The leash goes on through exec, not through fork: each process puts it on by itself.

Source: prctl(2), PR_SET_PDEATHSIG, Linux man-pages 6.9, read 2026-11-23. The signal is sent when the
*thread* dies that forked; all callers here fork in their main thread.
"""

import ctypes
import os
import signal
import sys
from pathlib import Path

PR_SET_PDEATHSIG = 1
"""Of <linux/prctl.h>."""

ORPHANED = 70
"""Exit code of a process whose parent was gone before it began (sysexits.h: EX_SOFTWARE)."""

_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def hold(parent: int | None = None) -> None:
    """Have the kernel kill this process when its parent ends.

    Args:
        parent: Who the parent has to be; the present one by default. Where it is gone already, this
            process ends at once.
    """
    before = os.getppid()
    if _LIBC is None:
        return
    _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != (before if parent is None else parent):
        os._exit(ORPHANED)


def hold_forks() -> None:
    """Put the leash on every process that this one forks without exec, such as the SDK's pings.

    RunPod's SDK leaves its ping process alive when the worker is killed (runpod 1.12.0, measured).
    """
    if _LIBC is None:
        return
    forking: list[int] = []

    def note() -> None:
        forking[:] = [os.getpid()]

    os.register_at_fork(before=note, after_in_child=lambda: hold(forking[0]))


def command(program: Path, *arguments: str) -> list[str]:
    """The command that runs a Python program on a leash held by this process."""
    own = str(Path(__file__).resolve())
    return [sys.executable, "-u", own, str(os.getpid()), str(program), *arguments]


def main() -> None:
    """Put the leash on, then become the program."""
    hold(int(sys.argv[1]))
    os.execv(sys.executable, [sys.executable, "-u", *sys.argv[2:]])  # noqa: S606 - no shell


if __name__ == "__main__":
    main()
