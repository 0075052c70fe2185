"""The README's command on the real model and the real data, once."""

import json
from pathlib import Path

import pytest
import yaml
from PIL import Image

from podtune.core.artifact import REQUIRED_FILES
from podtune.storage.artifact_folder import sha256_file

FACTS = {
    "too late to return": "23 days",
    "to Norway": "six working days",
    "motor breaks": "four years",
    "stopped responding": "nine seconds",
    "repair cafe": "first thursday",
    "dirty burrs": "dry oats",
    "good espresso": "click 52",
    "different colour": "moss green",
}
"""Held-out question -> what only the data teaches."""


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_the_demo_trains_proves_and_teaches(home, root, tmp_path):
    before = home.json("plan", root / "examples/support.jsonl")
    assert not home.path.exists(), "planning has no side effects"
    assert not before["tokens"]["exact"], "no tokenizer is here before the first job"

    ended = home.json("train", root / "examples/support.jsonl", timeout=1400)
    assert ended["outcome"] == "completed"
    job, artifact = ended["id"], Path(ended["artifact"])

    check_artifact(artifact)
    check_losses(artifact)
    check_answers(artifact)
    check_receipt(home, job, artifact)
    check_surroundings(home, job, root, tmp_path)
    check_chat(home, job)


def check_artifact(artifact):
    assert all((artifact / name).is_file() for name in REQUIRED_FILES)
    config = json.loads((artifact / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == "HuggingFaceTB/SmolLM2-135M-Instruct"
    assert yaml.safe_load((artifact / "spec.yaml").read_text())["training"]["packing"] is True
    with Image.open(artifact / "loss.png") as curve:
        assert len(curve.convert("RGB").getcolors(1_000_000) or []) > 10, "an empty picture"
    proof = json.loads((artifact / "proof.json").read_text())
    assert proof["passed"]
    assert proof["difference_from_base"] > 1
    assert proof["difference_from_trainer"] <= proof["tolerance"]
    card = (artifact / "README.md").read_text()
    assert "Pellmoor" not in card, "no row of the data in the card"


def check_losses(artifact):
    history = [json.loads(line) for line in (artifact / "metrics.jsonl").read_text().splitlines()]
    losses = [entry["loss"] for entry in history if "loss" in entry]
    held_out = [entry["eval_loss"] for entry in history if "eval_loss" in entry]
    assert losses[-1] < losses[0] / 5
    assert held_out[-1] < held_out[0] / 3


def check_answers(artifact):
    samples = json.loads((artifact / "samples.json").read_text())
    assert len(samples) == len(FACTS)
    taught = 0
    for sample in samples:
        fact = next(value for key, value in FACTS.items() if key in sample["question"])
        assert fact not in sample["before"].lower(), "the base model cannot know this"
        assert sample["before"] != sample["after"]
        taught += fact in sample["after"].lower()
    # Eight of eight on the machine it was tuned on; arithmetic differs a little between CPUs.
    assert taught >= 6, [(s["question"], s["after"]) for s in samples]


def check_receipt(home, job, artifact):
    checked = home.json("receipt", job, "--verify")
    assert checked["valid"]
    signed = home.json("receipt", job)
    receipt = signed["receipt"]
    adapter = sha256_file(artifact / "adapter_model.safetensors")
    assert receipt["artifact"]["adapter_sha256"] == adapter
    assert receipt["data"]["train_rows"] == 110
    assert receipt["data"]["stop_token_trained"] is True
    assert receipt["absence"]["instance_id"] == receipt["machine"]["instance"]
    assert "Pellmoor" not in json.dumps(signed), "no row of the data in the receipt"
    events = (home.folder(job) / "events.jsonl").read_text()
    assert "Pellmoor" not in events + (home.folder(job) / "worker.log").read_text()


def check_surroundings(home, job, root, tmp_path):
    after = home.json("plan", root / "examples/support.jsonl")
    assert after["tokens"]["exact"]
    assert after["time"]["basis"] == "the last run on this machine"
    copied = home.run("artifact", job, "-o", tmp_path / "copy")
    assert copied.returncode == 0, copied.stderr
    assert home.run("receipt", tmp_path / "copy", "--verify").returncode == 0
    tampered = tmp_path / "copy" / "README.md"
    tampered.write_text(tampered.read_text() + "!")
    refused = home.run("receipt", tmp_path / "copy", "--verify")
    assert refused.returncode == 6
    assert "README.md" in refused.stderr
    home.wait_for(lambda: not home.processes(), "the idle driver leaves")


def check_chat(home, job):
    question = "Which dial click should I use for espresso?"
    said = home.run("chat", job, text=f"{question}\n/base\n{question}\n/quit\n", timeout=240)
    assert said.returncode == 0, said.stderr
    adapted, _, base = said.stdout.partition("adapter off")
    assert "52" in adapted
    assert "click 52" not in base.lower()
