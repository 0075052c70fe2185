"""Figures of cards, from a driver's library that behaves, and that fails as the real one does."""

# ruff: noqa: N802 - the library's own names

import threading
from types import SimpleNamespace

import pytest

import gpu_metrics
from gpu_metrics import GpuMetrics, Reading, nvml_cards, of_training, smi_look

MIB = 2**20


class NVMLError(Exception):
    """As `pynvml` raises it."""


class Nvml:
    """The calls of `pynvml` that are made, over cards of which each call may be out of order.

    A card is a dict of `util`, `memory` (bytes) and `power` (milliwatts); None means NotSupported.
    """

    NVMLError = NVMLError

    def __init__(self, *cards, driver=True):
        self.cards = {f"GPU-{n}": dict(card) for n, card in enumerate(cards)}
        self.driver, self.ready, self.calls = driver, False, 0

    def nvmlInit(self):
        if not self.driver:
            raise NVMLError("Driver Not Loaded")
        self.ready = True

    def nvmlDeviceGetCount(self):
        assert self.ready
        return len(self.cards)

    def nvmlDeviceGetHandleByIndex(self, index):
        return list(self.cards)[index]

    def nvmlDeviceGetHandleByUUID(self, uuid):
        if uuid not in self.cards:
            raise NVMLError("Not Found")
        return uuid

    def nvmlDeviceGetUtilizationRates(self, handle):
        return SimpleNamespace(gpu=self._figure(handle, "util"), memory=1)

    def nvmlDeviceGetMemoryInfo(self, handle):
        return SimpleNamespace(used=self._figure(handle, "memory"), total=10**12)

    def nvmlDeviceGetPowerUsage(self, handle):
        return self._figure(handle, "power")

    def _figure(self, handle, name):
        self.calls += 1
        value = self.cards[handle].get(name)
        if value is None:
            raise NVMLError("Not Supported")
        return value


CARD = {"util": 90, "memory": 100 * MIB, "power": 300_000}


def test_all_cards_by_index_and_some_by_their_uuids():
    library = Nvml(CARD, {**CARD, "util": 10})
    assert [one.utilization for one in nvml_cards(library, []).look()] == [90, 10]
    assert nvml_cards(library, ["1"]).look() == [Reading(10, 100 * MIB, 300.0)]


@pytest.mark.parametrize(
    ("library", "uuids"),
    [(Nvml(CARD, driver=False), []), (Nvml(CARD), ["9"]), (Nvml(), [])],
    ids=["no driver", "another card", "no card"],
)
def test_no_cards_by_nvml(library, uuids):
    assert nvml_cards(library, uuids) is None


def test_what_a_card_does_not_tell_is_none_and_the_rest_is_told():
    library = Nvml({"memory": 5})
    cards = nvml_cards(library, [])
    assert cards.look() == [Reading(None, 5, None)]
    library.cards["GPU-0"] = {}  # fallen off the bus in mid-training
    assert cards.look() == [Reading()]


SMI = "87, 1000, 24000, 250.5\n[N/A], 2000, 24000, [N/A]\n"


def test_by_nvidia_smi():
    assert smi_look([], lambda: SMI)() == [
        Reading(87.0, 1000 * MIB, 250.5),
        Reading(None, 2000 * MIB, None),
    ]
    assert len(smi_look(["a", "b"], lambda: SMI)()) == 2
    assert smi_look(["a"], lambda: SMI)() == []
    assert smi_look([], lambda: "")() == []


@pytest.fixture
def now():
    return [0.0]


def metrics(now, *cards, **options):
    library = Nvml(*cards)
    return library, GpuMetrics(nvml_cards(library, []).look, clock=lambda: now[0], **options)


def test_a_look_every_two_seconds_at_most(now):
    library, gpu = metrics(now, CARD)
    assert gpu.look()
    for moment in (0.0, 1.0, 1.9):
        now[0] = moment
        assert not gpu.look()
    assert library.calls == 3
    now[0] = 2.0
    assert gpu.look()


