"""Field words as fingers write them."""

import pytest

from podtune.intake.words.mistyped import meant


@pytest.mark.parametrize(
    ("word", "right"),
    [("rnak", "rank"), ("bacth", "batch"), ("epcohs", "epochs"), ("lerning", "learning"), ("bugdet", "budget"), ("rank", "rank"), ("stops", "stops"), ("bath", "bath"), ("train", "train"), ("", "")],
)  # fmt: skip
def test_what_is_meant(word, right):
    assert meant(word) == right


def test_in_a_request(fields):
    found = fields("qwen3 8b on rows.csv wiht rnak 16 and bacth size 4")
    assert (found["lora_rank"], found["batch_size"]) == (16, 4)
