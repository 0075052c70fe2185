"""Names of cards as people spell them."""

import pytest

from podtune.intake.words import cards


@pytest.mark.parametrize(
    ("words", "name", "number", "memory"),
    [
        ("rtx 4090", "RTX 4090", None, None), ("a 3090", "RTX 3090", None, None), ("4080 super", "RTX 4080 SUPER", None, None), ("3060 ti", "RTX 3060 Ti", None, None), ("nvidia a100-sxm4-80gb", "A100", None, 80),
        ("80gb a100", "A100", None, 80), ("8xh100", "H100", 8, None), ("a100 x2", "A100", 2, None), ("rtx a5000", "A5000", None, None), ("rtx 6000 ada", "RTX 6000 Ada", None, None), ("mi300x", "MI300X", None, None),
        ("l40s", "L40S", None, None), ("l4", "L4", None, None), ("tesla t4", "T4", None, None), ("single h200", "H200", 1, None), ("on the cpu", "CPU", None, None), ("dual 3090s", "RTX 3090", 2, None), ("b200", "B200", None, None), ("a40s", "A40", None, None), ("h100s", "H100", None, None),
    ],
)  # fmt: skip
def test_a_card(words, name, number, memory):
    (found,) = cards.find(words)
    assert (found.name, found.number, found.memory_gb) == (name, number, memory)


@pytest.mark.parametrize(
    "words", ["3090 examples", "paragraph a4", "the 4090 rows", "ha100", "level 4", "r8 a16"]
)
def test_no_card(words):
    assert cards.find(words) == []
