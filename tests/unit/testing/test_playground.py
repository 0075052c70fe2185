import pytest

from podtune.testing.clock import RealClock
from podtune.testing.cloud import Cloud
from podtune.testing.http import Request
from support.stand_in import Desk


def test_state_needs_no_key_and_tells_no_secret():
    desk = Desk()
    pod_id = desk.running(env={"TOKEN": "hush"})
    response = desk.cloud.handle(Request.of("GET", "/_stand_in/state"))
    state = response.json()
    assert state["pods"][0]["id"] == pod_id
    assert state["balanceUsd"] < 25
    assert state["seed"] == 1
    assert b"hush" not in response.content()
    assert desk.cloud.account.pods[pod_id].key.encode() not in response.content()


def test_faults_come_and_go():
    desk = Desk()
    rules = ["reset,route=list_pods", {"kind": "delay", "seconds": 1}]
    told = desk.ask("POST", "/_stand_in/faults", rules)
    assert told.status == 201
    assert [rule["kind"] for rule in told.json()["faults"]] == ["reset", "delay"]
    assert desk.ask("GET", "/v2/pods").fault is not None
    assert desk.ask("DELETE", "/_stand_in/faults").status == 204
    assert desk.ask("GET", "/v2/pods").fault is None
    assert desk.ask("GET", "/_stand_in/state").json()["history"]


def test_the_clock_can_be_moved():
    desk = Desk()
    assert desk.ask("POST", "/_stand_in/clock", {"seconds": 60}).json() == {
        "now": "2026-11-22T00:01:00Z"
    }
    real = Cloud(RealClock())
    request = Request.of("POST", "/_stand_in/clock", {}, b'{"seconds": 1}')
    assert real.handle(request).status == 409


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("faults", "earthquake", 422),
        ("faults", {"kind": "earthquake"}, 422),
        ("faults", b"{", 400),
        ("clock", {"seconds": -1}, 422),
        ("clock", {"seconds": True}, 422),
        ("clock", [], 422),
        ("stock", {"gpu": "NVIDIA A40", "data_centers": {"EU-RO-1": "LOW"}}, 200),
        ("stock", {"gpu": "NVIDIA A40", "data_centers": {"EU-RO-1": "SOME"}}, 422),
        ("stock", {"gpu": "NVIDIA A40"}, 422),
    ],
)
def test_what_is_sent_is_checked(path, body, status):
    assert Desk().ask("POST", f"/_stand_in/{path}", body).status == status


def test_the_journal_goes_on_from_a_number():
    desk = Desk()
    desk.running()
    whole = desk.ask("GET", "/_stand_in/journal").json()["journal"]
    assert desk.ask("GET", "/_stand_in/journal?after=1").json()["journal"] == whole[1:]
    assert desk.ask("GET", "/_stand_in/journal?after=x").status == 422


def test_it_can_be_left_out():
    assert Desk(is_playground=False).ask("GET", "/_stand_in/state").status == 404
