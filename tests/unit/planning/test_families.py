"""The table of families; `tests/worker/test_families.py` compares each row with a real model."""

import pytest

from podtune.planning.adapter_targets import MIXTURE_TARGETS
from podtune.planning.families import FAMILIES, WRAPPED


def test_the_families_of_the_promise_are_there():
    promised = {
        "llama", "mistral", "qwen2", "qwen3", "smollm3", "gemma", "gemma2", "gemma3_text", "phi",
        "phi3", "glm", "glm4", "granite", "olmo2", "olmo3", "cohere", "cohere2", "mixtral",
        "qwen2_moe", "qwen3_moe", "qwen3_next", "qwen3_5_text", "qwen3_5_moe_text", "gpt_oss",
        "glm4_moe", "deepseek_v3",
    }  # fmt: skip
    assert promised <= set(FAMILIES)


def test_what_is_wrapped_holds_a_known_family():
    assert set(WRAPPED.values()) <= set(FAMILIES)
    assert not set(WRAPPED) & set(FAMILIES)


@pytest.mark.parametrize("family", [f for f in FAMILIES if FAMILIES[f].mixture])
def test_a_mixture_has_its_targets_or_adapts_all_attention(family):
    assert family in MIXTURE_TARGETS or FAMILIES[family].stateful is None


@pytest.mark.parametrize("family", [f for f in FAMILIES if FAMILIES[f].kernels])
def test_kernels_are_named_for_layers_with_a_state_only(family):
    assert FAMILIES[family].stateful is not None