def test_the_use_is_the_mean_since_it_was_asked_last(now):
    library, gpu = metrics(now, CARD, CARD)
    assert gpu.utilization() is None
    for moment, use in ((0, 100), (2, 50)):
        now[0], library.cards["GPU-0"]["util"] = float(moment), use
        gpu.look()
    assert gpu.utilization() == 82.5
    assert gpu.utilization() == 70.0  # nothing new: the newest stands
    now[0], library.cards["GPU-0"]["util"] = 4.0, 10
    gpu.look()
    assert gpu.utilization() == 50.0


def test_peak_power_and_energy_of_a_whole_training(now):
    library, gpu = metrics(now, CARD, {**CARD, "memory": 300 * MIB})
    for moment, power, memory in ((0, 100_000, 1), (10, 300_000, 900 * MIB), (20, 300_000, 2)):
        now[0] = float(moment)
        library.cards["GPU-0"] |= {"power": power, "memory": memory}
        gpu.look()
    assert gpu.facts() == {
        "cards": 2,
        "utilization": 90.0,
        "peak_memory_bytes": 900 * MIB,
        "power_w": 550.0,  # 200 then 300 W, and 300 W of the other
        "energy_wh": round(550 * 20 / 3600, 3),
    }


def test_a_gap_in_the_power_is_not_filled(now):
    library, gpu = metrics(now, CARD)
    for moment, power in ((0, 100_000), (2, None), (4, 100_000), (6, 100_000)):
        now[0], library.cards["GPU-0"]["power"] = float(moment), power
        gpu.look()
    assert gpu.facts()["energy_wh"] == round(100 * 2 / 3600, 3)


def test_cards_that_tell_nothing_have_no_figures(now):
    _, gpu = metrics(now, {})
    gpu.look()
    assert gpu.utilization() is None
    assert gpu.facts() == {
        "cards": 1, "utilization": None, "peak_memory_bytes": None, "power_w": None,
        "energy_wh": None,
    }  # fmt: skip


def test_no_card_no_facts(now):
    gpu = GpuMetrics(list, clock=lambda: now[0])
    gpu.look()
    assert (gpu.facts(), gpu.utilization()) == ({}, None)


def test_it_looks_by_itself_until_it_is_stopped():
    seen, often = [], threading.Event()

    def look():
        seen.append(threading.current_thread().name)
        if len(seen) == 3:
            often.set()
        return [Reading(50.0)]

    gpu = GpuMetrics(look, every_s=0.001)
    gpu.start()
    assert often.wait(20)
    gpu.stop()
    after = len(seen)
    assert seen[0] == threading.current_thread().name  # before the first step
    assert set(seen[1:]) == {"gpu-metrics"}
    assert not any(thread.name == "gpu-metrics" for thread in threading.enumerate())
    assert len(seen) == after
    assert gpu.utilization() == 50.0


@pytest.mark.parametrize("kind", ["cpu", "mps"])
def test_no_figures_without_a_card(kind):
    assert of_training(kind) is None


def test_with_the_library_the_cards_that_cuda_shows_are_read(monkeypatch):
    monkeypatch.setattr(gpu_metrics, "visible_uuids", lambda: ["1"])
    monkeypatch.setattr(gpu_metrics, "installed_nvml", lambda: Nvml(CARD, {**CARD, "util": 7}))
    gpu = of_training("cuda")
    gpu.look()
    assert gpu.utilization() == 7.0


@pytest.mark.parametrize("library", [None, Nvml(CARD, driver=False)])
def test_without_it_nvidia_smi_is_asked(monkeypatch, tmp_path, library):
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho '33, 100, 200, 50'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(gpu_metrics, "visible_uuids", lambda: ["0"])
    monkeypatch.setattr(gpu_metrics, "installed_nvml", lambda: library)
    gpu = of_training("cuda")
    gpu.look()
    assert gpu.utilization() == 33.0


def test_the_library_is_one_or_none():
    found = gpu_metrics.installed_nvml()
    assert found is None or issubclass(found.NVMLError, Exception)


def test_cards_that_cuda_shows():
    torch = pytest.importorskip("torch")
    assert len(gpu_metrics.visible_uuids()) == torch.cuda.device_count()
