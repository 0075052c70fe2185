"""Which parts the models of a type are built from: one row a family, nothing computed here.

`defaults` are what transformers 5.23 takes where published configs leave a field out.
`tests/worker/test_families.py` builds a model of each and compares every parameter.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from podtune.planning.layer_shapes import (
    Attention,
    FeedForward,
    LatentAttention,
    LinearAttention,
    Mixture,
    ShortConvolution,
)


class Family(NamedTuple):
    """How the models of one type are built."""

    attention: Attention | LatentAttention = Attention()
    feed_forward: FeedForward = FeedForward()
    mixture: Mixture | None = None
    stateful: LinearAttention | ShortConvolution | None = None
    """Layers that carry a state from token to token instead of attending."""
    kernels: tuple[str, ...] = ()
    """Libraries with which its stateful layers keep packed documents apart; none: never."""
    norms: int = 2
    """Norms of the hidden width in a layer."""
    norm_bias: bool = False
    final_norm: bool = True
    head_bias: bool = False
    tied: bool = False
    """Whether embedding and head are one where the config does not say."""
    windowed: bool = False
    """Whether `sliding_window` counts without a switch beside it."""
    defaults: Mapping[str, object] = {}


_QWEN_HYBRID: Final[Mapping[str, object]] = {
    "head_dim": 256,
    "full_attention_interval": 4,
    "linear_conv_kernel_dim": 4,
    "linear_key_head_dim": 128,
    "linear_value_head_dim": 128,
    "linear_num_key_heads": 16,
    "linear_num_value_heads": 32,
}
_QWEN_KERNELS: Final = ("causal_conv1d", "fla")
_QWEN_SHARED: Final = Mixture(
    "moe_intermediate_size", "shared_expert_intermediate_size", shared_gate=True
)
_FUSED_GATE: Final = FeedForward(("gate_up_proj", "down_proj"))

FAMILIES: Final[Mapping[str, Family]] = {
    "llama": Family(Attention(bias="attention_bias"), FeedForward(bias="mlp_bias")),
    "mistral": Family(windowed=True, defaults={"num_key_value_heads": 8, "sliding_window": 4096}),
    "ministral": Family(
        windowed=True, defaults={"num_key_value_heads": 8, "sliding_window": 4096}
    ),
    "ministral3": Family(windowed=True, defaults={"num_key_value_heads": 8, "head_dim": 128}),
    "qwen2": Family(Attention(bias="always", output_bias=False)),
    "qwen3": Family(Attention(bias="attention_bias", norm="head"), defaults={"head_dim": 128}),
    "smollm3": Family(
        Attention(bias="attention_bias"), FeedForward(bias="mlp_bias"), tied=True,
        defaults={"num_key_value_heads": 4},
    ),
    "gemma": Family(
        Attention(bias="attention_bias"), tied=True,
        defaults={"head_dim": 256, "num_key_value_heads": 16},
    ),
    "gemma2": Family(
        Attention(bias="attention_bias"), norms=4, tied=True, windowed=True,
        defaults={"head_dim": 256, "num_key_value_heads": 4, "sliding_window": 4096},
    ),
    "gemma3_text": Family(
        Attention(bias="attention_bias", norm="head"), norms=4, tied=True, windowed=True,
        defaults={
            "head_dim": 256, "num_key_value_heads": 4, "sliding_window": 4096,
            "num_attention_heads": 8, "vocab_size": 262_208, "max_position_embeddings": 131_072,
        },
    ),
    "phi": Family(
        Attention(
            "dense", bias="always", norm="head", norm_field="qk_layernorm", norm_bias=True
        ),
        FeedForward(("fc1", "fc2"), bias="always"), norms=1, norm_bias=True, head_bias=True,
    ),
    "phi3": Family(Attention(fused=True), _FUSED_GATE, windowed=True),
    "glm": Family(
        Attention(bias="attention_bias", output_bias=False), _FUSED_GATE,
        defaults={"attention_bias": True, "head_dim": 128, "num_key_value_heads": 2},
    ),
    "glm4": Family(
        Attention(bias="attention_bias", output_bias=False), _FUSED_GATE, norms=4,
        defaults={"attention_bias": True, "head_dim": 128, "num_key_value_heads": 2},
    ),
    "granite": Family(Attention(bias="attention_bias"), FeedForward(bias="mlp_bias")),
    "olmo": Family(Attention(bias="attention_bias"), norms=0, final_norm=False),
    "olmo2": Family(Attention(bias="attention_bias", norm="width")),
    "olmo3": Family(
        Attention(bias="attention_bias", norm="width"), windowed=True,
        defaults={"sliding_window": 4096},
    ),
    "cohere": Family(
        Attention(bias="attention_bias", norm="width", norm_field="use_qk_norm"),
        norms=1, tied=True,
    ),
    "cohere2": Family(
        Attention(bias="attention_bias"), norms=1, tied=True, windowed=True,
        defaults={"sliding_window": 4096},
    ),
    "lfm2": Family(
        Attention("out_proj", norm="head"), FeedForward(("w1", "w3", "w2")),
        stateful=ShortConvolution(), tied=True,
        defaults={
            "num_key_value_heads": 8, "conv_L_cache": 3, "block_auto_adjust_ff_dim": True,
            "block_multiple_of": 256, "block_ffn_dim_multiplier": 1.0,
        },
    ),
    "qwen3_5_text": Family(
        Attention(gated=True, bias="attention_bias", norm="head"),
        stateful=LinearAttention(), kernels=_QWEN_KERNELS,
        defaults=_QWEN_HYBRID | {"num_key_value_heads": 4},
    ),
    "mixtral": Family(
        mixture=Mixture("intermediate_size"), windowed=True,
        defaults={"num_key_value_heads": 8},
    ),
    "olmoe": Family(
        Attention(bias="attention_bias", norm="width"),
        mixture=Mixture("intermediate_size"),
    ),
    "qwen2_moe": Family(
        Attention(bias="qkv_bias", output_bias=False), mixture=_QWEN_SHARED,
        defaults={"qkv_bias": True, "num_key_value_heads": 16},
    ),
    "qwen3_moe": Family(
        Attention(bias="attention_bias", norm="head"),
        mixture=Mixture("moe_intermediate_size"),
        defaults={"num_key_value_heads": 4},
    ),
    "qwen3_next": Family(
        Attention(gated=True, bias="attention_bias", norm="head"), mixture=_QWEN_SHARED,
        stateful=LinearAttention(fused=True), kernels=_QWEN_KERNELS,
        defaults=_QWEN_HYBRID | {"num_key_value_heads": 2},
    ),
    "qwen3_5_moe_text": Family(
        Attention(gated=True, bias="attention_bias", norm="head"), mixture=_QWEN_SHARED,
        stateful=LinearAttention(), kernels=_QWEN_KERNELS,
        defaults=_QWEN_HYBRID | {"num_key_value_heads": 2},
    ),
    "gpt_oss": Family(
        Attention(bias="attention_bias", sinks=True), windowed=True,
        mixture=Mixture("intermediate_size", biases=True),
        defaults={
            "attention_bias": True, "head_dim": 64, "num_key_value_heads": 8,
            "sliding_window": 128,
        },
    ),
    "glm4_moe": Family(
        Attention(
            bias="attention_bias", output_bias=False, norm="head", norm_field="use_qk_norm"
        ),
        mixture=Mixture(
            "moe_intermediate_size", "n_shared_experts",
            shared_name="shared_experts.", first_dense="first_k_dense_replace",
        ),
        defaults={"num_key_value_heads": 8, "first_k_dense_replace": 1, "n_shared_experts": 1},
    ),
    "deepseek_v3": Family(
        LatentAttention(),
        mixture=Mixture(
            "moe_intermediate_size", "n_shared_experts",
            shared_name="shared_experts.", first_dense="first_k_dense_replace",
        ),
        defaults={
            "first_k_dense_replace": 3, "n_shared_experts": 1, "kv_lora_rank": 512,
            "q_lora_rank": 1536, "qk_rope_head_dim": 64, "v_head_dim": 128,
            "qk_nope_head_dim": 128,
        },
    ),
}  # fmt: skip
"""Model type -> how it is built."""

WRAPPED: Final[Mapping[str, str]] = {"qwen3_5": "qwen3_5_text", "qwen3_5_moe": "qwen3_5_moe_text"}
"""Types whose `text_config` holds the language model, where transformers loads that part alone
(`AutoModelForCausalLM`) -> the text part's type. Others, such as gemma3, load their vision tower
too and are refused."""
