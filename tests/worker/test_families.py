"""One tiny model of each family: the plan's sizes are the loaded ones, parameter for parameter."""

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoConfig, AutoModelForCausalLM, Qwen3_5Config, Qwen3NextConfig
from transformers.models.qwen3_5 import Qwen3_5ForConditionalGeneration

from podtune.core.spec import AdapterKind, AdapterSpec
from podtune.planning import adaptation, model_facts
from podtune.planning.families import FAMILIES

SIZES = {
    "vocab_size": 320, "hidden_size": 64, "intermediate_size": 160, "num_hidden_layers": 4,
    "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 20,
    "max_position_embeddings": 256, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2,
}  # fmt: skip
MIXTURE = {
    "num_experts": 6, "num_local_experts": 6, "n_routed_experts": 8, "num_experts_per_tok": 2,
    "moe_intermediate_size": 24, "shared_expert_intermediate_size": 40, "n_group": 1,
    "topk_group": 1,
}  # fmt: skip
VARIANTS = {
    "llama": [{"attention_bias": True, "mlp_bias": True}, {"tie_word_embeddings": True}],
    "phi": [{"qk_layernorm": True}],
    "cohere": [{"use_qk_norm": True}],
    "glm4_moe": [{"use_qk_norm": True, "attention_bias": True, "first_k_dense_replace": 2}],
    "deepseek_v3": [{"q_lora_rank": None}, {"attention_bias": True}],
    "qwen3_moe": [{"decoder_sparse_step": 2}, {"mlp_only_layers": [0, 3]}],
    "qwen2_moe": [{"qkv_bias": False}],
    "qwen3_next": [{"layer_types": ["full_attention"] * 3 + ["linear_attention"]}],
    "lfm2": [
        {"layer_types": ["conv", "full_attention", "conv", "conv"], "conv_bias": True},
        {"block_auto_adjust_ff_dim": False},
    ],
    "gpt_oss": [{"attention_bias": False}],
}
"""Switches of a config that change what a model holds."""

CASES = [
    (family, changes) for family in sorted(FAMILIES) for changes in ({}, *VARIANTS.get(family, []))
]


def sizes(family, changes):
    """Fields as a config of the family states them; those it does not know are left out."""
    known = set(AutoConfig.for_model(family).to_dict())
    if FAMILIES[family].mixture:
        changes = {**MIXTURE, **changes}
    if family in ("olmoe", "phi"):
        changes = {**changes, "head_dim": 16}  # their norms go by the model's width
    stated = {**SIZES, **{k: v for k, v in changes.items() if k in known or k == "head_dim"}}
    # A tiny gate has fewer outputs than a rank; real ones have 32.
    tiny = {"linear_num_key_heads": 8, "linear_num_value_heads": 16, "linear_key_head_dim": 8,
            "linear_value_head_dim": 8}  # fmt: skip
    return {**stated, **{k: v for k, v in tiny.items() if k in known}}


def read(raw):
    return model_facts.facts_from_config(raw, name="m", revision=None, source="path", location=None)


def build(family, changes, device="meta"):
    config = AutoConfig.for_model(family, **sizes(family, changes))
    with torch.device(device):
        return config, AutoModelForCausalLM.from_config(config)


def count(model):
    return sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize(("family", "changes"), CASES, ids=str)
def test_every_parameter_is_counted(family, changes):
    config, model = build(family, changes)
    facts = read(config.to_dict())
    assert facts.total_parameters == count(model)
    kept = ("lm_head", "shared_expert_gate")
    linear = [
        module.weight.numel()
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.Linear) and not name.endswith(kept)
    ]
    assert facts.linear_parameters == sum(linear)
    fused = [p.numel() for n, p in model.named_parameters() if ".experts." in n and p.ndim == 3]
    assert (facts.experts.parameters if facts.experts else 0) == sum(fused)


@pytest.mark.parametrize(("family", "changes"), CASES, ids=str)
def test_the_adapters_parameters_are_counted(family, changes):
    config, model = build(family, changes)
    facts = read(config.to_dict())
    spec = AdapterSpec(kind=AdapterKind.LORA, rank=4)
    what = adaptation.adaptation(spec, facts, AdapterKind.LORA)
    adapted = get_peft_model(
        model, LoraConfig(r=4, target_modules=list(what.targets), task_type="CAUSAL_LM")
    )
    trainable = sum(p.numel() for p in adapted.parameters() if p.requires_grad)
    assert adaptation.trained_parameters(facts, what).total == trainable


@pytest.mark.parametrize("family", sorted(f for f in FAMILIES if not FAMILIES[f].mixture))
def test_all_linear_is_what_peft_takes_for_it(family):
    config, model = build(family, {})
    facts = read(config.to_dict())
    adapted = get_peft_model(
        model, LoraConfig(r=4, target_modules="all-linear", task_type="CAUSAL_LM")
    )
    found = {
        name.split(".lora_A")[0].rpartition(".")[2]
        for name, p in adapted.named_parameters()
        if "lora_A" in name
    }
    assert set(adaptation.layer_names(AdapterSpec(), facts)) == found


@pytest.mark.parametrize(("family", "changes"), CASES, ids=str)
def test_fields_that_a_config_leaves_out_are_those_of_transformers(family, changes):
    """Published configs often state their sizes only."""
    config, _ = build(family, changes)
    short = read({**sizes(family, changes), "model_type": family})
    assert short == read(config.to_dict())


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_ties_are_known_where_the_config_does_not_say(family):
    config = AutoConfig.for_model(family, **sizes(family, {}))
    raw = {k: v for k, v in config.to_dict().items() if k != "tie_word_embeddings"}
    assert read(raw).tied_embeddings == config.tie_word_embeddings


def test_the_published_80b_mixture():
    """The lab's counts on the meta device: 79.674 B in all."""
    facts = read(Qwen3NextConfig().to_dict())
    outside = 2 * facts.vocab_size * facts.hidden_size
    other = facts.total_parameters - facts.experts.parameters - facts.linear_parameters - outside
    found = (facts.total_parameters, facts.experts.parameters, facts.linear_parameters, outside)
    assert [round(n / 1e9, 3) for n in (*found, other)] == [79.674, 77.309, 1.691, 0.622, 0.052]
    assert facts.linear_attention_layers == 36


def test_the_text_part_of_a_wrapped_model_loads_alone(tmp_path):
    """`qwen3_5` checkpoints carry a vision tower; AutoModelForCausalLM leaves it out."""
    text = sizes("qwen3_5_text", {})
    vision = {"depth": 1, "hidden_size": 32, "intermediate_size": 64, "num_heads": 2,
              "out_hidden_size": 64, "num_position_embeddings": 16}  # fmt: skip
    torch.manual_seed(3)
    whole = Qwen3_5ForConditionalGeneration(Qwen3_5Config(text_config=text, vision_config=vision))
    whole.eval().save_pretrained(tmp_path)
    raw = AutoConfig.from_pretrained(tmp_path).to_dict()
    alone, report = AutoModelForCausalLM.from_pretrained(tmp_path, output_loading_info=True)
    assert not report["missing_keys"]
    assert read(raw).total_parameters == count(alone) < count(whole)
    assert read(raw).model_type == alone.config.model_type == "qwen3_5_text"
    ids = torch.arange(5, 20)[None]
    with torch.no_grad():
        assert torch.equal(alone.eval()(input_ids=ids).logits, whole(input_ids=ids).logits)
