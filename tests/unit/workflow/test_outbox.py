"""Messages on SQLite and PostgreSQL: written once, held by one courier at a time, noted as they fare."""

import threading
from datetime import timedelta

import pytest

from podtune.core.errors import NotFoundError
from podtune.core.states import JobPhase, Outcome
from podtune.workflow import submissions
from podtune.workflow.columns import micros
from podtune.workflow.lease import Driver
from podtune.workflow.outbox import Message, queue
from podtune.workflow.submissions import Submission
from support import build
from support.driving import ME, OTHER, held

MESSAGE = Message("demo-abc234:terminal", "https://x.example/hook?token=a", '{"a": 1}')
DONE = {"phase": JobPhase.TERMINATING, "outcome": Outcome.COMPLETED}
HOLD_S = 60


@pytest.fixture
def clock(clock_at):
    return clock_at(build.NOW)


@pytest.fixture
def store(database, clock):
    made = database.store(clock)
    yield made
    made.close()


@pytest.fixture
def written(store):
    """A store with a job that ended, and the message about it."""
    return end(store)


def end(store, name="demo-abc234", owner=ME.owner):
    """Settle a job's outcome, with its message in the same transaction."""
    store.add(build.job(id=name, owner=owner))
    job = held(store, store.get(name))
    message = MESSAGE._replace(id=f"{name}:terminal")
    store.apply(job, DONE, "artifact verified", message=message)
    return store


def take(store, driver=ME, most=10):
    return store.messages.take(driver, HOLD_S, most)


def stands(store):
    (one,) = store.messages.of("demo-abc234")
    return one


def told(store):
    return [e.message for e in store.log("demo-abc234") if e.message.startswith("callback")]


def test_a_message_says_whose_job_it_tells_of(store):
    end(store)
    store.add(build.job(id="shops-abc234", owner=ME.owner, tenant="shop"))
    job = held(store, store.get("shops-abc234"))
    store.apply(
        job, DONE, "artifact verified", message=MESSAGE._replace(id="shops-abc234:terminal")
    )
    refused = Submission(
        id="never-abc234", owner=ME.owner, tenant="shop", key_id=None, kind="training", name=None, digest="0" * 64,
        note="{}", body=None, state="refused", error="{}", ceiling_usd=None, created_at=build.NOW, begun_at=None,
        settled_at=build.NOW,
    )  # fmt: skip
    with store.transaction() as connection:
        submissions.add(connection, refused, "", 0, 0)
        told = MESSAGE._replace(id="never-abc234:terminal")
        queue(connection, refused.id, told, micros(build.NOW))
    whose = {letter.job: letter.message.tenant for letter in take(store)}
    assert whose == {"demo-abc234": None, "shops-abc234": "shop", "never-abc234": "shop"}


def test_what_a_dead_driver_had_taken_is_free_at_once(written):
    (letter,) = take(written)
    assert take(written, OTHER) == []
    written.messages.free(OTHER.holder)
    assert take(written, OTHER) == [], "that is another's"
    written.messages.free(ME.holder)
    assert [one.message for one in take(written, OTHER)] == [letter.message]


def test_a_message_is_there_with_the_outcome_it_tells_of(written):
    one = stands(written)
    assert (one.id, one.job, one.url) == (MESSAGE.id, "demo-abc234", MESSAGE.url)
    assert (one.tries, one.delivered_at, one.given_up_at, one.last_error) == (0, None, None, None)
    assert one.next_at - one.created_at < timedelta(seconds=1)
    assert take(written)[0].message == MESSAGE


def test_a_refused_outcome_leaves_no_message(store):
    store.add(build.job())
    job = held(store, store.get("demo-abc234"))
    store.leave(ME.holder)
    with pytest.raises(Exception, match="another driver has taken over"):
        store.apply(job, DONE, None, message=MESSAGE)
    assert store.messages.of() == []


def test_one_that_is_written_again_stays_as_it_was(written):
    again = MESSAGE._replace(body="other", url="https://other.example")
    written.apply(written.get("demo-abc234"), {"attempt": 2}, None, message=again)
    (letter,) = take(written)
    assert letter.message == MESSAGE


def test_one_courier_at_a_time_has_it_until_its_time_is_over(written, clock):
    assert len(take(written)) == 1
    assert take(written) == take(written, OTHER) == []
    clock.forward(HOLD_S - 1)
    assert take(written, OTHER) == []
    clock.forward(2)
    (letter,) = take(written, OTHER)
    assert (letter.holder, letter.message.id, letter.tries) == (OTHER.holder, MESSAGE.id, 0)


def test_only_drivers_of_its_installation_send_it(written):
    stranger = Driver("stranger", "stranger", "here")
    assert take(written, stranger) == []
    assert written.messages.next_at("stranger") is None
    assert len(take(written, ME._replace(host="elsewhere", account="acc"))) == 1


def test_the_longest_due_are_taken_first_and_no_more_than_asked_for(store, clock):
    for name in ("job-c", "job-a", "job-b"):
        end(store, name)
        clock.forward(1)
    assert [letter.job for letter in take(store, most=2)] == ["job-c", "job-a"]
    assert [letter.job for letter in take(store, most=2)] == ["job-b"]


def test_what_was_delivered_is_never_taken_again(written, clock):
    (letter,) = take(written)
    written.messages.delivered(letter, "callback delivered")
    clock.forward(1e6)
    assert take(written) == []
    one = stands(written)
    assert one.delivered_at is not None
    assert (one.next_at, one.tries) == (None, 1)
    assert told(written) == ["callback delivered"]
    assert written.log("demo-abc234")[-1].phase == JobPhase.TERMINATING


