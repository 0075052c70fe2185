"""Which layers are adapted, and how many parameters that is; by hand and by the lab's counts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podtune.core.errors import SpecError
from podtune.core.spec import AdapterKind, AdapterSpec
from podtune.planning import adaptation, model_facts
from podtune.storage.base_models import PACKAGE_CONFIG
from support import build

SMOLLM2 = model_facts.facts_from_config(
    PACKAGE_CONFIG, name="m", revision=None, source="path", location=None
)
QWEN3_NEXT = model_facts.facts_from_config(
    {
        "model_type": "qwen3_next", "hidden_size": 2048, "num_hidden_layers": 48,
        "num_attention_heads": 16, "num_key_value_heads": 2, "vocab_size": 151936,
        "num_experts": 512, "num_experts_per_tok": 10, "moe_intermediate_size": 512,
        "shared_expert_intermediate_size": 512, "intermediate_size": 5632,
    },
    name="Qwen/Qwen3-Next-80B-A3B-Instruct", revision=None, source="hub", location=None,
)  # fmt: skip
SEVEN = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


def trained(facts=SMOLLM2, kind=AdapterKind.LORA, **fields):
    what = adaptation.adaptation(AdapterSpec(**fields), facts, kind)
    return adaptation.trained_parameters(facts, what)


def names(facts, targets="all-linear"):
    return adaptation.layer_names(AdapterSpec(target_modules=targets), facts)


def test_smollm2_at_rank_16_is_exact():
    assert trained(rank=16).total == 4_884_480


def test_only_named_targets_count():
    found = trained(rank=8, target_modules=("q_proj", "v_proj")).total
    assert found == 8 * 30 * ((576 + 576) + (576 + 192))


def test_a_target_named_twice_counts_once():
    assert trained(target_modules=("q_proj", "q_proj")) == trained(target_modules=("q_proj",))


def test_unknown_targets_are_named_with_the_choice():
    with pytest.raises(SpecError, match=r"lm_head, wte") as caught:
        trained(target_modules=("q_proj", "wte", "lm_head"))
    assert "gate_proj" in str(caught.value.hint)


def test_no_target_at_all_is_refused():
    with pytest.raises(SpecError, match="empty"):
        trained(target_modules=())


def test_the_rank_may_equal_the_smallest_side_and_no_more():
    assert trained(rank=192).total == 192 * 4_884_480 // 16
    with pytest.raises(SpecError, match=r"193.*192"):
        trained(rank=193)


def test_the_smallest_side_is_that_of_the_adapted_layers_only():
    assert trained(rank=193, target_modules=("q_proj",)).total == 193 * 30 * (576 + 576)


def test_gates_of_a_head_bound_no_rank():
    hybrid = build.facts(
        model_type="qwen3_5_text", head_dim=16, linear_num_key_heads=8, linear_num_value_heads=8,
        linear_key_head_dim=8, linear_value_head_dim=8, layer_types=["linear_attention"] * 2,
    )  # fmt: skip
    assert min(s.outputs for s in hybrid.linears) == 8
    assert trained(hybrid, rank=16).total > 0


def test_dora_adds_a_magnitude_for_each_output():
    outputs = 30 * (576 + 192 + 192 + 576 + 1536 + 1536 + 576)
    assert trained(kind=AdapterKind.DORA).total == trained().total + outputs


@pytest.mark.parametrize("kind", [AdapterKind.QLORA, AdapterKind.RSLORA])
def test_other_kinds_are_as_large_as_lora(kind):
    assert trained(kind=kind) == trained()


def test_full_trains_everything():
    assert trained(kind=AdapterKind.FULL) == (134_515_008, 0)
    assert trained(QWEN3_NEXT, AdapterKind.FULL).experts == QWEN3_NEXT.experts.parameters


def test_all_linear_of_a_dense_model_is_every_layer():
    assert names(SMOLLM2) == SEVEN


def test_on_a_mixture_it_is_attention_and_linear_attention():
    assert set(names(QWEN3_NEXT)) == {
        "q_proj", "k_proj", "v_proj", "o_proj", "in_proj_qkvz", "out_proj",
    }  # fmt: skip


def test_the_seven_names_mean_the_same_on_a_mixture():
    assert set(names(QWEN3_NEXT, SEVEN)) == set(names(QWEN3_NEXT))
    assert adaptation.substituted(AdapterSpec(target_modules=SEVEN), QWEN3_NEXT) == SEVEN[4:]


def test_names_without_feed_forward_are_taken_as_they_are():
    assert names(QWEN3_NEXT, ("q_proj", "in_proj_ba")) == ("q_proj", "in_proj_ba")
    assert adaptation.substituted(AdapterSpec(target_modules=("q_proj",)), QWEN3_NEXT) == ()


def test_a_dense_model_substitutes_nothing():
    assert adaptation.substituted(AdapterSpec(target_modules=SEVEN), SMOLLM2) == ()
    assert adaptation.substituted(AdapterSpec(), SMOLLM2) == ()


def test_attention_of_the_80b_mixture_as_the_lab_counted():
    """Section 4: attention alone 4.1 M."""
    found = trained(QWEN3_NEXT, target_modules=("q_proj", "k_proj", "v_proj", "o_proj"))
    assert round(found.total / 1e6, 1) == 4.1
    with_linear = trained(QWEN3_NEXT, target_modules=(*names(QWEN3_NEXT), "in_proj_ba"))
    assert round(with_linear.total / 1e6, 1) == 17.1


def test_experts_are_counted_on_request():
    without, with_experts = trained(QWEN3_NEXT), trained(QWEN3_NEXT, experts=True)
    assert without.experts == 0
    one = 16 * (2048 + 1024) + 16 * (512 + 2048)
    assert with_experts.experts == 48 * 512 * one
    assert with_experts.total == without.total + with_experts.experts
    assert adaptation.expert_parameters(SMOLLM2, 16) == 0


def test_experts_of_a_dense_model_are_refused():
    with pytest.raises(SpecError, match="has no experts") as caught:
        trained(experts=True)
    assert caught.value.code == "no_experts"


@given(st.integers(1, 192), st.integers(1, 192))
def test_a_higher_rank_has_more_parameters(left, right):
    small, large = sorted((left, right))
    assert trained(rank=small).total * large == trained(rank=large).total * small
