"""Every kind of adapter and every method, from the data to a proved artifact, on a tiny model."""

import json

import pytest
import yaml

import train_lora
from podtune.core import artifact
from podtune.core.job import WorkerOrder
from podtune.storage.artifact_folder import checksums, verify
from progress import EventWriter
from support import tiny_mixtures, tiny_model, worker_jobs
from training_run import Run

DATA = {
    "sft": tiny_model.write_rows,
    "dpo": tiny_model.write_pairs,
    "orpo": tiny_model.write_pairs,
    "kto": tiny_model.write_rated,
    "cpt": tiny_model.write_texts,
}
CASES = {
    "dora": {"adapter.kind": "dora"},
    "rslora": {"adapter.kind": "rslora"},
    "qlora": {"adapter.kind": "qlora"},
    "dora over 4 bits": {"adapter.kind": "dora", "adapter.bits": 4},
    "lora over 8 bits": {"adapter.kind": "lora", "adapter.bits": 8},
    "full": {"adapter.kind": "full", "training.learning_rate": 0.003},
    "fp16": {"training.precision": "fp16"},
    "checkpointing": {"training.gradient_checkpointing": True},
    "dpo": {"method": "dpo"},
    "orpo": {"method": "orpo"},
    "kto": {"method": "kto", "training.epochs": 4, "training.learning_rate": 0.002},
    "cpt": {"method": "cpt"},
    "dpo over 4 bits": {"method": "dpo", "adapter.kind": "qlora"},
}


def trained(folder, tiny, stated):
    """Run the worker's own steps in this process; only the proof needs a fresh one."""
    method = stated.get("method", "sft")
    data = DATA[method](folder / "tickets.jsonl")
    job = worker_jobs.make(folder / "job", tiny, data, {**worker_jobs.QUICK, **stated})
    order = WorkerOrder.model_validate_json((job / "order.json").read_text())
    events = EventWriter(job / "events.jsonl", job=order.job, attempt=1)
    return job, train_lora.train(Run(order, job, events))


@pytest.mark.parametrize("name", CASES)
def test_it_trains_and_is_proved_in_a_fresh_process(name, tmp_path, tiny):
    stated = CASES[name]
    job, files = trained(tmp_path, tiny, stated)
    folder = job / "artifact"
    assert verify(folder, checksums(folder)).files == files
    proof = json.loads((folder / artifact.PROOF).read_text())
    assert proof["difference_from_base"] > proof["threshold"]
    assert proof["difference_from_trainer"] <= proof["tolerance"]
    spec = yaml.safe_load((folder / artifact.SPEC).read_text())
    for path, value in stated.items():
        section, _, key = path.partition(".")
        assert (spec[section][key] if key else spec[section]) == value
    losses = worker_jobs.losses(job)
    assert losses[-1] < losses[0]
    facts = worker_jobs.facts(job)
    assert facts["trained_tokens"] > 0
    assert facts["steps"] == facts["total_steps"]


def test_a_whole_model_is_delivered_as_one(tmp_path, tiny):
    job, files = trained(tmp_path, tiny, CASES["full"])
    assert artifact.MODEL_WEIGHTS in files
    assert artifact.ADAPTER_WEIGHTS not in files
    config = json.loads((job / "artifact" / artifact.MODEL_CONFIG).read_text())
    assert config["model_type"] == "llama"


MIXTURES = {
    "experts in 4 bits": ("qwen3_moe", {"adapter.kind": "qlora", "adapter.experts": True}),
    "experts in 32 bits": ("mixtral", {"adapter.bits": 32, "adapter.experts": True}),
    "attention sinks": ("gpt_oss", {"adapter.kind": "qlora"}),
    "pairs on a hybrid": ("qwen3_next", {"adapter.kind": "qlora", "method": "dpo"}),
}


@pytest.mark.parametrize("name", MIXTURES)
def test_mixtures_train_and_are_proved_in_a_fresh_process(name, tmp_path):
    family, stated = MIXTURES[name]
    base = tiny_mixtures.make(tmp_path / "base", family, max_position_embeddings=1024)
    tiny_model.make_tokenizer(base)
    stated = {"training.precision": "fp32", "adapter.rank": 8, "training.epochs": 4, **stated}
    job, files = trained(tmp_path, base, stated)
    assert artifact.ADAPTER_WEIGHTS in files
    proof = json.loads((job / "artifact" / artifact.PROOF).read_text())
    assert proof["difference_from_base"] > proof["threshold"]
    assert proof["difference_from_trainer"] <= proof["tolerance"]
    losses = worker_jobs.losses(job)
    assert losses[-1] < losses[0]
    plan = WorkerOrder.model_validate_json((job / "order.json").read_text()).plan
    assert (plan.memory.expert_parameters > 0) is bool(stated.get("adapter.experts"))
    config = json.loads((job / "artifact" / artifact.ADAPTER_CONFIG).read_text())
    assert bool(config["target_parameters"]) is bool(stated.get("adapter.experts"))
