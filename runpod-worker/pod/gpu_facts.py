"""What nvidia-smi says of the cards; an empty list where there is none."""

import shutil
import subprocess
import time
from collections.abc import Callable
from typing import Any

QUERY = "utilization.gpu,memory.used,memory.total,power.draw"
MIB = 2**20
KEPT_S = 2.0
"""A look is this long good for; each one takes some 50 ms of a core."""


def ask() -> str:
    """nvidia-smi's answer as comma-separated lines; empty where it is missing or fails."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return ""
    command = [program, f"--query-gpu={QUERY}", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout if done.returncode == 0 else ""


def parse(text: str) -> list[dict[str, Any]]:
    """nvidia-smi's lines as figures; what it does not know (`[N/A]`) is null."""
    cards: list[dict[str, Any]] = []
    for line in text.splitlines():
        parts = [_number(part) for part in line.split(",")]
        if len(parts) != 4:
            continue
        util, used, total, power = parts
        cards.append(
            {
                "util": util,
                "memory_used_bytes": None if used is None else int(used * MIB),
                "memory_total_bytes": None if total is None else int(total * MIB),
                "power_w": power,
            }
        )
    return cards


class Gpus:
    """The cards, looked at now and then."""

    def __init__(
        self,
        source: Callable[[], str] = ask,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Nothing is asked yet."""
        self._source, self._monotonic = source, monotonic
        self._known: tuple[float, list[dict[str, Any]]] | None = None

    def read(self) -> list[dict[str, Any]]:
        """The newest figures."""
        now = self._monotonic()
        if self._known is None or now - self._known[0] > KEPT_S:
            self._known = (now, parse(self._source()))
        return self._known[1]


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
