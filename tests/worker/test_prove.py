import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

import prove
import train_lora


@pytest.fixture
def job(trained, tmp_path):
    """A copy of the trained job that may be damaged."""
    copy = tmp_path / "job"
    shutil.copytree(trained, copy)
    return copy


def change(job, edit):
    path = job / "artifact" / "adapter_model.safetensors"
    tensors = {name: edit(name, tensor) for name, tensor in load_file(path).items()}
    save_file(tensors, path, metadata={"format": "pt"})


def proof(job):
    return json.loads((job / "artifact" / "proof.json").read_text())


def test_the_trained_adapter_passes(job):
    (job / "artifact" / "proof.json").unlink()
    assert prove.prove(job)
    assert proof(job)["difference_from_trainer"] <= proof(job)["tolerance"]
    assert proof(job)["difference_from_base"] > proof(job)["threshold"]


def test_a_zeroed_adapter_fails(job):
    change(job, lambda name, tensor: torch.zeros_like(tensor) if "lora_B" in name else tensor)
    assert not prove.prove(job)
    assert proof(job)["difference_from_base"] == 0
    assert not proof(job)["passed"]


def test_an_adapter_that_is_not_the_trained_one_fails(job):
    change(job, lambda name, tensor: tensor * 1.5 if "lora_B" in name else tensor)
    assert not prove.prove(job)
    error = train_lora._unproved(job / "artifact" / "proof.json")
    assert error.code == "not_as_trained"


def test_an_adapter_without_effect_is_named_so(job):
    path = job / "artifact" / "proof.json"
    said = {**proof(job), "difference_from_base": 0.0, "passed": False}
    path.write_text(json.dumps(said))
    error = train_lora._unproved(path)
    assert error.code == "no_effect"
    assert "learning_rate" in (error.hint or "")
