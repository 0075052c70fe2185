import pytest

import gpu_facts
from podtune.core.handover import GpuUse


def test_a_card():
    (card,) = gpu_facts.parse("97, 40321, 46068, 288.51\n")
    assert card == {
        "util": 97.0, "memory_used_bytes": 40321 * 2**20, "memory_total_bytes": 46068 * 2**20,
        "power_w": 288.51,
    }  # fmt: skip
    assert GpuUse.model_validate(card).util == 97


@pytest.mark.parametrize(
    ("text", "cards"),
    [
        ("", 0),
        ("[N/A], 1, 2, [Not Supported]\n", 1),
        ("NVIDIA-SMI has failed\n", 0),
        ("1,2,3,4\n" * 8, 8),
    ],
)
def test_what_is_not_known_is_null(text, cards):
    found = gpu_facts.parse(text)
    assert len(found) == cards
    if cards == 1:
        assert (found[0]["util"], found[0]["power_w"]) == (None, None)


def test_it_is_asked_now_and_then_only():
    asked, at = [], [0.0]

    def source():
        asked.append(at[0])
        return "1, 2, 3, 4"

    cards = gpu_facts.Gpus(source, lambda: at[0])
    for second in (0.0, 1.0, 2.0, 2.5, 3.0):
        at[0] = second
        assert len(cards.read()) == 1
    assert asked == [0.0, 2.5]


def test_without_nvidia_smi_there_is_no_card(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert gpu_facts.ask() == ""
