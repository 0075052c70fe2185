"""Values that follow from other words than a number."""

import pytest


@pytest.mark.parametrize(
    ("words", "alpha"),
    [("rank 16, alpha twice the rank", 32), ("rank 16, alpha = rank", 16), ("Rang 16, Alpha doppelt so hoch wie der Rang", 32), ("r=8 alpha=2r", 16), ("r16 a32", 32), ("rank 32, alpha twice that", 64), ("Rang 32, Alpha doppelt so hoch", 64), ("rank 32, alpha twice", 64), ("rank 32, alpha twice the batch", None), ("alpha twice the rank", None)],
)  # fmt: skip
def test_alpha_from_the_rank(fields, words, alpha):
    assert fields(f"qwen3 8b on rows.csv, {words}").get("lora_alpha") == alpha


@pytest.mark.parametrize("words", ["no dropout", "without dropout", "ohne Dropout", "sans dropout"])
def test_nought_of_it(fields, words):
    assert fields(f"qwen3 8b on rows.csv, {words}")["lora_dropout"] == 0


def test_what_is_declined_and_named(fields):
    assert fields("qwen3 8b on rows.csv, dropout 0.1 not 0.2")["lora_dropout"] == 0.1
