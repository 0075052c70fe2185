"""What the cards of a training do: use, memory, power, looked at from a thread of its own.

By NVML (`nvidia-ml-py`) where it is installed, else by nvidia-smi as the pod's port does; without a
card there are no figures, and none is invented. Knows nothing of who wants them.
"""

import importlib
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from pod import gpu_facts

EVERY_S: Final = 2.0
"""Between two looks: NVML's figure of use is itself a mean over up to a second (nvmlUtilization_t,
NVML API reference, read 2026-11-23)."""

MILLI: Final = 1000
"""NVML tells power in milliwatts."""


class Reading(NamedTuple):
    """One card at one moment; None for what it does not tell."""

    utilization: float | None = None
    """Percent of the time in which a kernel ran."""
    memory_bytes: int | None = None
    """Taken on the card, by whomever."""
    power_w: float | None = None


Look = Callable[[], Sequence[Reading]]
"""A look at all cards of the training."""


class NvmlCards:
    """Cards by NVML. What a card does not support, or fails to tell, is None."""

    def __init__(self, library: Any, handles: Sequence[Any]) -> None:
        """See `nvml_cards`."""
        self._library, self._handles = library, handles

    def look(self) -> list[Reading]:
        """One call of the driver for each figure, well under a millisecond each."""
        return [self._read(handle) for handle in self._handles]

    def _read(self, handle: Any) -> Reading:
        found = self._library
        use = self._told(found.nvmlDeviceGetUtilizationRates, handle)
        memory = self._told(found.nvmlDeviceGetMemoryInfo, handle)
        power = self._told(found.nvmlDeviceGetPowerUsage, handle)
        return Reading(
            utilization=None if use is None else float(use.gpu),
            memory_bytes=None if memory is None else int(memory.used),
            power_w=None if power is None else power / MILLI,
        )

    def _told(self, ask: Callable[[Any], Any], handle: Any) -> Any:
        try:
            return ask(handle)
        except self._library.NVMLError:
            return None


def nvml_cards(library: Any, uuids: Sequence[str]) -> NvmlCards | None:
    """The cards of a training, by NVML; None where the driver does not answer or knows none of them.

    Args:
        library: The module `pynvml`, or what behaves like it.
        uuids: As CUDA tells them, without `GPU-`; none for every card there is.
    """
    try:
        library.nvmlInit()
        if uuids:
            found = [library.nvmlDeviceGetHandleByUUID(f"GPU-{uuid}") for uuid in uuids]
        else:
            count = library.nvmlDeviceGetCount()
            found = [library.nvmlDeviceGetHandleByIndex(index) for index in range(count)]
    except library.NVMLError:
        return None
    return NvmlCards(library, found) if found else None


def smi_look(uuids: Sequence[str], ask: Callable[[], str] = gpu_facts.ask) -> Look:
    """A look by nvidia-smi; nothing where it shows other cards than those of the training.

    Args:
        uuids: Of the training's cards; none for every card there is.
        ask: nvidia-smi's answer as comma-separated lines.
    """

    def look() -> list[Reading]:
        cards = gpu_facts.parse(ask())
        if uuids and len(cards) != len(uuids):
            return []
        return [Reading(c["util"], c["memory_used_bytes"], c["power_w"]) for c in cards]

    return look


class GpuMetrics:
    """Figures of the cards since `start`; thread-safe."""

    def __init__(
        self, look: Look, *, clock: Callable[[], float] = time.monotonic, every_s: float = EVERY_S
    ) -> None:
        """`clock` in seconds; nothing is looked at yet."""
        self._look, self._clock, self._every_s = look, clock, every_s
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        self._last: float | None = None
        self._power_w: float | None = None
        self._use, self._use_all = _Mean(), _Mean()
        self._newest: float | None = None
        self._cards, self._peak_bytes = 0, 0
        self._joules, self._powered_s = 0.0, 0.0

    def start(self) -> None:
        """Look now, and from now on."""
        self.look()
        self._thread = threading.Thread(target=self._run, name="gpu-metrics", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Look no more; returns when the thread has ended."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join()

    def look(self) -> bool:
        """Look once, unless the last look was a moment ago; whether it was done."""
        now = self._clock()
        with self._lock:
            if self._last is not None and now - self._last < self._every_s:
                return False
            before, self._last = self._last, now
        readings = self._look()  # nvidia-smi takes its time: nobody waits for it
        with self._lock:
            self._add(readings, 0.0 if before is None else now - before)
        return True

    def utilization(self) -> float | None:
        """Percent, over all cards and since the last time it was asked; None where nobody knows."""
        with self._lock:
            mean, self._use = self._use.value, _Mean()
            return self._newest if mean is None else round(mean, 1)

    def facts(self) -> dict[str, Any]:
        """The whole training's figures; empty where no card was ever seen.

        `power_w` and `energy_wh` are of all cards together, `peak_memory_bytes` of the fullest one.
        """
        with self._lock:
            if not self._cards:
                return {}
            use, powered_s = self._use_all.value, self._powered_s
            return {
                "cards": self._cards,
                "utilization": None if use is None else round(use, 1),
                "peak_memory_bytes": self._peak_bytes or None,
                "power_w": round(self._joules / powered_s, 1) if powered_s else None,
                "energy_wh": round(self._joules / 3600, 3) if powered_s else None,
            }

    def _add(self, readings: Sequence[Reading], passed_s: float) -> None:
        self._cards = max(self._cards, len(readings))
        uses = [one.utilization for one in readings if one.utilization is not None]
        if uses:
            self._newest = round(sum(uses) / len(uses), 1)
            self._use.add(self._newest)
            self._use_all.add(self._newest)
        self._peak_bytes = max([self._peak_bytes, *(one.memory_bytes or 0 for one in readings)])
        powers = [one.power_w for one in readings if one.power_w is not None]
        power_w = sum(powers) if powers else None
        if power_w is not None and self._power_w is not None:
            self._joules += passed_s * (power_w + self._power_w) / 2
            self._powered_s += passed_s
        self._power_w = power_w

    def _run(self) -> None:
        while not self._stopped.wait(self._every_s):
            self.look()


class _Mean:
    """A mean that grows."""

    def __init__(self) -> None:
        self._sum, self._count = 0.0, 0

    def add(self, value: float) -> None:
        """One more."""
        self._sum, self._count = self._sum + value, self._count + 1

    @property
    def value(self) -> float | None:
        """None of nothing."""
        return self._sum / self._count if self._count else None


def of_training(kind: str) -> GpuMetrics | None:
    """The figures of this process's cards; None where it trains on none.

    Args:
        kind: Of the device: cuda, mps or cpu.
    """
    if kind != "cuda":
        return None
    uuids, library = visible_uuids(), installed_nvml()
    cards = None if library is None else nvml_cards(library, uuids)
    return GpuMetrics(smi_look(uuids) if cards is None else cards.look)


def installed_nvml() -> Any:
    """The module `pynvml`; None where it is not installed."""
    try:
        return importlib.import_module("pynvml")
    except ImportError:
        return None


def visible_uuids() -> list[str]:
    """UUIDs of the cards that CUDA lets this process see, in its order."""
    import torch

    count = torch.cuda.device_count()
    return [str(torch.cuda.get_device_properties(index).uuid) for index in range(count)]
