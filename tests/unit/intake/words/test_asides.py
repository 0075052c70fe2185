"""Memory, numbers of cards, held-out shares and row limits, and remarks that are none of these."""

import pytest


@pytest.mark.parametrize(
    ("words", "field", "value"),
    [
        ("at least 48 gigs of vram", "gpu_vram_gb", 48), ("a 24GB card", "gpu_vram_gb", 24), ("H100 80GB", "gpu_vram_gb", 80), ("2 GPUs with 48GB each", "gpu_vram_gb", 48),
        ("2 GPUs", "gpu_count", 2), ("two H100s", "gpu_count", 2), ("1xH200", "gpu_count", 1), ("4 x L40S", "gpu_count", 4), ("zwei A100", "gpu_count", 2), ("a pair of A40", "gpu_count", 2),
        ("hold out 10%", "eval_fraction", 0.1), ("validation split 0.2", "eval_fraction", 0.2), ("a 90/10 split for validation", "eval_fraction", 0.1), ("evaluate on 200 rows", "eval_rows", 200), ("evaluate on 200 held-out rows", "eval_rows", 200), ("hold out 15 percent", "eval_fraction", 0.15), ("maximal 1.500 Zeilen", "dataset_max_rows", 1500),
        ("just the first 1,500 rows", "dataset_max_rows", 1500), ("at most 20k examples", "dataset_max_rows", 20_000), ("höchstens 1.500 Zeilen", "dataset_max_rows", 1500), ("only 300 tickets", "dataset_max_rows", 300), ("use just 2k of the 40k rows", "dataset_max_rows", 2000), ("only 500 of our 12,000 tickets", "dataset_max_rows", 500), ("90k threads, take a random 5,000 of them", "dataset_max_rows", 5000),
    ],
)  # fmt: skip
def test_it_is_read(fields, words, field, value):
    assert fields(f"qwen3 8b; {words}; rows.csv")[field] == value


@pytest.mark.parametrize(
    "words",
    [
        "the export has 2 GB of logs",
        "a machine with 64GB ram",
        "we have 12,000 tickets",
        "4 GPU hours",
        "we take 500 tickets a day",
        "tickets of the last 2 years",
    ],
)
def test_remarks_are_no_orders(fields, words):
    assert not set(fields(f"qwen3 8b. {words}. rows.csv")) & {
        "gpu_vram_gb",
        "gpu_count",
        "dataset_max_rows",
        "max_hours",
    }
