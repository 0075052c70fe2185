import json

import pytest

import orders as order_book
from orders import HandOver, Refused
from podtune.core.handover import PodStatus, pod_environment
from state import PodState


@pytest.fixture
def state(tmp_path):
    told = pod_environment(
        job="demo", attempt=1, token="t", figures={"DEADLINE": 2e9, "STARTED": 1.9e9}
    )
    orders = order_book.read({**told, "PODTUNE_WORKSPACE": str(tmp_path)})
    orders.watch.mkdir(parents=True)
    return PodState(orders)


WORK = HandOver({"via": "port", "sha256": "0" * 64, "bytes": 1}, {"via": "port"}, {}, b"")


def test_status_is_what_our_side_reads(state):
    status = PodStatus.model_validate({**state.status(), "gpus": []})
    assert (status.phase, status.events_bytes, status.worker_exit) == ("waiting", 0, None)
    assert status.disk_free_bytes


def test_a_beat_tells_what_moved(state):
    state.beat()
    first = json.loads((state.orders.watch / "beat").read_text())
    state.moved()
    state.beat()
    second = json.loads((state.orders.watch / "beat").read_text())
    assert first["progress"] != second["progress"]
    state.orders.events.parent.mkdir()
    state.orders.events.write_text("x")
    state.beat()
    assert json.loads((state.orders.watch / "beat").read_text())["progress"] != second["progress"]


def test_work_is_taken_until_it_began(state):
    state.accept(WORK)
    state.accept(WORK)
    assert state.phase == "receiving"
    state.enter("installing")
    with pytest.raises(Refused) as caught:
        state.accept(WORK)
    assert (caught.value.status, caught.value.facts) == (409, {"kind": "begun"})


def test_work_that_began_in_another_container_is_not_taken(state):
    state.orders.begun.touch()
    with pytest.raises(Refused):
        state.accept(WORK)


@pytest.mark.parametrize("phase", ["receiving", "installing", "checking", "training", "delivering"])
def test_no_release_while_something_runs(state, phase):
    state.enter(phase)
    with pytest.raises(Refused) as caught:
        state.release()
    assert caught.value.status == 409
    assert not (state.orders.watch / "end").exists()


@pytest.mark.parametrize("phase", ["waiting", "finished", "held", "failed", "delivered"])
def test_release_asks_the_watchdog(state, phase):
    state.enter(phase)
    state.release()
    state.release()
    assert "released" in (state.orders.watch / "end").read_text()


@pytest.mark.parametrize(
    ("name", "url", "status"),
    [("archive", "https://x/a", 409), ("all", "https://x/a", 400)],
)
def test_addresses_are_for_delivery_by_put(state, name, url, status):
    with pytest.raises(Refused) as caught:
        state.renew(name, {"url": url})
    assert caught.value.status == status


def test_a_fresh_address_takes_the_place_of_the_old_one(state):
    old = {"url": "https://x/a"}
    state.accept(WORK._replace(deliver={"via": "put", "archive": old, "result": old}))
    state.renew("archive", {"url": "https://x/b", "headers": {}})
    assert state.addresses["archive"]["url"] == "https://x/b"
    assert state.new_address.is_set()
    with pytest.raises(Refused):
        state.renew("archive", {"url": "http://x/b"})


def test_a_place_for_a_checkpoint_is_taken_where_there_is_one(state):
    there = {"url": "https://x/a"}
    put = {"via": "put", "archive": there, "result": there, "checkpoint": {"url": "https://x/c"}}
    state.accept(WORK._replace(deliver=put))
    assert state.addresses["checkpoint"]["url"] == "https://x/c"
    state.renew("checkpoint", {"url": "https://x/d"})
    assert state.addresses["checkpoint"]["url"] == "https://x/d"


def test_an_earlier_deadline_is_written_down_for_the_watchdog(state):
    state.accept(WORK._replace(deadline=1_950_000_000.0))
    assert float(state.orders.shortened.read_text()) == 1_950_000_000
