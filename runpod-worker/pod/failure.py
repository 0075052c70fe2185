"""A typed failure on the machine, before or beside the worker's own."""

import errno

FULL_DISK = (errno.ENOSPC, errno.EDQUOT)
"""No room on the device, or none in the quota."""


class Failure(Exception):  # noqa: N818 - it becomes a result, not a traceback
    """What becomes the attempt's `result`."""

    def __init__(self, code: str, message: str, advice: str = "") -> None:
        super().__init__(message)
        self.code, self.message = code, message
        self.advice = advice or "`podtune resume JOB` takes another machine"


def small_disk(room: int, needed: int) -> Failure:
    """The disk cannot hold the work; both in bytes."""
    return Failure(
        "disk_full",
        f"the machine's disk has {room / 2**30:.1f} GiB free, the job needs {needed / 2**30:.1f}",
        "rent a larger one: --set where.volume_gb=...",
    )


def of_system(error: OSError) -> Failure:
    """What the system refused, typed."""
    if error.errno in FULL_DISK:
        return Failure(
            "disk_full",
            "the machine's disk is full",
            "rent a larger one: --set where.volume_gb=...",
        )
    return Failure("pod_failed", f"the machine's own program failed: {error.strerror or error}")


def how(code: int) -> str:
    """How a program ended, in words; a negative code is a signal."""
    if code >= 0:
        return f"exit code {code}"
    return f"signal {-code}" + (", often a lack of memory" if code == -9 else "")
