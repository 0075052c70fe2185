"""Names in words -> releases of the table."""

import pytest

from podtune.intake.model_choice import choose, described, size_of
from podtune.intake.words.parse import parse
from support.words import NOW


def chosen(words, *, rented=True, **more):
    fields = {**parse(f"train {words} on rows.csv", NOW).fields, **more}
    return choose(fields, rented=rented)


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("mistral", "mistralai/Mistral-7B-Instruct-v0.3"),
        ("mistral 7b v0.2", "mistralai/Mistral-7B-Instruct-v0.2"),
        ("mistral small", "mistralai/Mistral-Small-24B-Instruct-2501"),
        ("Llama 3 8B", "meta-llama/Meta-Llama-3-8B-Instruct"),
        ("llama 3.1 8b base", "meta-llama/Llama-3.1-8B"),
        ("llama 70b", "meta-llama/Llama-3.3-70B-Instruct"),
        ("qwen3 4b", "Qwen/Qwen3-4B-Instruct-2507"),
        ("qwen 2.5 coder 7b", "Qwen/Qwen2.5-Coder-7B-Instruct"),
        ("Qwen3-Next-80B-A3B-Instruct", "Qwen/Qwen3-Next-80B-A3B-Instruct"),
        ("phi 3 mini", "microsoft/Phi-3-mini-4k-instruct"),
        ("phi-4", "microsoft/phi-4"),
        ("gpt-oss-20b", "openai/gpt-oss-20b"),
        ("granite 3.3 2b", "ibm-granite/granite-3.3-2b-instruct"),
        ("deepseek r1 distill qwen 7b", "deepseek-ai/DeepSeek-R1-Distill-Qwen-7B"),
        ("SmolLM2 135M", "HuggingFaceTB/SmolLM2-135M-Instruct"),
        ("tinyllama", "TinyLlama/TinyLlama-1.1B-Chat-v1.0"),
    ],
)
def test_a_name_finds_its_release(words, name):
    found = chosen(words)
    assert found.fits
    assert found.releases[0].name == name


def test_plain_text_takes_a_base_model_and_code_a_coder():
    assert chosen("llama 3.1 8b", method="cpt").releases[0].variant == "base"
    assert chosen("qwen2.5 7b", task="code").releases[0].variant == "coder"


@pytest.mark.parametrize(
    ("words", "instead"),
    [
        ("gemma-3-4b-it", "google/gemma-2-9b-it"),
        ("deepseek r1", "deepseek-ai/DeepSeek-R1-Distill-Qwen-7B"),
        ("llama 4 scout", "meta-llama/Llama-3.3-70B-Instruct"),
        ("granite 4 8b", "ibm-granite/granite-3.3-8b-instruct"),
        ("qwen2.5 vl 7b", "Qwen/Qwen3-8B"),
        ("gpt2", "HuggingFaceTB/SmolLM2-360M-Instruct"),
    ],
)
def test_what_cannot_be_trained_says_why_and_what_can(words, instead):
    found = chosen(words)
    assert not found.fits
    assert found.untrained is not None
    assert found.releases[0].name == instead


def test_a_release_that_is_not_there_offers_the_nearest():
    found = chosen("qwen3 12b")
    assert not found.fits
    assert found.untrained is None
    assert found.releases[0].name == "Qwen/Qwen3-14B"


def test_without_a_name_it_depends_on_the_machine():
    assert choose({}, rented=False).releases[0].name == "HuggingFaceTB/SmolLM2-135M-Instruct"
    assert choose({}, rented=True).releases[0].name == "Qwen/Qwen3-8B"
    assert choose({"priority": "cheapest"}, rented=True).releases[0].name == "Qwen/Qwen3-1.7B"
    assert choose({"base_model_size_b": 7}, rented=True).releases[0].parameters_b > 7
    far = choose({"base_model_size_b": 500}, rented=True)
    assert not far.fits
    assert far.releases


def test_a_release_is_told_with_its_terms():
    told = described(chosen("mistral").releases[0])
    assert "7.25 billion parameters, Apache-2.0, 32768 tokens" in told
    assert "accepted on the Hub" in told
    assert "no chat template" in described(chosen("phi-2").releases[0])


def test_the_size_of_a_name():
    assert size_of("qwen/qwen3-8b") == 8.19
    assert size_of("acme/llama-3.1-70b-tuned") == 70
    assert size_of("acme/ours") is None
