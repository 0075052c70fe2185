"""Tiny random models of many families, with windows shorter than the documents of the tests."""

from typing import Any

SIZES = {
    "vocab_size": 320, "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 4,
    "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 16, "sliding_window": 8,
    "max_position_embeddings": 256, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2,
}  # fmt: skip
EXPERTS = {
    "num_experts": 4, "num_local_experts": 4, "n_routed_experts": 4, "num_experts_per_tok": 2,
    "moe_intermediate_size": 32, "shared_expert_intermediate_size": 32, "n_group": 1,
    "topk_group": 1, "n_shared_experts": 1, "first_k_dense_replace": 1,
}  # fmt: skip
WINDOWED = {"use_sliding_window": True, "max_window_layers": 2, "layer_types": None}
LINEAR = {
    "linear_num_key_heads": 2, "linear_num_value_heads": 4,
    "linear_key_head_dim": 16, "linear_value_head_dim": 16,
}  # fmt: skip
LATENT = {
    "q_lora_rank": 16, "kv_lora_rank": 16, "qk_nope_head_dim": 16, "qk_rope_head_dim": 8,
    "v_head_dim": 16, "head_dim": 8, "num_key_value_heads": 4,
}  # fmt: skip
MAMBA = {
    "mamba_n_heads": 4, "mamba_d_head": 32, "mamba_n_groups": 1, "mamba_d_state": 16,
    "shared_intermediate_size": 32, "position_embedding_type": "rope",
    "layer_types": ["mamba", "attention", "mamba", "attention"],
}  # fmt: skip

ATTENTIVE: dict[str, dict[str, Any]] = {
    "llama": {}, "mistral": {}, "ministral": {}, "qwen2": WINDOWED, "qwen3": WINDOWED,
    "smollm3": {}, "gemma": {}, "gemma2": {}, "gemma3_text": {}, "phi": {}, "phi3": {},
    "glm": {}, "glm4": {}, "granite": {}, "olmo2": {}, "olmo3": {}, "cohere": {}, "cohere2": {},
    "exaone4": {}, "starcoder2": {}, "gpt_oss": EXPERTS, "mixtral": EXPERTS,
    "qwen2_moe": EXPERTS, "qwen3_moe": EXPERTS, "glm4_moe": EXPERTS,
    "deepseek_v3": {**EXPERTS, **LATENT},
}  # fmt: skip
"""Attention alone carries what tokens know of each other: these pack."""

HYBRID: dict[str, dict[str, Any]] = {
    "qwen3_next": {**EXPERTS, **LINEAR}, "qwen3_5_text": LINEAR,
    "qwen3_5_moe_text": {**EXPERTS, **LINEAR}, "granitemoehybrid": {**EXPERTS, **MAMBA},
    "lfm2": {"layer_types": ["conv", "full_attention", "conv", "full_attention"]},
}  # fmt: skip
"""Other layers carry a state too: these pack with kernels of their own only."""


def build(family: str, attention: str, **overrides: Any) -> Any:
    """A model of a family, its weights three times as large as usual: so that it attends."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    sizes = {**SIZES, **(ATTENTIVE | HYBRID)[family], **overrides}
    torch.manual_seed(1)
    model = AutoModelForCausalLM.from_config(
        AutoConfig.for_model(family, **sizes), attn_implementation=attention
    )
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.ndim > 1:
                parameter.mul_(3.0)
            elif "sinks" in name:
                parameter.normal_()
    return model.eval()
