"""Names of models: family, version, size, variant; near misses; what only looks like one."""

import pytest

from podtune.intake.words import names


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        ("mistral 7b", ("mistral", None, 7, None)), ("mistral 7b v0.3", ("mistral", "0.3", 7, None)), ("mistral nemo", ("mistral", "nemo", None, None)), ("mistral small 3.1 24b", ("mistral", "small-3.1", 24, None)),
        ("meta-llama-3.1-70b-instruct", ("llama", "3.1", 70, "instruct")), ("llama 3 8b", ("llama", "3", 8, None)), ("70b llama", ("llama", None, 70, None)), ("llama-2-13b-chat-hf", ("llama", "2", 13, "chat")), ("llama 4 scout", ("llama", "4-scout", None, None)),
        ("qwen2.5-32b", ("qwen", "2.5", 32, None)), ("qwen3-30b-a3b", ("qwen", "3", 30, None)), ("qwen3-next-80b-a3b-instruct", ("qwen", "3-next", 80, "instruct")), ("qwen2.5-coder-7b-instruct", ("qwen", "2.5", 7, "coder")), ("qwen3 4b 2507", ("qwen", "3", 4, None)),
        ("gemma 2 9b it", ("gemma", "2", 9, "instruct")), ("gemma-3-270m", ("gemma", "3", 0.27, None)), ("gemma 3n e4b", ("gemma", "3n", None, None)), ("phi-4", ("phi", "4", None, None)), ("phi 3.5 mini", ("phi", "3.5", None, "mini")),
        ("smollm2 360m", ("smollm", "2", 0.36, None)), ("tinyllama", ("tinyllama", None, None, None)), ("codellama 13b", ("codellama", None, 13, None)), ("gpt-oss-20b", ("gpt-oss", None, 20, None)), ("deepseek r1 distill qwen 7b", ("deepseek", "r1-distill", 7, None)),
        ("mixtral 8x7b", ("mixtral", None, None, None)), ("granite 3.3 2b", ("granite", "3.3", 2, None)), ("ministral 8b", ("ministral", None, 8, None)), ("olmo 2 7b", ("olmo", "2", 7, None)), ("yi 34b", ("yi", None, 34, None)),
        ("mistrl 7b instrct", ("mistral", None, 7, "instruct")), ("lama 3 8b", ("llama", "3", 8, None)), ("gema 2 2b", ("gemma", "2", 2, None)), ("llama 3 epochs", ("llama", None, None, None)), ("llama 3 for 3 epochs", ("llama", "3", None, None)),
    ],
)  # fmt: skip
def test_a_name(words, parts):
    (found,) = names.find(words)
    assert (found.family, found.version, found.size_b, found.variant) == parts


@pytest.mark.parametrize(
    "words",
    [
        "ollama",
        "a small model",
        "lambda",
        "grant money",
        "the minister",
        "phil wrote",
        "option 2",
        "an alpaca farm",
    ],
)
def test_no_name(words):
    assert names.find(words) == []


@pytest.mark.parametrize(
    ("words", "families"),
    [("olmo or yi", ["olmo", "yi"]), ("llama oder alpaca", ["llama", "alpaca"]), ("llama or opt for qwen", ["llama", "qwen"])],
)  # fmt: skip
def test_an_everyday_word_is_a_model_where_another_is_offered_with_it(words, families):
    assert [found.family for found in names.find(words)] == families


def test_a_near_miss_is_told_from_an_exact_name():
    assert names.find("mistrl 7b")[0].is_guess
    assert not names.find("mistral 7b")[0].is_guess


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("Mistral-7B-Instruct-v0.2", ("mistral", "0.2", 7)), ("SmolLM2-360M-Instruct", ("smollm", "2", 0.36)), ("DeepSeek-R1-Distill-Qwen-7B", ("deepseek", "r1-distill", 7)), ("Meta-Llama-3-8B", ("llama", "3", 8)), ("Phi-3.5-mini-instruct", ("phi", "3.5", None)),
    ],
)  # fmt: skip
def test_an_id(name, parts):
    found = names.parse_id(name)
    assert found is not None
    assert (found.family, found.version, found.size_b) == parts


def test_sizes_that_stand_alone():
    assert [size for size, _, _ in names.sizes("a 7b model or 135m parameters")] == [7, 0.135]
