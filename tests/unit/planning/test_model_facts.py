"""A base model's config.json becomes the sizes of the formulas, or is refused with the reason."""

import pytest

from podtune.core.errors import PodtuneError, SpecError, UnsupportedError
from podtune.planning import model_facts
from podtune.storage.base_models import PACKAGE_CONFIG
from support import build

SMOLLM2 = dict(PACKAGE_CONFIG)


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


@pytest.mark.parametrize("key", model_facts.EXPERT_KEYS)
def test_a_mixture_of_experts_is_refused(key):
    with pytest.raises(UnsupportedError, match="mixture of experts") as caught:
        read(**{key: 8})
    assert caught.value.code == "not_built"


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


def test_linear_shapes_add_up_to_the_linear_parameters():
    facts = read()
    shapes = model_facts.linear_shapes(model_facts.sizes_of(facts))
    assert [s.name for s in shapes] == [
        "q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj",
    ]  # fmt: skip
    assert sum(s.parameters for s in shapes) == facts.linear_parameters


def test_output_projection_goes_back_from_attention_to_hidden():
    shapes = {s.name: s for s in model_facts.linear_shapes(model_facts.sizes_of(read(head_dim=32)))}
    assert (shapes["o_proj"].inputs, shapes["o_proj"].outputs) == (288, 576)
    assert (shapes["q_proj"].inputs, shapes["q_proj"].outputs) == (576, 288)


@pytest.mark.parametrize(
    ("config", "apart"),
    [
        ({}, True),
        ({"layer_types": None}, True),
        ({"layer_types": ["full_attention", "full_attention"]}, True),
        ({"layer_types": ["sliding_attention", "full_attention"]}, True),
        ({"layer_types": ["linear_attention", "full_attention"]}, False),
    ],
)
def test_linear_attention_cannot_keep_packed_documents_apart(config, apart):
    assert model_facts.keeps_documents_apart(config) is apart


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"model_type": "gemma2"}, "unknown_architecture"),
        ({"model_type": "phi3"}, "unknown_architecture"),
        ({"quantization_config": {"quant_method": "gptq"}}, "not_built"),
        ({"hidden": -576}, "unknown_architecture"),
    ],
)
def test_what_training_could_not_load_is_refused_before_anything_is_fetched(changes, code):
    with pytest.raises(PodtuneError) as caught:
        build.facts(**changes)
    assert caught.value.code == code


def test_gemma_ties_its_embeddings_when_it_does_not_say():
    config = {k: v for k, v in build.config().items() if k != "tie_word_embeddings"}
    options = {"name": "m", "revision": None, "source": "path", "location": None}
    gemma = model_facts.facts_from_config({**config, "model_type": "gemma"}, **options)
    llama = model_facts.facts_from_config({**config, "model_type": "llama"}, **options)
    assert gemma.tied_embeddings
    assert not llama.tied_embeddings


@pytest.mark.parametrize(
    ("changes", "window"),
    [
        ({"sliding_window": 4096}, 4096),
        ({"sliding_window": 4096, "use_sliding_window": False}, None),
        ({"sliding_window": None}, None),
    ],
)
def test_a_sliding_window_counts_where_it_is_in_use(changes, window):
    assert build.facts(**changes).window == window
