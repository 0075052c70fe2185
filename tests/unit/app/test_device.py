"""What this machine computes with. A stand-in nvidia-smi on PATH plays the cards."""

import os

import psutil
import pytest

from podtune.app import device
from podtune.core.errors import SpecError
from podtune.core.units import MIB


@pytest.fixture
def card(tmp_path, monkeypatch):
    """Put an nvidia-smi that says so on PATH."""

    def play(answer, code=0):
        program = tmp_path / "nvidia-smi"
        program.write_text(f"#!/bin/sh\ncat <<'END'\n{answer}\nEND\nexit {code}\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")

    return play


@pytest.fixture
def no_card(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))


def test_a_cpu_is_always_there():
    found = device.detect("cpu")
    assert found.kind == "cpu"
    assert found.cores >= 1
    assert 0 < found.memory_bytes <= psutil.virtual_memory().total


def test_case_does_not_matter():
    assert device.detect("CPU") == device.detect("cpu")


@pytest.mark.parametrize("wanted", ["tpu", "H100", "", "cuda:0"])
def test_an_unknown_device_is_refused_with_the_choice(wanted):
    with pytest.raises(SpecError, match=r"where\.gpu") as caught:
        device.detect(wanted)
    assert "cpu" in str(caught.value.hint)


def test_without_a_card_auto_is_something_else(no_card):
    assert device.detect("auto").kind in ("cpu", "mps")


def test_a_card_that_is_not_here_is_refused(no_card):
    with pytest.raises(SpecError, match="no cuda device"):
        device.detect("cuda")


@pytest.mark.parametrize(("capability", "bf16"), [("7.5", False), ("8.0", True), ("12.0", True)])
def test_a_card_is_read_and_preferred(card, capability, bf16):
    card(f"NVIDIA GeForce, the 2nd, 24564, {capability}\nanother, 1, 9.0")
    found = device.detect("auto")
    assert (found.kind, found.name) == ("cuda", "NVIDIA GeForce, the 2nd")
    assert found.memory_bytes == 24564 * MIB
    assert found.bf16 is bf16


@pytest.mark.parametrize(("answer", "code"), [("", 0), ("No devices were found", 6)])
def test_a_driver_without_a_card_is_no_card(card, answer, code):
    card(answer, code)
    with pytest.raises(SpecError, match="no cuda device"):
        device.detect("cuda")


@pytest.mark.parametrize("answer", ["NVIDIA GB10, [N/A], 12.1", "odd", "No devices were found"])
def test_an_answer_that_cannot_be_read_is_no_traceback(card, answer):
    card(answer)
    assert device.detect("auto").kind in device.KINDS


CARD = "NVIDIA H100 80GB HBM3, 81559, 9.0"


@pytest.mark.parametrize(
    ("visible", "count"), [("0", 1), ("2,3", 2), ("GPU-ab12, GPU-cd34,", 2), (None, 1)]
)
def test_cards_that_may_be_seen_are_counted(card, monkeypatch, visible, count):
    card(CARD)
    if visible is None:
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    else:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert device.detect("cuda").count == count


def test_without_a_wish_all_cards_of_the_name_count(card, monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    card(f"{CARD}\nNVIDIA H100 80GB HBM3, 81559, 9.0\nNVIDIA T400, 2048, 7.5")
    assert device.detect("cuda").count == 2


def test_a_cpu_takes_a_process_for_each_core():
    found = device.detect("cpu")
    assert found.count == found.cores
    assert found.kernels == ()


def test_libraries_for_a_card_are_found_without_being_imported(card, monkeypatch, tmp_path):
    card(CARD)
    for name in ("fla", "causal_conv1d"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise RuntimeError('imported')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert device.detect("cuda").kernels == ("causal_conv1d", "fla")
