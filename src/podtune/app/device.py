"""What this machine can compute with, found without importing torch: cuda, then mps, then cpu."""

import importlib.util
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import psutil

from podtune.app.settings import visible_card, visible_cards
from podtune.core.errors import SpecError
from podtune.core.plan import Device
from podtune.core.units import MIB

KINDS: Final = ("cuda", "mps", "cpu")
_NVIDIA_QUERY: Final = (
    "--query-gpu=name,memory.total,compute_cap",
    "--format=csv,noheader,nounits",
)

KERNELS: Final = ("causal_conv1d", "fla", "flash_attn")
"""Libraries for a CUDA card that the training uses where they are there."""


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
    card = visible_card()
    if not card:
        return None
    answer = _ask(program, f"--id={card}", *_NVIDIA_QUERY)
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
        count=_cards_like(program, name),
        kernels=tuple(name for name in KERNELS if importlib.util.find_spec(name)),
    )


def _cards_like(program: str, name: str) -> int:
    """Cards of this name that the user lets be seen; 1 at least, which was seen just now."""
    visible = visible_cards()
    if visible is not None:
        return max(1, len(visible))
    names = _ask(program, "--query-gpu=name", "--format=csv,noheader").splitlines()
    return max(1, sum(line.strip().startswith(name) for line in names))


def _ask(program: str, *arguments: str) -> str:
    """What nvidia-smi answers; empty where it fails."""
    try:
        return subprocess.run(
            [program, *arguments], capture_output=True, text=True, timeout=20, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return ""


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
        count=_cores(),
    )


def _cores() -> int:
    """Physical cores this process may use: by the machine, its affinity and its container."""
    cores = psutil.cpu_count(logical=False) or psutil.cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        cores = min(cores, len(os.sched_getaffinity(0)))
    return max(1, min(cores, int(_cpu_quota())))


def _cpu_quota() -> float:
    """CPUs that the container may use (cgroup v2, then v1); endless without a limit."""
    quota, _, period = _control("cpu.max").partition(" ")
    if not quota:
        quota, period = _control("cpu/cpu.cfs_quota_us"), _control("cpu/cpu.cfs_period_us")
    if quota.isdigit() and period.isdigit() and int(period):
        return max(1.0, int(quota) / int(period))
    return 1e6


def _memory_limit() -> int:
    """The machine's memory, or the container's limit when that is lower."""
    total = psutil.virtual_memory().total
    limit = _control("memory.max") or _control("memory/memory.limit_in_bytes")
    return min(total, int(limit)) if limit.isdigit() else total


def _control(name: str) -> str:
    """A value of the container's control group; empty where there is none."""
    try:
        return (Path("/sys/fs/cgroup") / name).read_text(encoding="ascii").strip()
    except OSError:
        return ""


def _cpu_has_bf16() -> bool:
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags
