"""What is asked, confirmed and doubted."""

import pytest


def test_nothing_said_of_the_data(read):
    assert read("qwen3 8b, 3 epochs").must_ask == ["dataset"]
    assert read("how much does qwen3 8b cost?").must_ask == []


@pytest.mark.parametrize(
    "words",
    ["mistral", "mistral 7b", "a small model", "llama 8b", "mistrl 7b v0.3", "mistral small 24b"],
)
def test_a_model_that_leaves_several(read, words):
    assert "base_model" in read(f"train {words} on rows.csv").must_confirm


@pytest.mark.parametrize(
    "words",
    [
        "mistral 7b v0.3",
        "phi-4",
        "Qwen/Qwen3-8B",
        "llama 3.1 8b",
        "tinyllama",
        "gpt-oss-20b",
        "mistral nemo",
    ],
)
def test_a_model_that_is_one(read, words):
    assert "base_model" not in read(f"train {words} on rows.csv").must_confirm


@pytest.mark.parametrize(
    "words", ["lr 5", "300 epochs", "0 epochs", "rank 4096", "$0", "900 GPUs", "rank 2.5"]
)
def test_implausible(read, words):
    assert "implausible_value" in read(f"qwen3 8b on rows.csv, {words}").flags


def test_too_large_for_its_card(read):
    assert (
        "likely_infeasible" in read("full fine-tune of llama 3 70b on one RTX 4090, rows.csv").flags
    )
    assert "likely_infeasible" in read("full fine-tune of mixtral 8x7b on a 3090, rows.csv").flags
    assert "likely_infeasible" not in read("qlora of qwen3 8b on an RTX 4090, rows.csv").flags


@pytest.mark.parametrize("words", ["no more than ten", "15 max", "12,50 max"])
def test_a_limit_without_a_unit_is_asked_about(read, words):
    assert "budget" in read(f"{words}, qwen3 8b on rows.csv").must_ask
