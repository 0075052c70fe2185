import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from podtune.core import handover
from podtune.core.events import EventKind, TrainingEvent
from podtune.core.handover import HandOver, signed_line, verified_event
from podtune.core.states import WorkerStage
from support.build import NOW

KEY = "ab" * 32
EVENT = TrainingEvent(
    job="demo", attempt=1, seq=0, time=NOW, kind=EventKind.STAGE, stage=WorkerStage.LOADING
)


def message(**changes):
    values = {
        "job": "demo", "attempt": 1, "event_key": KEY, "secrets": {"HF_TOKEN": "hf_hush"},
        "bundle": {"via": "https", "url": "https://x.example/b?sig=hush", "sha256": "0" * 64,
                   "bytes": 3, "headers": {"x-key": "hush"}},
        "deliver": {"via": "port"},
    }  # fmt: skip
    return HandOver.model_validate({**values, **changes})


def test_secrets_show_only_where_they_are_sent():
    made = message()
    assert "hush" not in repr(made)
    assert "hush" not in str(made.model_dump())
    sent = json.loads(made.model_dump_json())
    assert sent["secrets"] == {"HF_TOKEN": "hf_hush"}
    assert sent["bundle"]["url"].endswith("sig=hush")
    assert sent["bundle"]["headers"] == {"x-key": "hush"}
    assert sent["event_key"] == KEY


@pytest.mark.parametrize(
    ("kind", "deliver"),
    [
        ("port", {"via": "port"}),
        (
            "put",
            {"via": "put", "archive": {"url": "https://x/a"}, "result": {"url": "https://x/r"}},
        ),
        ("program", {"via": "program", "arguments": ["deliver_hub.py", "--job", "demo"]}),
    ],
)
def test_the_three_ways_of_delivery(kind, deliver):
    assert message(deliver=deliver).deliver.via == kind


@pytest.mark.parametrize(
    "changes",
    [{"bundle": {"via": "port", "sha256": "x", "bytes": 1}}, {"deliver": {"via": "fax"}},
     {"attempt": 0}, {"extra": 1}, {"deliver": {"via": "program", "arguments": []}}],
)  # fmt: skip
def test_a_wrong_message_is_never_sent(changes):
    with pytest.raises(ValidationError):
        message(**changes)


def test_a_signed_line_gives_the_event_back():
    found = verified_event(signed_line(EVENT.line(), KEY), KEY)
    assert found == (EVENT, EVENT.line())


@given(st.text(max_size=80), st.integers(0, 63))
def test_nothing_else_is_believed(text, at):
    assert verified_event(text, KEY) is None
    line = signed_line(EVENT.line(), KEY)
    start = len(handover.SIGNED_MARKER) + at
    other = "0" if line[start] != "0" else "1"
    assert verified_event(line[:start] + other + line[start + 1 :], KEY) is None
    assert verified_event(line.replace("demo", "memo"), KEY) is None


def test_the_environment_holds_no_secret():
    told = handover.pod_environment(
        job="demo", attempt=2, token="the-token", figures={"DEADLINE": 5, "MAX_USD": "1.5"}
    )
    assert told["PODTUNE_JOB"] == "demo"
    assert (told["PODTUNE_ATTEMPT"], told["PODTUNE_PORT"]) == ("2", "8466")
    assert (told["PODTUNE_DEADLINE"], told["PODTUNE_MAX_USD"]) == ("5", "1.5")
    assert "the-token" not in str(told)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (handover.PodStatus, '{"phase": "training", "attempt": 1, "later": 3}'),
        (handover.Received, '{"received": 4}'),
        (handover.RemoteFile, '{"name": "a/b", "bytes": 1, "sha256": "%s"}' % ("0" * 64)),
        (handover.DeliveredResult, '{"job": "a", "attempt": 1, "ok": true, "archive": null}'),
    ],
)
def test_answers_may_know_more_than_we_do(kind, text):
    assert TypeAdapter(kind).validate_json(text)


@pytest.mark.parametrize(
    "name", ["checkpoint-", "../checkpoint-1", "checkpoint-1/x", "checkpoint-a"]
)
def test_a_checkpoint_has_a_plain_name(name):
    with pytest.raises(ValidationError):
        handover.RemoteCheckpoint(name=name, step=1, bytes=0, files=())
