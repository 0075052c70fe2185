import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from podtune.core.events import (
    MARKER,
    EventKind,
    Metrics,
    Task,
    TrainingEvent,
    WorkerResult,
    parse_line,
)
from podtune.core.states import WorkerStage

NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


def event(**changes):
    return TrainingEvent(
        **{
            "job": "demo-abc234",
            "attempt": 1,
            "seq": 0,
            "time": NOW,
            "kind": EventKind.STEP,
            "stage": WorkerStage.TRAINING,
            **changes,
        }
    )


EXAMPLES = {
    "stage": event(kind=EventKind.STAGE, stage=WorkerStage.LOADING),
    "task": event(
        kind=EventKind.TASK,
        stage=WorkerStage.DOWNLOADING,
        task=Task(name="model.safetensors", done=5, total=10, unit="bytes"),
    ),
    "step": event(
        seq=7,
        step=3,
        total_steps=80,
        epoch=0.5,
        metrics=Metrics(training_loss=1.25, learning_rate=2e-4, throughput=312.5),
    ),
    "facts": event(kind=EventKind.FACTS, facts={"trained": 136, "parts": {"a": [1, 2.5, "x"]}}),
    "failure": event(
        kind=EventKind.RESULT,
        result=WorkerResult(ok=False, error_code="out_of_memory", error_message="at step 4"),
    ),
    "success": event(
        kind=EventKind.RESULT, result=WorkerResult(ok=True, files={"a.json": "ab" * 32})
    ),
}
finite = st.none() | st.floats(allow_nan=False, allow_infinity=False)
metrics = st.builds(Metrics, training_loss=finite, validation_loss=finite, throughput=finite)
events = st.builds(
    event,
    attempt=st.integers(1, 99),
    seq=st.integers(0, 10**9),
    time=st.datetimes(timezones=st.just(UTC)),
    kind=st.sampled_from(EventKind),
    stage=st.sampled_from(WorkerStage),
    step=st.none() | st.integers(0, 10**6),
    epoch=finite,
    message=st.none() | st.text(),
    metrics=st.none() | metrics,
    facts=st.none() | st.dictionaries(st.text(), st.integers(-(2**53), 2**53) | st.text()),
)


@pytest.mark.parametrize("given_event", EXAMPLES.values(), ids=EXAMPLES)
def test_a_line_is_read_back_as_the_same_event(given_event):
    assert parse_line(given_event.line()) == given_event


@given(events)
def test_any_event_survives_its_line(given_event):
    assert parse_line(given_event.line()) == given_event


@given(events)
def test_any_event_survives_behind_the_marker_and_with_a_line_end(given_event):
    assert parse_line(f"{MARKER}{given_event.line()}\r\n") == given_event


@given(st.text())
def test_an_event_is_one_line_whatever_its_message(text):
    line = event(message=text).line()
    assert "\n" not in line
    assert "\r" not in line


def test_absent_figures_are_left_out_of_the_line():
    assert set(json.loads(event().line())) == {"job", "attempt", "seq", "time", "kind", "stage"}


def test_a_line_is_plain_json():
    body = json.loads(EXAMPLES["step"].line())
    assert body["metrics"] == {"training_loss": 1.25, "learning_rate": 2e-4, "throughput": 312.5}
    assert body["time"] == "2026-01-02T03:04:05.678901Z"


def test_a_loss_that_is_no_number_becomes_absent_and_never_breaks_the_line():
    line = event(metrics=Metrics(training_loss=float("nan"), throughput=1.0)).line()
    assert "NaN" not in line
    assert parse_line(line).metrics == Metrics(training_loss=None, throughput=1.0)


@pytest.mark.parametrize("given_event", EXAMPLES.values(), ids=EXAMPLES)
def test_a_line_cut_anywhere_is_no_event(given_event):
    line = given_event.line()
    assert [k for k in range(len(line)) if parse_line(line[:k]) is not None] == []


@pytest.mark.parametrize(
    "chatter",
    [
        "",
        "   ",
        "Loading checkpoint shards: 100%|##########| 2/2",
        "{'loss': 1.23, 'epoch': 0.5}",
        '{"loss": 1.23}',
        '[{"job": "x"}]',
        "null",
        "@podtune",
        "@podtune not json",
        "@podtune {}",
        f"noise {EXAMPLES['step'].line()}",
        f"{EXAMPLES['step'].line()} noise",
        EXAMPLES["step"].line() * 2,
    ],
)
def test_chatter_of_libraries_is_no_event(chatter):
    assert parse_line(chatter) is None


@given(st.text() | st.text().map(lambda text: MARKER + "{" + text))
def test_no_line_makes_the_parser_raise(text):
    assert parse_line(text) is None


def test_a_deeply_nested_line_is_no_event():
    assert parse_line('{"a":' + "[" * 100_000) is None


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "party"},
        {"stage": "lunch"},
        {"attempt": 0},
        {"seq": -1},
        {"time": "yesterday"},
        {"task": {"name": "x", "done": -1}},
    ],
)
def test_a_line_with_a_value_out_of_range_is_no_event(change):
    body = {**json.loads(EXAMPLES["step"].line()), **change}
    assert parse_line(json.dumps(body)) is None


def test_additions_of_a_newer_worker_are_ignored():
    body = {**json.loads(EXAMPLES["step"].line()), "mood": "good"}
    body["metrics"]["perplexity"] = 3.0
    assert parse_line(json.dumps(body)) == EXAMPLES["step"]


def test_another_zone_is_the_same_moment():
    there = NOW.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert parse_line(event(time=there).line()).time == NOW


def test_events_are_frozen():
    with pytest.raises(ValidationError, match="frozen"):
        event().seq = 2


@pytest.mark.parametrize(
    "figure",
    [
        '"epoch":NaN', '"epoch":Infinity', '"step":-1', f'"step":{10**400}',
        f'"total_steps":{2**53 + 1}', f'"seq":{10**30}',
    ],
)  # fmt: skip
def test_a_line_with_a_figure_that_no_worker_tells_is_no_event(figure):
    line = event(step=None).line()
    assert parse_line(line) is not None
    name = figure.partition(":")[0]
    kept = ",".join(part for part in line[1:-1].split(",") if not part.startswith(name))
    assert parse_line(f"{{{kept},{figure}}}") is None
