"""The program that a rented machine runs to bring its artifact to the Hub."""

import os
import subprocess
import sys

import pytest

import deliver_hub
from podtune.core.events import EventKind, TrainingEvent
from podtune.core.handover import DeliveredResult
from podtune.core.states import WorkerStage
from support import artifacts, build
from support.hub_writes import POD, WritableHub

NAME = "anna/podtune-demo-abc234"
WHICH = ["--repository", NAME, "--job", "demo-abc234", "--attempt", "1"]


@pytest.fixture
def hub(tmp_path):
    with WritableHub(tmp_path / "hub") as serving:
        serving.make(f"datasets/{NAME}", {})
        yield serving


def run(root, hub, folder, token=POD):
    """As on a machine: in the job's folder, the token in the environment alone."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("HF_")}
    home = {"HOME": str(folder), "HF_HOME": str(folder / "hf"), "PYTHONPATH": str(root / "src")}
    program = str(root / "runpod-worker" / "deliver_hub.py")
    return subprocess.run(
        [sys.executable, program, "--endpoint", hub.url, *WHICH],
        cwd=folder,
        env=environment | home | ({"HF_TOKEN": token} if token else {}),
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_the_artifact_and_its_result_are_committed(root, hub, tmp_path):
    folder = artifacts.make(tmp_path / "job" / "artifact", weights=b"w" * 5000)
    measured = TrainingEvent(
        job="demo-abc234", attempt=1, seq=0, time=build.NOW, kind=EventKind.FACTS,
        stage=WorkerStage.TRAINING, facts={"steps": 3},
    )  # fmt: skip
    (folder.parent / "events.jsonl").write_text(measured.line() + "\n")
    ended = run(root, hub, folder.parent)
    assert (ended.returncode, ended.stderr) == (0, "")
    there = hub.repositories[f"datasets/{NAME}"]
    assert {p.name for p in (there / "adapter").iterdir()} == {p.name for p in folder.iterdir()}
    said = DeliveredResult.model_validate_json((there / "result.json").read_text())
    assert (said.ok, said.facts) == (True, {"steps": 3})


def test_without_a_token_it_says_so(root, hub, tmp_path):
    folder = artifacts.make(tmp_path / "job" / "artifact")
    ended = run(root, hub, folder.parent, token=None)
    assert ended.returncode == 1
    assert ended.stderr.startswith("missing_key: ")


def test_without_an_artifact_it_says_so(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert deliver_hub.main(["--endpoint", "http://127.0.0.1:1", *WHICH]) == 1
    assert capsys.readouterr().err.startswith("no_artifact: ")


def test_arguments_are_needed(capsys):
    with pytest.raises(SystemExit):
        deliver_hub.main([])
    assert "--repository" in capsys.readouterr().err
