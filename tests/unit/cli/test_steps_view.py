"""Steps on the screen and as JSON lines."""

import json

import pytest

from podtune.app.eight_steps import Step, StepState, StepTold
from podtune.cli.console import Output
from podtune.cli.steps_view import Steps
from podtune.core.events import EventKind, Metrics, TrainingEvent
from podtune.core.states import WorkerStage
from podtune.workflow.store import LogEntry
from support import build


def told(step, state=StepState.ENDS, detail=""):
    return StepTold(step, state, build.NOW, detail)


def trained(step, total=40):
    return TrainingEvent(
        job="a", attempt=1, seq=step, time=build.NOW, kind=EventKind.STEP, stage=WorkerStage.TRAINING,
        step=step, total_steps=total, metrics=Metrics(training_loss=2.0),
    )  # fmt: skip


@pytest.fixture(autouse=True)
def wide(monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")


def test_people_read_a_line_on_stderr(capsys):
    steps = Steps(Output.HUMAN)
    steps.begin(Step.PARSE)
    steps.tell(told(Step.CLEAN_UP, detail="[bold]gone\x1b[2J"))
    out, err = capsys.readouterr()
    first, second = err.splitlines()
    assert out == ""
    assert first.split() == [">", "1/8", "parse", "begins"]
    assert second.split()[:5] == ["✓", "8/8", "clean", "up", "ends"]
    assert second.endswith("[bold]gone[2J")


def test_programs_read_a_line_of_json_on_stdout(capsys):
    steps = Steps(Output.JSON)
    steps.end(Step.VALIDATE, "12 rows")
    steps.tell(told(Step.MONITOR, StepState.FAILED, "out_of_memory"))
    out, err = capsys.readouterr()
    lines = [json.loads(line) for line in out.splitlines()]
    assert [(one["number"], one["state"], one["detail"]) for one in lines] == [
        (2, "ends", "12 rows"), (6, "failed", "out_of_memory"),
    ]  # fmt: skip
    assert err == ""


def test_of_the_training_programs_read_every_tenth(capsys):
    steps = Steps(Output.JSON)
    entry = LogEntry(build.NOW, 1, "training", "x")
    steps.tell_all([*(trained(n) for n in range(1, 41)), entry, told(Step.MONITOR)])
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [one.get("optimizer_step") for one in lines] == [1, *range(4, 41, 4), None]
    assert lines[0]["training_loss"] == 2.0
    assert {one["step"] for one in lines} == {"monitor"}
