"""Parts of a decoder -> their linear layers and what else they hold, from a `config.json`'s fields.

Names are those of the modules in transformers 5.23. Knows no model types: `families` says which
parts a family is built from.
"""

from collections.abc import Mapping
from typing import Final, Literal, NamedTuple, cast

Fields = Mapping[str, object]
"""A `config.json` laid over its family's defaults."""

EXPERT_KEYS: Final = ("num_experts", "num_local_experts", "n_routed_experts")
"""The same number; transformers 5.23 saves some families under another name than they publish."""


class LinearShape(NamedTuple):
    """A linear layer [outputs, inputs]."""

    name: str
    inputs: int
    outputs: int


class Part(NamedTuple):
    """What a part of one layer holds."""

    linears: tuple[LinearShape, ...] = ()
    other: int = 0
    """Parameters of norms, biases, routers and convolutions: never adapted, never quantised."""


class Attention(NamedTuple):
    """Softmax attention: how its projections are cut and what stands beside them."""

    output: str = "o_proj"
    fused: bool = False
    """Query, key and value in one `qkv_proj`."""
    gated: bool = False
    """The query projection is twice as wide; its second half gates the output (Qwen3-Next)."""
    bias: str = ""
    """Field that gives the projections biases; `always`, or empty for never."""
    output_bias: bool = True
    """Whether the output projection has one where the others do."""
    norm: Literal["", "head", "width"] = ""
    """Norms of query and key: none, over one head, or over all heads."""
    norm_field: str = ""
    """Field that turns these norms on; empty for always."""
    norm_bias: bool = False
    sinks: bool = False
    """One learnt sink a head (gpt-oss)."""

    def part(self, fields: Fields) -> Part:
        """The attention of one layer."""
        hidden = integer(fields, "hidden_size")
        queries, keys = self.widths(fields)
        if self.fused:
            first = (LinearShape("qkv_proj", hidden, queries + 2 * keys),)
        else:
            first = (
                LinearShape("q_proj", hidden, queries * (2 if self.gated else 1)),
                LinearShape("k_proj", hidden, keys),
                LinearShape("v_proj", hidden, keys),
            )
        output = LinearShape(self.output, queries, hidden)
        other = integer(fields, "num_attention_heads") if self.sinks else 0
        if given(fields, self.bias):
            biased = (*first, output) if self.output_bias else first
            other += sum(shape.outputs for shape in biased)
        return Part((*first, output), other + self._norms(fields, queries, keys))

    def widths(self, fields: Fields) -> tuple[int, int]:
        """Widths of all query heads and of all key heads."""
        heads = integer(fields, "num_attention_heads")
        head = integer(fields, "head_dim") or integer(fields, "hidden_size") // heads
        return heads * head, (integer(fields, "num_key_value_heads") or heads) * head

    def _norms(self, fields: Fields, queries: int, keys: int) -> int:
        if not self.norm or not (not self.norm_field or given(fields, self.norm_field)):
            return 0
        head = queries // integer(fields, "num_attention_heads")
        return (2 * head if self.norm == "head" else queries + keys) * (2 if self.norm_bias else 1)


class LatentAttention(NamedTuple):
    """Multi-head latent attention (DeepSeek-V2, arXiv 2405.04434, section 2.1)."""

    def part(self, fields: Fields) -> Part:
        """The attention of one layer."""
        hidden, heads = integer(fields, "hidden_size"), integer(fields, "num_attention_heads")
        key = integer(fields, "qk_nope_head_dim") + integer(fields, "qk_rope_head_dim")
        value = integer(fields, "v_head_dim")
        squeezed, query_rank = integer(fields, "kv_lora_rank"), integer(fields, "q_lora_rank")
        both = heads * (integer(fields, "qk_nope_head_dim") + value)
        keys = LinearShape(
            "kv_a_proj_with_mqa", hidden, squeezed + integer(fields, "qk_rope_head_dim")
        )
        biased = [keys, LinearShape("o_proj", heads * value, hidden)]
        if query_rank:
            biased.append(LinearShape("q_a_proj", hidden, query_rank))
            query = LinearShape("q_b_proj", query_rank, heads * key)
        else:
            query = LinearShape("q_proj", hidden, heads * key)
        norms = squeezed + query_rank
        if given(fields, "attention_bias"):
            norms += sum(shape.outputs for shape in biased)
        return Part((*biased, query, LinearShape("kv_b_proj", squeezed, both)), norms)

    def widths(self, fields: Fields) -> tuple[int, int]:
        """Widths of all query heads and of all value heads."""
        heads = integer(fields, "num_attention_heads")
        key = integer(fields, "qk_nope_head_dim") + integer(fields, "qk_rope_head_dim")
        return heads * key, heads * integer(fields, "v_head_dim")


