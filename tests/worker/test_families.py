"""One tiny model of each family: the plan's sizes are the loaded ones, and a packed step works."""

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoConfig, AutoModelForCausalLM

import document_attention
from packed_trainer import collate, lay_out, token_loss
from podtune.data.masks import IGNORED, Example
from podtune.planning import memory, model_facts

SIZES = {
    "vocab_size": 320, "hidden_size": 64, "intermediate_size": 160, "num_hidden_layers": 2,
    "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 16,
    "max_position_embeddings": 256, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2,
}  # fmt: skip
TOLERANCE = 0.02
"""What the worker's guard allows; biases and norms are not counted by the plan."""


@pytest.mark.parametrize("family", sorted(model_facts.FAMILIES))
def test_the_plan_knows_the_family(family):
    document_attention.register()
    torch.manual_seed(1)
    config = AutoConfig.for_model(family, **SIZES)
    raw = config.to_dict()
    if raw.get("tie_word_embeddings") == model_facts.FAMILIES[family]:
        del raw["tie_word_embeddings"]  # the default must be known
    facts = model_facts.facts_from_config(
        raw, name=family, revision=None, source="path", location=None
    )
    model = AutoModelForCausalLM.from_config(config, attn_implementation=document_attention.NAME)
    loaded = sum(p.numel() for p in model.parameters())
    assert loaded == pytest.approx(facts.total_parameters, rel=TOLERANCE)
    model.requires_grad_(False)
    adapted = get_peft_model(
        model, LoraConfig(r=4, target_modules="all-linear", task_type="CAUSAL_LM")
    )
    trainable = sum(p.numel() for p in adapted.parameters() if p.requires_grad)
    shapes = model_facts.linear_shapes(model_facts.sizes_of(facts))
    assert trainable == memory.adapter_parameters(shapes, 4, "all-linear")

    examples = [
        Example(tuple(range(3, 3 + n)), (IGNORED, *range(4, 3 + n)), 1) for n in (20, 30, 12)
    ]
    packed = lay_out(examples, [[0, 1, 2]])
    together, count, _ = token_loss(adapted, collate(packed))
    alone = [token_loss(adapted, collate(lay_out([e], [[0]])))[0] for e in examples]
    assert float(together.detach()) == pytest.approx(float(sum(alone).detach()), rel=1e-5)
    (together / count).backward()
    assert all(p.grad is not None for n, p in adapted.named_parameters() if "lora_A" in n)
