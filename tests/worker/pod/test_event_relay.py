import json

import pytest

import event_relay
import orders as order_book
from podtune.core.events import EventKind, parse_line
from podtune.core.handover import pod_environment, signed_line, verified_event
from podtune.core.states import WorkerStage
from support.pod_machine import KEY


@pytest.fixture
def orders(tmp_path):
    told = pod_environment(
        job="demo", attempt=3, token="t", figures={"DEADLINE": 2e9, "STARTED": 1.9e9}
    )
    return order_book.read({**told, "PODTUNE_WORKSPACE": str(tmp_path)})


def event(seq, attempt=3, **fields):
    return json.dumps({"job": "demo", "attempt": attempt, "seq": seq, "kind": "stage",
                       "time": "2026-01-02T03:04:05Z", "stage": "training", **fields})  # fmt: skip


def test_lines_are_signed_as_our_side_does_it(tmp_path, capsys):
    path = tmp_path / "events.jsonl"
    path.write_text(event(0) + "\n" + event(1) + "\n" + event(2)[:30])
    relay = event_relay.Relay(path, bytes.fromhex(KEY))
    relay.print_new()
    printed = capsys.readouterr().out.splitlines()
    assert printed == [signed_line(event(0), KEY), signed_line(event(1), KEY)]
    found = verified_event(printed[1], KEY)
    assert found
    assert (found[0].seq, found[1]) == (1, event(1))
    path.write_text(event(0) + "\n" + event(1) + "\n" + event(2) + "\n")
    relay.print_new()
    assert capsys.readouterr().out.splitlines() == [signed_line(event(2), KEY)]


def test_what_is_no_event_is_not_signed(tmp_path, capsys):
    path = tmp_path / "events.jsonl"
    path.write_text("chatter\n\x1b[2J\n")
    event_relay.Relay(path, bytes.fromhex(KEY)).print_new()
    assert capsys.readouterr().out == ""


def test_closing_prints_the_rest(tmp_path, capsys):
    path = tmp_path / "events.jsonl"
    relay = event_relay.Relay(path, bytes.fromhex(KEY))
    relay.start()
    path.write_text(event(0) + "\n")
    relay.close()
    assert capsys.readouterr().out.count("@podtune+") == 1


@pytest.mark.parametrize(
    "before", ["", event(0) + "\n" + event(1) + "\n", event(1) + "\n" + '{"cut']
)
def test_a_failure_is_a_valid_event_with_the_next_number(orders, before):
    orders.events.parent.mkdir(parents=True)
    orders.events.write_text(event(9, attempt=2) + "\n" + before)
    event_relay.add_failure(
        orders.events, orders, code="worker_lost", message="gone", advice="resume", stage="loading"
    )
    found = parse_line(orders.events.read_text().splitlines()[-1])
    assert found
    assert (found.attempt, found.seq) == (3, 2 if before else 0)
    assert (found.kind, found.stage) == (EventKind.RESULT, WorkerStage.LOADING)
    assert found.time.tzinfo is not None
    assert event_relay.result_of(orders.events, 3) == {
        "ok": False, "error_code": "worker_lost", "error_message": "gone", "advice": "resume",
    }  # fmt: skip
    assert event_relay.result_of(orders.events, 2) is None


def test_no_file_is_no_result(tmp_path):
    assert event_relay.result_of(tmp_path / "none", 1) is None
    assert event_relay.facts_of(tmp_path / "none", 1) == {}


def test_facts_are_those_of_the_attempt(tmp_path):
    lines = [{"attempt": 1, "facts": {"steps": 3, "a": 1}}, {"attempt": 2, "facts": {"steps": 9}},
             {"attempt": 1, "facts": {"steps": 4}}, {"attempt": 1, "facts": "none"}]  # fmt: skip
    (tmp_path / "events.jsonl").write_text("\n".join(map(json.dumps, lines)))
    assert event_relay.facts_of(tmp_path / "events.jsonl", 1) == {"steps": 4, "a": 1}
