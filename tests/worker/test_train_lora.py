import json

import pytest

import train_lora
from podtune.core.artifact import REQUIRED_FILES
from podtune.core.events import MARKER, EventKind, parse_line
from podtune.core.states import WorkerStage
from podtune.storage.artifact_folder import checksums


@pytest.fixture(scope="module")
def events(trained):
    lines = (trained / "events.jsonl").read_text(encoding="utf-8").splitlines()
    parsed = [parse_line(line) for line in lines]
    assert all(parsed)
    return [event for event in parsed if event]


@pytest.mark.timeout(250)
def test_the_artifact_is_whole_and_its_checksums_are_told(trained, events):
    artifact = trained / "artifact"
    assert all((artifact / name).is_file() for name in REQUIRED_FILES)
    assert events[-1].result is not None
    assert events[-1].result.ok
    assert events[-1].result.files == checksums(artifact)


def test_stages_come_in_order(events):
    stages = [e.stage for e in events if e.kind is EventKind.STAGE]
    assert stages == [
        WorkerStage.DOWNLOADING, WorkerStage.LOADING, WorkerStage.TRAINING, WorkerStage.SAVING,
        WorkerStage.PROVING,
    ]  # fmt: skip


def test_every_step_is_told_with_its_figures(events):
    steps = [e for e in events if e.kind is EventKind.STEP]
    assert [e.step for e in steps] == list(range(1, steps[-1].total_steps + 1))
    for event in steps:
        assert event.metrics is not None
        assert event.metrics.training_loss is not None
        assert event.metrics.gradient_norm is not None
        assert event.metrics.learning_rate is not None
    assert steps[-1].metrics.throughput > 0


def test_loss_falls_on_training_and_held_out_rows(events):
    losses = [e.metrics.training_loss for e in events if e.kind is EventKind.STEP]
    held = [e.metrics.validation_loss for e in events if e.kind is EventKind.EVALUATION]
    assert losses[-1] < losses[0]
    assert held[-1] < held[0]


def test_no_row_text_in_events(trained):
    text = (trained / "events.jsonl").read_text(encoding="utf-8")
    assert "grinder" not in text
    assert "hold button" not in text


def test_the_adapter_names_its_base_model(trained, tiny):
    config = json.loads((trained / "artifact" / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == str(tiny)
    assert config["target_modules"] == sorted(config["target_modules"])
    assert (config["r"], config["lora_alpha"], config["bias"]) == (16, 32, "none")
    assert (config["task_type"], config["lora_dropout"]) == ("CAUSAL_LM", 0.05)


def test_samples_hold_question_known_answer_and_both_answers(trained):
    samples = json.loads((trained / "artifact" / "samples.json").read_text())
    assert len(samples) == 3
    assert all(s.keys() == {"question", "expected", "before", "after"} for s in samples)


def test_facts_count_what_was_trained(events):
    facts = {}
    for event in events:
        facts.update(event.facts or {})
    assert facts["truncated_rows"] == 0
    assert 0 < facts["trained_tokens"] < facts["train_tokens"]
    assert facts["train_rows"] + facts["validation_rows"] == 40
    assert facts["steps"] == facts["total_steps"]
    assert facts["peak_memory_bytes"] > 1e8


def test_a_bad_order_ends_in_a_typed_failure(trained, tmp_path, capsys, monkeypatch):
    order = json.loads((trained / "order.json").read_text())
    (tmp_path / "order.json").write_text(json.dumps(order))
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "train.jsonl").write_text("{}\n")
    monkeypatch.setattr("sys.argv", ["train_lora.py", str(tmp_path)])
    assert train_lora.main() == 5
    last = [line for line in capsys.readouterr().out.splitlines() if line.startswith(MARKER)][-1]
    event = parse_line(last)
    assert event is not None
    assert event.result is not None
    assert (event.result.ok, event.result.error_code) == (False, "data_changed")
