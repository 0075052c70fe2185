"""The libraries come in whole and quickly, and nothing is left switched off."""

import gc
import json
import os
import subprocess
import sys

import pytest

import libraries


def fresh(code, root, *arguments):
    """What a piece of code prints as JSON in a process of its own, with all warnings as errors."""
    done = subprocess.run(
        [sys.executable, "-c", f"import json, sys\n{code}", *arguments],
        capture_output=True, text=True, check=False, cwd=root / "runpod-worker",
        env={**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


TRAINS = """
import gc, libraries
libraries.leave_out_unused(quantised=False)
libraries.load()
import torch
from peft import LoraConfig, get_peft_model
from transformers import LlamaConfig, LlamaForCausalLM, Trainer, TrainingArguments
model = get_peft_model(
    LlamaForCausalLM(LlamaConfig(vocab_size=64, hidden_size=32, intermediate_size=64,
        num_hidden_layers=1, num_attention_heads=2, num_key_value_heads=2)),
    LoraConfig(r=4, target_modules="all-linear", task_type="CAUSAL_LM"))
row = {"input_ids": torch.arange(8), "labels": torch.arange(8)}
arguments = TrainingArguments(output_dir=sys.argv[-1], max_steps=2, use_cpu=True, bf16=False,
    report_to="none", save_strategy="no", disable_tqdm=True)
done = Trainer(model=model, args=arguments, train_dataset=[row] * 4).train()
loaded = sorted(name for name, module in sys.modules.items() if module is not None)
print(json.dumps({"steps": done.global_step, "enabled": gc.isenabled(),
    "frozen": gc.get_freeze_count(),
    "loaded": [name for name in loaded if name in ("bitsandbytes", "datasets", "peft")]}))
"""


def test_a_training_without_quantisation_works_and_loads_neither_of_the_two(root, tmp_path):
    said = fresh(TRAINS, root, tmp_path)
    assert said["steps"] == 2
    assert said["loaded"] == ["peft"]
    assert said["enabled"]
    assert said["frozen"] > 100_000


def test_a_quantised_base_finds_bitsandbytes(root):
    code = (
        "import libraries\nlibraries.leave_out_unused(quantised=True)\nlibraries.load()\n"
        "import peft.import_utils\nfrom bitsandbytes.nn import Linear4bit\n"
        "print(json.dumps([peft.import_utils.is_bnb_4bit_available(), Linear4bit.__name__]))"
    )
    assert fresh(code, root) == [True, "Linear4bit"]


def test_what_is_loaded_already_stays(root):
    code = (
        "import bitsandbytes, libraries\nlibraries.leave_out_unused(quantised=False)\nlibraries.load()\n"
        "print(json.dumps(sys.modules['bitsandbytes'] is bitsandbytes))"
    )
    assert fresh(code, root) is True


def fail():
    """Fails, with the collector at rest."""
    assert not gc.isenabled()
    raise ValueError("x")


@pytest.mark.parametrize("was_on", [True, False])
def test_the_collector_is_as_it_was_even_after_an_error(was_on):
    if not was_on:
        gc.disable()
    try:
        with pytest.raises(ValueError, match="x"), libraries.collector_at_rest():
            fail()
        assert gc.isenabled() is was_on
    finally:
        gc.unfreeze()
        gc.enable()


def test_nothing_heavy_is_imported_before_order_and_data_are_checked(root):
    code = (
        "import train_lora, base_model, chat_dataset\n"
        "heavy = ('torch', 'transformers', 'peft', 'accelerate', 'matplotlib')\n"
        "print(json.dumps([name for name in heavy if name in sys.modules]))"
    )
    assert fresh(code, root) == []
