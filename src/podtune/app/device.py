"""What this machine can compute with, found without importing torch: cuda, then mps, then cpu."""

import platform
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import psutil

from podtune.core.errors import SpecError
from podtune.core.plan import Device
from podtune.core.units import MIB

KINDS: Final = ("cuda", "mps", "cpu")
_NVIDIA_QUERY: Final = (
    "--query-gpu=name,memory.total,compute_cap",
    "--format=csv,noheader,nounits",
)


def detect(wanted: str = "auto") -> Device:
    """The best device here, or the one wanted.

    Args:
        wanted: `auto`, `cuda`, `mps` or `cpu`.

    Raises:
        SpecError: the wanted device is not here.
    """
    wanted = wanted.lower()
    if wanted not in ("auto", *KINDS):
        raise SpecError(
            f"where.gpu={wanted!r} is no device of this machine",
            hint="on this machine use auto, cuda, mps or cpu",
        )
    found = {"cuda": _cuda, "mps": _mps, "cpu": _cpu}
    for kind in KINDS if wanted == "auto" else (wanted,):
        device = found[kind]()
        if device is not None:
            return device
    raise SpecError(f"there is no {wanted} device on this machine", hint="use --set where.gpu=auto")


def _cuda() -> Device | None:
    program = shutil.which("nvidia-smi")
    if program is None:
        return None
    try:
        answer = subprocess.run(
            [program, *_NVIDIA_QUERY], capture_output=True, text=True, timeout=20, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    fields = [part.strip() for part in answer.strip().split("\n")[0].rsplit(",", 2)]
    if len(fields) != 3:
        return None
    name, memory, capability = fields
    shared = not memory.replace(".", "").isdigit()  # such a card shares the machine's memory
    return Device(
        kind="cuda",
        name=name,
        memory_bytes=_memory_limit() if shared else int(float(memory)) * MIB,
        cores=_cores(),
        bf16=capability.split(".")[0].isdigit() and int(capability.split(".")[0]) >= 8,  # Ampere
    )


def _mps() -> Device | None:
    if sys.platform != "darwin" or platform.machine() != "arm64":
        return None
    total = psutil.virtual_memory().total
    return Device(
        kind="mps",
        name="Apple GPU",
        memory_bytes=int(total * 0.7),  # Metal's working-set limit is about that share
        cores=_cores(),
        bf16=False,
    )


def _cpu() -> Device:
    return Device(
        kind="cpu",
        name=f"CPU with {_cores()} cores",
        memory_bytes=_memory_limit(),
        cores=_cores(),
        bf16=_cpu_has_bf16(),
    )


def _cores() -> int:
    """Physical cores this process may use."""
    physical = psutil.cpu_count(logical=False) or psutil.cpu_count() or 1
    try:
        allowed = len(psutil.Process().cpu_affinity())  # pyright: ignore[reportArgumentType]
    except AttributeError:  # macOS has no affinity
        return physical
    return max(1, min(physical, allowed))


def _memory_limit() -> int:
    """The machine's memory, or the container's limit when that is lower."""
    total = psutil.virtual_memory().total
    try:
        limit = Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii").strip()
    except OSError:
        return total
    return min(total, int(limit)) if limit.isdigit() else total


def _cpu_has_bf16() -> bool:
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags
