"""A base model's config.json becomes the sizes of the formulas, or is refused with the reason."""

import pytest

from podtune.core.errors import PodtuneError, SpecError, UnsupportedError
from podtune.planning import model_facts
from podtune.storage.base_models import PACKAGE_CONFIG
from support import build

SMOLLM2 = dict(PACKAGE_CONFIG)

MIXTURE = {
    "model_type": "qwen3_moe", "num_experts": 8, "num_experts_per_tok": 2,
    "moe_intermediate_size": 32,
}  # fmt: skip


def read(**changes):
    config = {k: v for k, v in (SMOLLM2 | changes).items() if v is not ...}
    return model_facts.facts_from_config(
        config, name="org/model", revision="abc", source="hub", location="/models/x"
    )


def test_smollm2_has_the_parameters_its_card_says():
    facts = read()
    assert facts.total_parameters == 134_515_008
    assert facts.linear_parameters == 134_515_008 - 49152 * 576 - 576 * 61


def test_widths_of_grouped_query_attention():
    facts = read()
    assert (facts.attention_size, facts.kv_size) == (576, 192)


def test_an_explicit_head_size_wins_over_the_quotient():
    facts = read(head_dim=128)
    assert (facts.attention_size, facts.kv_size) == (9 * 128, 3 * 128)


def test_without_key_value_heads_every_head_has_its_own():
    assert read(num_key_value_heads=...).kv_size == 576


@pytest.mark.parametrize("value", [None, True, "3"])
def test_a_field_that_is_no_number_counts_as_absent(value):
    assert read(num_key_value_heads=value).kv_size == 576


def test_untied_embeddings_are_counted_twice():
    assert read(tie_word_embeddings=False).total_parameters - read().total_parameters == 49152 * 576


def test_names_and_places_are_passed_through():
    facts = read()
    assert (facts.name, facts.revision, facts.source, facts.location) == (
        "org/model",
        "abc",
        "hub",
        "/models/x",
    )


def test_positions_have_a_careful_default():
    assert read(max_position_embeddings=...).max_positions == 2048


def test_linear_layers_add_up_and_stand_once_a_layer():
    facts = read()
    assert [s.name for s in facts.linears] == [
        "q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj",
    ]  # fmt: skip
    assert {s.copies for s in facts.linears} == {30}
    assert sum(s.parameters for s in facts.linears) == facts.linear_parameters


def test_output_projection_goes_back_from_attention_to_hidden():
    shapes = {s.name: s for s in read(head_dim=32).linears}
    assert (shapes["o_proj"].inputs, shapes["o_proj"].outputs) == (288, 576)
    assert (shapes["q_proj"].inputs, shapes["q_proj"].outputs) == (576, 288)


def test_a_mixture_says_its_experts_apart_from_its_layers():
    facts = build.facts(**MIXTURE)
    assert (facts.experts.count, facts.experts.active, facts.experts.layers) == (8, 2, 2)
    assert facts.experts.parameters == 2 * 8 * 3 * 64 * 32
    assert not any(s.name.endswith("gate_proj") for s in facts.linears)


def test_a_mixture_with_dense_layers_has_both():
    facts = build.facts(layers=4, **MIXTURE, mlp_only_layers=[0])
    assert facts.experts.layers == 3
    assert {s.name: s.copies for s in facts.linears}["gate_proj"] == 1


def test_a_dense_model_has_no_experts():
    assert read().experts is None


@pytest.mark.parametrize(
    "key",
    [
        "hidden_size",
        "num_hidden_layers",
        "num_attention_heads",
        "vocab_size",
        "intermediate_size",
    ],
)
def test_a_missing_size_is_named(key):
    with pytest.raises(SpecError, match=key) as caught:
        read(**{key: ...})
    assert caught.value.code == "unknown_architecture"


def test_all_missing_sizes_are_named_at_once():
    with pytest.raises(SpecError, match=r"hidden_size.*vocab_size"):
        read(hidden_size=..., vocab_size=...)


@pytest.mark.parametrize("key", ["num_experts", "num_experts_per_tok", "moe_intermediate_size"])
def test_a_missing_size_of_a_mixture_is_named(key):
    with pytest.raises(SpecError, match=key):
        build.facts(**{**MIXTURE, key: None})


def test_a_mixture_without_dense_layers_needs_no_dense_width():
    assert build.facts(**MIXTURE, intermediate_size=None).intermediate_size == 0
    with pytest.raises(SpecError, match="intermediate_size"):
        build.facts(**MIXTURE, intermediate_size=None, mlp_only_layers=[0])


HYBRID = {
    "model_type": "qwen3_5_text", "head_dim": 16, "linear_num_key_heads": 2,
    "linear_num_value_heads": 2, "linear_key_head_dim": 8, "linear_value_head_dim": 8,
}  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "layers"),
    [
        ({"layer_types": ["linear_attention", "full_attention"]}, 1),
        ({"layer_types": ["full_attention", "full_attention"]}, 0),
        ({"full_attention_interval": 2}, 1),
        ({}, 2),  # every fourth attends; there are two
    ],
)
def test_layers_with_a_state_are_counted(changes, layers):
    assert build.facts(**HYBRID, **changes).linear_attention_layers == layers


@pytest.mark.parametrize(
    ("kernels", "apart"),
    [((), False), (("fla",), False), (("causal_conv1d", "fla", "flash_attn"), True)],
)
def test_layers_with_a_state_keep_documents_apart_with_their_kernels_only(kernels, apart):
    hybrid = build.facts(**HYBRID)
    assert model_facts.keeps_documents_apart(hybrid, kernels) is apart
    assert model_facts.keeps_documents_apart(read(), kernels)
    assert model_facts.packing_kernels(hybrid) == ("causal_conv1d", "fla")
    assert model_facts.packing_kernels(read()) == ()


def test_no_kernel_keeps_the_documents_of_short_convolutions_apart():
    facts = build.facts(model_type="lfm2", layer_types=["conv", "full_attention"])
    assert facts.linear_attention_layers == 1
    assert not model_facts.keeps_documents_apart(facts, ("causal_conv1d", "fla"))


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"model_type": "bert"}, "unknown_architecture"),
        ({"model_type": ""}, "unknown_architecture"),
        ({"quantization_config": {"quant_method": "gptq"}}, "not_built"),
        ({"hidden": -576}, "unknown_architecture"),
    ],
)
def test_what_training_could_not_load_is_refused_before_anything_is_fetched(changes, code):
    with pytest.raises(PodtuneError) as caught:
        build.facts(**changes)
    assert caught.value.code == code


def test_an_unknown_family_is_refused_with_the_known_ones():
    with pytest.raises(UnsupportedError, match=r"is a gpt2 type; built are .*llama.*qwen3_next"):
        read(model_type="gpt2")


def test_mxfp4_files_are_taken_because_the_worker_unpacks_them():
    facts = build.facts(
        model_type="gpt_oss", num_local_experts=8, num_experts_per_tok=2,
        quantization_config={"quant_method": "mxfp4"},
    )  # fmt: skip
    assert facts.experts.count == 8


def wrapped(kind, **changes):
    return {"model_type": kind, "text_config": build.config(**HYBRID), **changes}


def facts_of(config):
    return model_facts.facts_from_config(
        config, name="m", revision=None, source="path", location=None
    )


def test_the_text_part_of_a_wrapped_config_is_taken():
    facts = facts_of(wrapped("qwen3_5"))
    assert facts == facts_of(build.config(**HYBRID))
    assert facts.model_type == "qwen3_5_text"


def test_tied_embeddings_of_the_whole_win_over_the_parts():
    assert not facts_of(wrapped("qwen3_5", tie_word_embeddings=False)).tied_embeddings


def test_a_wrapped_model_whose_text_part_cannot_be_loaded_alone_is_refused():
    with pytest.raises(UnsupportedError, match="sees pictures too"):
        facts_of(wrapped("gemma3"))


def test_gemma_ties_its_embeddings_when_it_does_not_say():
    config = {k: v for k, v in build.config().items() if k != "tie_word_embeddings"}
    assert facts_of({**config, "model_type": "gemma"}).tied_embeddings
    assert not facts_of({**config, "model_type": "llama"}).tied_embeddings


@pytest.mark.parametrize(
    ("changes", "window"),
    [
        ({"model_type": "mistral", "sliding_window": 64}, 64),
        ({"model_type": "mistral", "sliding_window": None}, None),
        ({"model_type": "mistral"}, 4096),
        ({"model_type": "qwen2", "sliding_window": 64}, None),
        ({"model_type": "qwen2", "sliding_window": 64, "use_sliding_window": True}, 64),
        ({"model_type": "gemma2", "sliding_window": 64}, 64),
        ({"model_type": "olmo3", "layer_types": ["full_attention"] * 2}, None),
        ({"sliding_window": 64}, None),  # llama has none
    ],
)
def test_a_sliding_window_counts_where_it_is_in_use(changes, window):
    assert build.facts(**changes).window == window
