"""Which linear layers LoRA adapts by default, by the base model's type.

A mixture of experts is adapted in its attention and linear attention only. `all-linear`, or any of
gate_proj, up_proj, down_proj, is never passed on for one: peft 0.21 moves those names to the fused
experts, a thousandfold more parameters (Qwen3-Next-80B at rank 16: 3,427 M instead of 16 M).
"""

from collections.abc import Mapping
from typing import Final

ATTENTION: Final = ("q_proj", "k_proj", "v_proj", "o_proj")
"""Projections of plain attention."""

LATENT_ATTENTION: Final = (
    "q_proj",
    "q_a_proj",
    "q_b_proj",
    "kv_a_proj_with_mqa",
    "kv_b_proj",
    "o_proj",
)
"""Of multi-head latent attention; queries are one projection or two, by `q_lora_rank`."""

MIXTURE_TARGETS: Final[Mapping[str, tuple[str, ...]]] = {
    "qwen2_moe": ATTENTION,
    "qwen3_moe": ATTENTION,
    "mixtral": ATTENTION,
    "olmoe": ATTENTION,
    "gpt_oss": ATTENTION,
    "glm4_moe": ATTENTION,
    "qwen3_next": (*ATTENTION, "in_proj_qkvz", "out_proj"),
    "qwen3_5_moe_text": (*ATTENTION, "in_proj_qkv", "in_proj_z", "out_proj"),
    "deepseek_v2": LATENT_ATTENTION,
    "deepseek_v3": LATENT_ATTENTION,
    "glm4_moe_lite": LATENT_ATTENTION,
}
"""Mixtures podtune knows -> layers adapted by default (transformers 5.23).

The tiny projections that steer the decay of linear attention (`in_proj_ba`, `in_proj_a`,
`in_proj_b`: one output per head) are left alone.
`tests/worker/test_quantised_loading.py` builds one of each."""


def default_targets(model_type: str) -> tuple[str, ...] | None:
    """Names of the layers that are adapted when nobody says which; None for every one."""
    return MIXTURE_TARGETS.get(model_type)


def expert_adapter_parameters(
    *, experts: int, hidden: int, intermediate: int, layers: int, rank: int
) -> int:
    """Count what LoRA on every expert adds.

    Each expert has a gate-and-up matrix [2 x intermediate, hidden] and a down matrix
    [hidden, intermediate]; each gains rank x (inputs + outputs).

    Args:
        experts: Routed experts a layer.
        hidden: Width of the model.
        intermediate: Width of one expert.
        layers: Layers that have experts.
        rank: r of the adapter.

    >>> expert_adapter_parameters(experts=512, hidden=2048, intermediate=512, layers=48, rank=16)
    2214592512
    """
    gate_up = rank * (hidden + 2 * intermediate)
    down = rank * (intermediate + hidden)
    return layers * experts * (gate_up + down)
