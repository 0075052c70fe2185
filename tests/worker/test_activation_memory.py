"""What autograd keeps of a training step, measured, against the plan's memory formula."""

import weakref

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoConfig, AutoModelForCausalLM

import document_attention
from packed_trainer import PackedRow, collate, token_loss
from podtune.core.spec import AdapterKind
from podtune.planning import memory, model_facts
from podtune.planning.adaptation import Adaptation

TOKENS = 128
SEVEN = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
SIZES = {
    "vocab_size": 256, "hidden_size": 128, "intermediate_size": 384, "num_attention_heads": 4,
    "num_key_value_heads": 2, "tie_word_embeddings": False,
}  # fmt: skip
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


def kept_bytes(family, layers, case):
    """Bytes of all tensors that the graph of one forward pass holds, parameters apart."""
    torch.manual_seed(5)
    config = AutoConfig.for_model(
        family, **SIZES, head_dim=case.get("head_dim", 32), num_hidden_layers=layers
    )
    model = AutoModelForCausalLM.from_config(config, attn_implementation=document_attention.NAME)
    model = model.to(DTYPES[case["precision"]])
    full = case["kind"] == AdapterKind.FULL
    model.requires_grad_(full)
    if not full:
        model = get_peft_model(
            model,
            LoraConfig(
                r=8, target_modules=list(SEVEN), lora_dropout=case.get("dropout", 0.0),
                use_dora=case["kind"] == AdapterKind.DORA, task_type="CAUSAL_LM",
            ),
        )  # fmt: skip
    model.train()
    weights = {p.untyped_storage().data_ptr() for p in model.parameters()}
    seen = []

    def remember(tensor):
        seen.append(weakref.ref(tensor))
        return tensor

    ids = list(range(3, 3 + TOKENS))
    row = PackedRow(ids, [-100] * (TOKENS - 4) + ids[-4:], [TOKENS])
    with torch.autograd.graph.saved_tensors_hooks(remember, lambda tensor: tensor):
        loss, _, _ = token_loss(model, collate([row]))
    held = {}
    for reference in seen:
        tensor = reference()
        if tensor is not None:
            storage = tensor.untyped_storage()
            held[storage.data_ptr()] = storage.nbytes()
    assert loss.requires_grad
    return sum(size for where, size in held.items() if where not in weights)


def planned_bytes(family, case):
    """The formula's bytes of one token and layer."""
    config = {**SIZES, "model_type": family, "num_hidden_layers": 4}
    config["head_dim"] = case.get("head_dim", 32)
    facts = model_facts.facts_from_config(
        config, name="m", revision=None, source="path", location=None
    )
    full = case["kind"] == AdapterKind.FULL
    what = Adaptation(case["kind"], 8, () if full else SEVEN, dropout=case.get("dropout", 0.0))
    bits = 32 if case["precision"] == "fp32" else 16
    work = memory.Workload(what, bits, case["precision"], TOKENS, 4, "cpu")
    return memory.kept_per_token(facts, work) / 4


CASES = {
    "fp32": {"kind": AdapterKind.LORA, "precision": "fp32"},
    "wide heads": {"kind": AdapterKind.LORA, "precision": "fp32", "head_dim": 64},
    "dropout": {"kind": AdapterKind.LORA, "precision": "fp32", "dropout": 0.1},
    "bf16": {"kind": AdapterKind.LORA, "precision": "bf16"},
    "bf16 dropout": {"kind": AdapterKind.LORA, "precision": "bf16", "dropout": 0.1},
    "dora": {"kind": AdapterKind.DORA, "precision": "fp32"},
    "bf16 dora": {"kind": AdapterKind.DORA, "precision": "bf16"},
    "full": {"kind": AdapterKind.FULL, "precision": "fp32"},
    "bf16 full": {"kind": AdapterKind.FULL, "precision": "bf16"},
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("family", ["llama", "qwen3"])
def test_the_formula_is_what_autograd_keeps(family, name):
    """Within 3 % of Qwen3; Llama has no norms of query and key and keeps up to a fifth less."""
    document_attention.register()
    case = CASES[name]
    two, four = (kept_bytes(family, layers, case) for layers in (2, 4))
    measured = (four - two) / 2 / TOKENS
    planned = planned_bytes(family, case)
    most = 1.03 if family == "qwen3" else 1.2
    assert 0.97 * measured <= planned <= most * measured, planned / measured
