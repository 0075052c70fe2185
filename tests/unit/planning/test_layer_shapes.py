"""Parts of a layer by hand; whole models are compared in `tests/worker/test_families.py`."""

import pytest

from podtune.planning import layer_shapes as shapes
from podtune.planning.layer_shapes import LinearShape

FIELDS = {
    "hidden_size": 64, "intermediate_size": 160, "num_hidden_layers": 6, "num_attention_heads": 4,
    "num_key_value_heads": 2, "head_dim": 20,
}  # fmt: skip


def test_grouped_attention_by_hand():
    part = shapes.Attention().part(FIELDS)
    assert part.linears == (
        LinearShape("q_proj", 64, 80),
        LinearShape("k_proj", 64, 40),
        LinearShape("v_proj", 64, 40),
        LinearShape("o_proj", 80, 64),
    )
    assert part.other == 0


def test_without_a_head_size_it_is_the_quotient():
    fields = {**FIELDS, "head_dim": None}
    assert shapes.Attention().widths(fields) == (64, 32)
    assert shapes.Attention().widths({**fields, "num_key_value_heads": None}) == (64, 64)


def test_one_projection_for_query_key_and_value():
    part = shapes.Attention(fused=True).part(FIELDS)
    assert part.linears[0] == LinearShape("qkv_proj", 64, 80 + 40 + 40)


def test_biases_where_the_config_turns_them_on():
    bias = shapes.Attention(bias="attention_bias")
    assert bias.part(FIELDS).other == 0
    assert bias.part({**FIELDS, "attention_bias": True}).other == 80 + 40 + 40 + 64
    without_output = shapes.Attention(bias="always", output_bias=False)
    assert without_output.part(FIELDS).other == 80 + 40 + 40


@pytest.mark.parametrize(("norm", "size"), [("head", 40), ("width", 120), ("", 0)])
def test_norms_of_query_and_key(norm, size):
    assert shapes.Attention(norm=norm).part(FIELDS).other == size
    assert shapes.Attention(norm=norm, norm_bias=True).part(FIELDS).other == 2 * size


def test_a_gated_query_is_twice_as_wide_and_the_output_is_not():
    part = shapes.Attention(gated=True).part(FIELDS)
    assert part.linears[0].outputs == 160
    assert part.linears[-1].inputs == 80


def test_a_fused_gate_is_twice_as_wide():
    part = shapes.FeedForward(("gate_up_proj", "down_proj")).part(FIELDS)
    assert part.linears == (
        LinearShape("gate_up_proj", 64, 320),
        LinearShape("down_proj", 160, 64),
    )


def test_latent_attention_without_a_query_rank_has_one_projection():
    fields = {
        **FIELDS, "qk_nope_head_dim": 8, "qk_rope_head_dim": 4, "v_head_dim": 6, "kv_lora_rank": 16,
    }  # fmt: skip
    direct = {s.name: s for s in shapes.LatentAttention().part(fields).linears}
    assert (direct["q_proj"].inputs, direct["q_proj"].outputs) == (64, 4 * 12)
    assert direct["kv_a_proj_with_mqa"].outputs == 16 + 4
    assert direct["kv_b_proj"].outputs == 4 * (8 + 6)
    squeezed = shapes.LatentAttention().part({**fields, "q_lora_rank": 24})
    assert {"q_a_proj", "q_b_proj"} <= {s.name for s in squeezed.linears}


def test_experts_stand_in_the_layers_that_the_config_says():
    mixture = shapes.Mixture("moe_intermediate_size", first_dense="first_k_dense_replace")
    assert mixture.layers(FIELDS) == set(range(6))
    assert mixture.layers({**FIELDS, "first_k_dense_replace": 2}) == {2, 3, 4, 5}
    assert mixture.layers({**FIELDS, "decoder_sparse_step": 2}) == {1, 3, 5}
    assert mixture.layers({**FIELDS, "mlp_only_layers": [0, 5]}) == {1, 2, 3, 4}


def test_shared_experts_are_given_by_width_or_by_number():
    fields = {**FIELDS, "num_experts": 8, "moe_intermediate_size": 24, "shared_width": 40}
    by_width = shapes.Mixture("moe_intermediate_size", "shared_width").beside(fields)
    assert by_width.linears[0] == LinearShape("shared_expert.gate_proj", 64, 40)
    assert by_width.other == 8 * 64
    by_number = shapes.Mixture("moe_intermediate_size", "n_shared_experts")
    assert by_number.beside({**fields, "n_shared_experts": 2}).linears[0].outputs == 48


@pytest.mark.parametrize("key", shapes.EXPERT_KEYS)
def test_the_number_of_experts_has_several_names(key):
    assert shapes.expert_count({key: 12}) == 12


@pytest.mark.parametrize("value", [None, True, "3", -4, 2.5])
def test_a_field_that_is_no_size_counts_as_absent(value):
    assert shapes.integer({"n": value}, "n") == 0


def test_a_short_convolution_by_hand():
    part = shapes.ShortConvolution().part({**FIELDS, "conv_L_cache": 3})
    assert [s.outputs for s in part.linears] == [192, 64]
    assert part.other == 64 * 3


@pytest.mark.parametrize(
    ("fields", "width"),
    [
        ({}, 160),
        ({"block_auto_adjust_ff_dim": True, "block_multiple_of": 64}, 128),
        ({"block_auto_adjust_ff_dim": True, "block_ffn_dim_multiplier": 2.0}, 212),
        ({"block_ff_dim": 300}, 300),
    ],
)
def test_the_width_that_lfm2_makes_of_the_stated_one(fields, width):
    assert shapes.adjusted_width({**FIELDS, **fields}) == width