class FeedForward(NamedTuple):
    """The feed-forward network of a dense layer."""

    names: tuple[str, ...] = ("gate_proj", "up_proj", "down_proj")
    """Layers into the width, then the one out of it. A first `gate_up_proj` is twice as wide."""
    bias: str = ""

    def part(self, fields: Fields, *, prefix: str = "", width: int = 0) -> Part:
        """The network of one layer; `width` where it is not `intermediate_size`."""
        hidden = integer(fields, "hidden_size")
        width = width or adjusted_width(fields)
        into = [
            LinearShape(prefix + n, hidden, width * (2 if n == "gate_up_proj" else 1))
            for n in self.names[:-1]
        ]
        linears = (*into, LinearShape(prefix + self.names[-1], width, hidden))
        biases = sum(s.outputs for s in linears) if given(fields, self.bias) else 0
        return Part(linears, biases)


class Mixture(NamedTuple):
    """The experts of a layer: two fused tensors, a router, and perhaps a shared expert."""

    width: str
    """Field with an expert's width."""
    shared: str = ""
    """Field with the shared expert's width, or with the number of shared experts."""
    shared_name: str = "shared_expert."
    shared_gate: bool = False
    """A gate of one output before the shared expert; it is kept in the training's precision."""
    biases: bool = False
    """Router and experts have biases (gpt-oss)."""
    first_dense: str = ""
    """Field with the number of first layers that have no experts."""

    def beside(self, fields: Fields) -> Part:
        """Router, biases and shared expert of one layer."""
        hidden, width = integer(fields, "hidden_size"), integer(fields, self.width)
        count = expert_count(fields)
        other = count * hidden + (hidden if self.shared_gate else 0)
        if self.biases:
            other += count * (1 + 2 * width + hidden)
        shared = integer(fields, self.shared)
        if self.shared.startswith("n_"):
            shared *= width
        if not shared:
            return Part((), other)
        return Part(
            FeedForward().part(fields, prefix=self.shared_name, width=shared).linears, other
        )

    def layers(self, fields: Fields) -> frozenset[int]:
        """Layers that have experts."""
        dense = fields.get("mlp_only_layers")
        without = cast("list[object]", dense) if isinstance(dense, list) else []
        step = integer(fields, "decoder_sparse_step") or 1
        first = integer(fields, self.first_dense)
        return frozenset(
            i
            for i in range(first, integer(fields, "num_hidden_layers"))
            if i not in without and (i + 1) % step == 0
        )


class LinearAttention(NamedTuple):
    """Gated delta rule layers (Qwen3-Next and Qwen3.5)."""

    fused: bool = False
    """Whether the four inputs are in one projection and the two gates in another."""
    layer_type: str = "linear_attention"

    def part(self, fields: Fields) -> Part:
        """One such layer without its feed-forward network."""
        hidden, heads = integer(fields, "hidden_size"), integer(fields, "linear_num_value_heads")
        head = integer(fields, "linear_value_head_dim")
        keys = integer(fields, "linear_num_key_heads") * integer(fields, "linear_key_head_dim")
        values = heads * head
        if self.fused:
            widths = {"in_proj_qkvz": 2 * keys + 2 * values, "in_proj_ba": 2 * heads}
        else:
            widths = {
                "in_proj_qkv": 2 * keys + values,
                "in_proj_z": values,
                "in_proj_b": heads,
                "in_proj_a": heads,
            }
        linears = [LinearShape(name, hidden, width) for name, width in widths.items()]
        convolution = (2 * keys + values) * integer(fields, "linear_conv_kernel_dim")
        return Part(
            (*linears, LinearShape("out_proj", values, hidden)), convolution + 2 * heads + head
        )


class ShortConvolution(NamedTuple):
    """Gated short convolutions (LFM2)."""

    layer_type: str = "conv"

    def part(self, fields: Fields) -> Part:
        """One such layer without its feed-forward network."""
        hidden = integer(fields, "hidden_size")
        linears = (
            LinearShape("in_proj", hidden, 3 * hidden),
            LinearShape("out_proj", hidden, hidden),
        )
        biases = 5 * hidden if given(fields, "conv_bias") else 0
        return Part(linears, hidden * integer(fields, "conv_L_cache") + biases)


def adjusted_width(fields: Fields) -> int:
    """`intermediate_size`, or what LFM2 makes of it: two thirds, scaled, rounded up to a multiple."""
    width = integer(fields, "block_ff_dim") or integer(fields, "intermediate_size")
    if not given(fields, "block_auto_adjust_ff_dim"):
        return width
    scale = fields.get("block_ffn_dim_multiplier")
    width = int(2 * width / 3)
    if isinstance(scale, int | float):
        width = int(scale * width)
    multiple = integer(fields, "block_multiple_of") or 1
    return multiple * ((width + multiple - 1) // multiple)


def expert_count(fields: Fields) -> int:
    """Experts of one layer, under whichever name the config has them."""
    return next((n for key in EXPERT_KEYS if (n := integer(fields, key))), 0)


def integer(fields: Fields, key: str) -> int:
    """A field that holds a size; 0 where it is absent or no number."""
    value = fields.get(key)
    if not isinstance(value, int) or isinstance(value, bool):
        return 0
    return max(0, value)


def given(fields: Fields, key: str) -> bool:
    """Whether a field is true; `always` is, and an empty key is not."""
    return key == "always" or bool(key and fields.get(key))
