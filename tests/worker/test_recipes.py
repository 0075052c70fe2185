"""The founding recipes, shrunken: planned and trained to a proved artifact on tiny models.

Planned with every value as it stands but the model and the data; trained for a few steps.
"""

import json
import math

import pytest
import yaml

from podtune.core import artifact
from podtune.core.job import WorkerOrder
from podtune.core.spec import flatten
from podtune.intake.resolve import read_spec_file
from support import tiny_model, worker_jobs

pytestmark = pytest.mark.timeout(300)  # two trainings with their proofs

CHANGED = {"base_model.name", "data.source"}
ATTENTION = ("q_proj", "k_proj", "v_proj", "o_proj")
CONFIGS = {
    "specification-a": {
        "model_type": "mistral",
        "num_key_value_heads": 2,
        "sliding_window": None,
    },
    "specification-b": {
        "model_type": "qwen3_next",
        "num_key_value_heads": 2,
        "head_dim": 32,
        "layer_types": ["linear_attention", "full_attention"],
        "num_experts": 4,
        "num_experts_per_tok": 2,
        "moe_intermediate_size": 64,
        "shared_expert_intermediate_size": 64,
        "linear_num_key_heads": 2,
        "linear_num_value_heads": 4,
        "linear_key_head_dim": 16,
        "linear_value_head_dim": 16,
    },
}
"""Families of the recipes' own base models, at a size that trains in seconds."""


def base(folder, name):
    """A random model of the recipe's family with a byte-level tokenizer."""
    import torch
    from tokenizers import Tokenizer
    from transformers import AutoConfig, AutoModelForCausalLM

    tiny_model.make_tokenizer(folder)
    stop = (folder / "generation_config.json").read_text(encoding="utf-8")
    vocab = Tokenizer.from_file(str(folder / "tokenizer.json")).get_vocab_size()
    sizes = {k: v for k, v in CONFIGS[name].items() if k != "model_type"}
    config = AutoConfig.for_model(
        CONFIGS[name]["model_type"], vocab_size=vocab, hidden_size=64, intermediate_size=128,
        num_hidden_layers=2, num_attention_heads=4, max_position_embeddings=4096,
        tie_word_embeddings=False, eos_token_id=vocab - 1, pad_token_id=vocab - 1,
        bos_token_id=None, **sizes,
    )  # fmt: skip
    torch.manual_seed(7)
    AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16).save_pretrained(folder)
    (folder / "generation_config.json").write_text(stop, encoding="utf-8")
    return folder


def stated(root, name, **changed):
    """The recipe's own fields, model and data left out, and what a test changes."""
    fields = read_spec_file(root / "recipes" / f"{name}.yaml")
    return {k: v for k, v in fields.items() if k not in CHANGED} | changed


@pytest.fixture(scope="module", params=CONFIGS)
def tiny_base(request, tmp_path_factory):
    """Recipe's name, a place to work, a tiny model of its family, and rows."""
    place = tmp_path_factory.mktemp(request.param)
    rows = tiny_model.write_rows(place / "training-data.jsonl", 40)
    return request.param, place, base(place / "model", request.param), rows


@pytest.fixture(scope="module")
def planned(tiny_base, root):
    """Recipe's name, and its plan with every value as it stands there."""
    name, place, model, rows = tiny_base
    job = worker_jobs.make(place / "planned", model, rows, stated(root, name))
    return name, WorkerOrder.model_validate_json((job / "order.json").read_text()).plan


@pytest.fixture(scope="module")
def trained(tiny_base, root):
    """Recipe's name, and a job folder in which it was trained and proved.

    A few steps at the recipe's rate would change nothing, so the rate is another here.
    """
    name, place, model, rows = tiny_base
    quick = {"training.max_steps": 6, "training.learning_rate": 0.03, "training.warmup_steps": 0}
    job = worker_jobs.make(place / "trained", model, rows, stated(root, name, **quick))
    done = worker_jobs.run(job, root, timeout=280)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return name, job


def test_the_plan_keeps_every_value(planned, root):
    name, plan = planned
    flat = flatten(plan.spec)
    for path, value in stated(root, name).items():
        expected = value if path != "training.effective_batch" else {"tokens": None, **value}
        assert flat[path] == expected, path
        assert plan.note(path).origin == "stated"


def test_a_step_averages_over_the_recipes_examples(planned):
    name, plan = planned
    examples = {"specification-a": 16, "specification-b": 8}[name]
    assert plan.schedule.accumulation * plan.spec.training.micro_batch == examples
    rows = plan.schedule.rows_per_epoch
    assert plan.schedule.steps_per_epoch == math.ceil(rows / examples)
    assert plan.schedule.steps == math.ceil(rows / examples) * plan.spec.training.epochs


def test_the_plan_says_what_the_names_mean_on_a_mixture(planned):
    name, plan = planned
    said = [warning for warning in plan.warnings if "experts" in warning]
    assert len(said) == (1 if name.endswith("b") else 0)


def test_the_adapter_is_the_recipes(trained):
    name, job = trained
    config = json.loads((job / "artifact" / artifact.ADAPTER_CONFIG).read_text())
    recipe = {"specification-a": (32, 32, 0.05), "specification-b": (16, 32, 0.1)}[name]
    assert (config["r"], config["lora_alpha"], config["lora_dropout"]) == recipe
    layers = set(config["target_modules"])
    if name.endswith("a"):
        assert layers == {"gate_proj", "up_proj", "down_proj", *ATTENTION}
    else:
        assert layers == {"in_proj_qkvz", "out_proj", *ATTENTION}
        assert not config.get("target_parameters")


def test_the_adapter_is_proved_over_the_recipes_bits(trained):
    name, job = trained
    proof = json.loads((job / "artifact" / artifact.PROOF).read_text())
    assert proof["difference_from_base"] > proof["threshold"]
    assert proof["difference_from_trainer"] <= proof["tolerance"]
    spec = yaml.safe_load((job / "artifact" / artifact.SPEC).read_text())
    assert spec["adapter"]["bits"] == {"specification-a": 8, "specification-b": 4}[name]


def test_curves_for_tensorboard_where_the_recipe_wants_them(trained):
    name, job = trained
    for folder in (job / "work" / "tensorboard", job / "artifact" / "tensorboard"):
        assert folder.is_dir() is name.endswith("a")
    if name.endswith("a"):
        (file,) = (job / "artifact" / "tensorboard").iterdir()
        assert b"train/loss" in file.read_bytes()
