"""Tiny random mixtures of experts of every family, saved as sharded bf16 checkpoints."""

import json
import re
from pathlib import Path

SIZES = {
    "vocab_size": 320, "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2,
    "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 16,
    "max_position_embeddings": 256, "num_experts_per_tok": 2, "moe_intermediate_size": 64,
    "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2,
}  # fmt: skip
EXPERTS = 8
HYBRID = {
    "num_experts": EXPERTS, "shared_expert_intermediate_size": 64,
    "layer_types": ["linear_attention", "full_attention"], "linear_num_key_heads": 2,
    "linear_num_value_heads": 4, "linear_key_head_dim": 16, "linear_value_head_dim": 16,
}  # fmt: skip
LATENT = {
    "n_routed_experts": EXPERTS, "first_k_dense_replace": 1, "n_shared_experts": 1,
    "q_lora_rank": 64, "kv_lora_rank": 64, "qk_rope_head_dim": 8, "qk_nope_head_dim": 8,
    "head_dim": 8, "v_head_dim": 16, "num_key_value_heads": 4, "n_group": 2, "topk_group": 1,
}  # fmt: skip
FAMILIES = {
    "qwen3_next": HYBRID,
    "qwen3_5_moe_text": HYBRID,
    "qwen2_moe": {"num_experts": EXPERTS, "shared_expert_intermediate_size": 64},
    "qwen3_moe": {"num_experts": EXPERTS},
    "mixtral": {"num_local_experts": EXPERTS},
    "olmoe": {"num_experts": EXPERTS},
    "gpt_oss": {"num_local_experts": EXPERTS, "intermediate_size": 64},
    "glm4_moe": {"n_routed_experts": EXPERTS, "first_k_dense_replace": 1, "n_shared_experts": 1},
    "deepseek_v2": LATENT,
    "deepseek_v3": LATENT,
    "glm4_moe_lite": LATENT,
}
"""Model type -> what its config has beside `SIZES`."""


def config(family: str, **changed):
    """The family's configuration at these sizes."""
    from transformers import AutoConfig

    return AutoConfig.for_model(family, **{**SIZES, **FAMILIES[family], **changed})


def make(folder: Path, family: str, **changed) -> Path:
    """A checkpoint in bf16, in shards of 60 kB, weights drawn with a fixed seed."""
    import torch
    from transformers import AutoModelForCausalLM

    torch.manual_seed(11)
    model = AutoModelForCausalLM.from_config(config(family, **changed), dtype=torch.bfloat16)
    for name, parameter in model.named_parameters():
        if parameter.ndim >= 2 and "conv" not in name:
            torch.nn.init.normal_(parameter, std=0.08)  # so that experts and attention matter
    model.save_pretrained(folder, max_shard_size="60KB")
    return folder


def rewrite(folder: Path, change) -> None:
    """Let `change(name, tensor)` replace (or with None drop) every tensor of a checkpoint."""
    from safetensors.torch import load_file, save_file

    index_file = folder / "model.safetensors.index.json"
    index = json.loads(index_file.read_text())
    index["weight_map"] = {}
    for shard in sorted(folder.glob("*.safetensors")):
        kept = {}
        for name, tensor in load_file(shard).items():
            changed = change(name, tensor)
            kept |= changed if isinstance(changed, dict) else {name: changed}
        kept = {name: tensor for name, tensor in kept.items() if tensor is not None}
        save_file(kept, shard, metadata={"format": "pt"})
        index["weight_map"] |= dict.fromkeys(kept, shard.name)
    index_file.write_text(json.dumps(index))


def names(folder: Path, pattern: str) -> list[str]:
    """Tensors of a checkpoint whose name matches."""
    index = json.loads((folder / "model.safetensors.index.json").read_text())
    return sorted(name for name in index["weight_map"] if re.search(pattern, name))


def copy_unpacked(quantised, whole):
    """Give a model in 16 or 32 bit the weights that a 4-bit one computes with."""
    import bitsandbytes.functional as bnb
    import torch

    import expert_layers

    weights = {
        name.replace("base_model.model.", "").replace("base_layer.", ""): parameter
        for name, parameter in quantised.named_parameters()
    }
    with torch.no_grad():
        for name, parameter in whole.named_parameters():
            source = weights[name]
            if expert_layers.is_packed(source):
                source = expert_layers.unpack(source)
            elif getattr(source, "quant_state", None) is not None:
                source = bnb.dequantize_4bit(source.data, source.quant_state)
            parameter.copy_(source)
    return whole
