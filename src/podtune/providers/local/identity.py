"""Which process is which, past reuse of pids and steps of the clock.

An id is `<pid>:<stamp>`. On Linux the stamp is the start in kernel ticks since boot, behind the
first letters of the boot's own id: neither moves with the wall clock, and after a reboot no old id
fits. Elsewhere it is psutil's start time.
"""

from pathlib import Path
from typing import Final

import psutil

_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
_START_FIELD: Final = 19
"""Index of `starttime` (field 22) in /proc/PID/stat after the command's closing bracket."""


def of(process: psutil.Process) -> str:
    """The id of a process.

    Raises:
        psutil.NoSuchProcess: it is gone.
    """
    return f"{process.pid}:{_stamp(process)}"


def find(instance_id: str) -> psutil.Process | None:
    """The process of an id, if that very one still runs; a zombie does not."""
    pid, _, stamp = instance_id.partition(":")
    if not pid.isdigit():
        return None
    try:
        process = psutil.Process(int(pid))
        same = _stamp(process) == stamp
        return process if same and runs(process) else None
    except psutil.Error:
        return None


def runs(process: psutil.Process) -> bool:
    """Whether a process still does anything.

    A zombie does not, unless it is only the first thread that ended and others are still going.
    """
    try:
        if not process.is_running():
            return False
        return process.status() != psutil.STATUS_ZOMBIE or process.num_threads() > 1
    except psutil.Error:
        return False


def _stamp(process: psutil.Process) -> str:
    try:
        boot = _BOOT_ID.read_text(encoding="ascii")[:8]
        text = Path(f"/proc/{process.pid}/stat").read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError as error:
        if _BOOT_ID.exists():
            raise psutil.NoSuchProcess(process.pid) from error
        return f"{process.create_time():.2f}"
    except (OSError, ProcessLookupError) as error:
        raise psutil.NoSuchProcess(process.pid) from error
    return f"{boot}-{text.rpartition(')')[2].split()[_START_FIELD]}"
