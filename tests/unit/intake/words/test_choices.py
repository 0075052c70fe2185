"""Which model and which cards are meant, offered or refused."""

import pytest


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ("A100 or H100", {"gpu_any_of": ["A100", "H100"]}), ("an A100, H100 or L40S", {"gpu_any_of": ["A100", "H100", "L40S"]}), ("anything but T4", {"gpu_avoid": ["T4"]}),
        ("no T4, no L4", {"gpu_avoid": ["T4", "L4"]}), ("don't use an A100, H100 or L40S", {"gpu_avoid": ["A100", "H100", "L40S"]}), ("no H100, 2x A100", {"gpu_avoid": ["H100"], "gpu_type": "A100", "gpu_count": 2}),
        ("an H100 instead of an A100", {"gpu_type": "H100"}), ("A100, no wait, H100", {"gpu_type": "H100"}), ("A100 oder H100", {"gpu_any_of": ["A100", "H100"]}), ("keine A100", {"gpu_avoid": ["A100"]}), ("A100 或 H100", {"gpu_any_of": ["A100", "H100"]}),
        ("any of L4, T4, A40", {"gpu_any_of": ["L4", "T4", "A40"]}), ("two A100s or two H100s", {"gpu_any_of": ["A100", "H100"], "gpu_count": 2}), ("A100, not the H100", {"gpu_type": "A100", "gpu_avoid": ["H100"]}),
        ("A100を3台", {"gpu_type": "A100", "gpu_count": 3}), ("one 48 GB card", {"gpu_count": 1, "gpu_vram_gb": 48}), ("my 4090 is too small", {}), ("A100 bitte nicht", {"gpu_avoid": ["A100"]}), ("A100は使わないで", {"gpu_avoid": ["A100"]}), ("H100 is a no-go, L4", {"gpu_avoid": ["H100"], "gpu_type": "L4"}), ("we used two H100s before", {}), ("the A100 was too slow, take an H100", {"gpu_type": "H100"}),
    ],
)  # fmt: skip
def test_cards(fields, words, wanted):
    found = fields(f"qwen3 8b on rows.csv; {words}")
    assert {k: v for k, v in found.items() if k.startswith("gpu")} == wanted


@pytest.mark.parametrize("words", ["A100 and H100", "a 4090 or better", "A100以上"])
def test_what_is_open_is_asked(read, words):
    found = read(f"qwen3 8b on rows.csv; {words}")
    assert found.must_ask == ["gpu_type"]
    assert not [f for f in found.fields if f.startswith("gpu")]


def test_one_instead_of_another(fields):
    assert fields("instead of llama 3.1 8b use qwen3 8b on rows.csv")["base_model_family"] == "qwen"


def test_two_models_offered_are_asked_about(read):
    found = read("qwen3 8b or llama 3.1 8b on rows.csv, you choose")
    assert found.must_ask == ["base_model"]
    assert "base_model_family" not in found.fields


@pytest.mark.parametrize("words", ["gpt-4o", "claude", "gemini pro", "GPT-3.5 turbo"])
def test_closed_weights(read, words):
    found = read(f"fine-tune {words} on rows.csv")
    assert found.must_ask == ["base_model"]
    assert found.flags == ["out_of_scope"]


@pytest.mark.parametrize("words", ["stable diffusion", "whisper small", "yolov8", "an image model"])
def test_no_language_model(read, words):
    assert "out_of_scope" in read(f"fine-tune {words} on my files").flags


@pytest.mark.parametrize(
    "words", ["our chatgpt conversations", "answers as good as gpt-4", "exports from claude"]
)
def test_a_closed_model_that_is_only_spoken_of(read, words):
    assert "out_of_scope" not in read(f"train qwen3 8b on rows.csv, {words}").flags


def test_what_the_data_is_about_is_no_card(fields):
    assert "gpu_type" not in fields("qwen3 8b on rows.csv, tickets about the A100")
    assert fields("qwen3 8b on rows.csv, how about an A100?")["gpu_type"] == "A100"