def test_a_failure_is_tried_again_after_its_pause(written, clock):
    (letter,) = take(written)
    written.messages.failed(letter, "last answer 503", 100, "callback waits")
    assert take(written) == []
    clock.forward(99)
    assert take(written) == []
    clock.forward(2)
    (letter,) = take(written)
    assert (letter.tries, stands(written).last_error) == (1, "last answer 503")


def test_the_log_has_a_line_only_when_something_changes(written, clock):
    for why in ("503", "503", "503", "410"):
        (letter,) = take(written)
        written.messages.failed(letter, why, 1, f"waits: {why}")
        clock.forward(2)
    (letter,) = take(written)
    written.messages.failed(letter, "410", None, "gives up: 410")
    lines = [entry.message for entry in written.log("demo-abc234")]
    assert lines[-3:] == ["waits: 503", "waits: 410", "gives up: 410"]
    assert stands(written).tries == 5


def test_what_was_given_up_rests(written, clock):
    (letter,) = take(written)
    written.messages.failed(letter, "last answer 410", None, "callback given up")
    clock.forward(1e6)
    assert take(written) == []
    one = stands(written)
    assert one.given_up_at is not None
    assert (one.next_at, one.last_error) == (None, "last answer 410")


def test_a_failure_counts_for_nothing_once_another_has_it_but_a_delivery_is_a_fact(written, clock):
    (mine,) = take(written)
    clock.forward(HOLD_S + 1)
    (theirs,) = take(written, OTHER)
    written.messages.failed(mine, "late", None, "callback given up")
    assert stands(written).given_up_at is None
    written.messages.delivered(mine, "callback delivered")
    written.messages.failed(theirs, "late", 5, "callback waits")
    written.messages.delivered(theirs, "callback delivered")
    assert stands(written).delivered_at is not None
    assert told(written) == ["callback delivered"]


@pytest.mark.parametrize("wait_s", [None, 3600])
def test_by_hand_it_is_due_at_once_with_all_its_tries(written, wait_s):
    (letter,) = take(written)
    written.messages.failed(letter, "last answer 410", wait_s, "callback fails")
    sent = written.messages.again("demo-abc234")
    assert (sent.id, sent.tries, sent.given_up_at) == (MESSAGE.id, 0, None)
    (letter,) = take(written)
    written.messages.delivered(letter, "callback delivered")
    written.messages.again("demo-abc234")
    assert len(take(written)) == 1
    assert told(written) == [
        "callback fails",
        "callback is sent again, by hand",
        "callback delivered",
        "callback is sent again, by hand",
    ]


def test_there_is_nothing_to_send_again_without_a_message(store):
    store.add(build.job())
    with pytest.raises(NotFoundError) as caught:
        store.messages.again("demo-abc234")
    assert caught.value.code == "no_callback"


def test_each_run_of_a_job_has_a_message_and_the_newest_is_sent_again(written, clock):
    clock.forward(5)
    job = written.get("demo-abc234")
    second = MESSAGE._replace(id="demo-abc234:terminal:2")
    written.apply(job, {"run": 2}, None, message=second)
    shown = {one.id for one in written.messages.of("demo-abc234")}
    assert shown == {MESSAGE.id, second.id}
    assert written.messages.again("demo-abc234").id == second.id


def test_when_the_next_is_due_is_known(written):
    written_at = stands(written).next_at
    assert written.messages.next_at(ME.owner) == written_at
    (letter,) = take(written)
    slow = timedelta(seconds=20)
    held_until = written.messages.next_at(ME.owner)
    assert timedelta(0) <= held_until - written_at - timedelta(seconds=HOLD_S) < slow
    written.messages.failed(letter, "503", 300, "callback waits")
    due = written.messages.next_at(ME.owner)
    assert timedelta(0) <= due - written_at - timedelta(seconds=300) < slow
    (one,) = written.messages.of()
    assert due == one.next_at


def test_a_driver_stays_while_a_message_waits(written, clock):
    job = written.get("demo-abc234")
    written.apply(job, {"phase": JobPhase.DONE}, None)
    assert not written.leave_if_idle(ME.holder)
    (letter,) = take(written)
    written.messages.failed(letter, "503", 3600, "callback waits")
    assert not written.leave_if_idle(ME.holder)
    assert not written.is_needed(ME), "it is alive"
    clock.forward(3601)
    (letter,) = take(written)
    written.messages.delivered(letter, "callback delivered")
    assert written.leave_if_idle(ME.holder)
    assert not written.is_needed(ME)


def test_a_driver_is_needed_for_a_message_whose_driver_went(written):
    written.apply(written.get("demo-abc234"), {"phase": JobPhase.DONE}, None)
    written.leave(ME.holder)
    assert written.is_needed(OTHER)
    assert not written.is_needed(Driver("x", "stranger", "here"))
    written.hold(ME, HOLD_S)
    assert not written.is_needed(OTHER)


def test_many_couriers_at_once_take_each_message_once(database, store):
    for number in range(20):
        end(store, f"job-{number}")
    stores = [database.store() for _ in range(4)]
    start, found = threading.Barrier(len(stores)), []

    def collect(one, number):
        driver = ME._replace(holder=f"driver-{number}")
        start.wait()
        while letters := take(one, driver, most=3):
            found.extend(letter.job for letter in letters)

    threads = [
        threading.Thread(target=collect, args=(one, number)) for number, one in enumerate(stores)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for one in stores:
        one.close()
    assert sorted(found) == sorted(f"job-{number}" for number in range(20))
