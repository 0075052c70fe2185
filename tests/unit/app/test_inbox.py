"""What comes from a machine is appended once, whatever repeats it, and only if it is of this attempt."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from podtune.app.inbox import LARGEST_EVENTS, Inbox
from podtune.core.events import EventKind, TrainingEvent
from podtune.core.handover import DeliveredResult, signed_line
from podtune.core.progress import fold
from podtune.core.states import WorkerStage
from podtune.workflow.folder import AttemptWatch, EventTail, JobFolder
from support import build

KEY = "ab" * 32


def line(seq, job="demo", attempt=1):
    return TrainingEvent(
        job=job, attempt=attempt, seq=seq, time=build.NOW, kind=EventKind.STEP,
        stage=WorkerStage.TRAINING, step=seq,
    ).line()  # fmt: skip


def numbers(folder):
    return [event.seq for event in EventTail(folder.events).read()]


@pytest.fixture
def folder(tmp_path):
    return JobFolder(tmp_path)


def test_events_are_read_from_where_the_last_look_ended(folder):
    there = "".join(line(n) + "\n" for n in range(5)).encode()
    inbox = Inbox(folder, "demo", 1)
    inbox.take_events(there[:150])
    assert there[: inbox.events_after].endswith(b"\n"), "a line in the making waits"
    inbox.take_events(there[inbox.events_after :])
    assert numbers(folder) == [0, 1, 2, 3, 4]
    assert Inbox(folder, "demo", 1).events_after == len(there), "another driver goes on there"


def test_events_that_came_by_the_log_are_not_taken_again(folder):
    inbox = Inbox(folder, "demo", 1)
    assert inbox.take_signed(signed_line(line(0), KEY), KEY)
    assert not inbox.take_signed(signed_line(line(0), KEY), KEY)
    assert not inbox.take_signed(signed_line(line(1), "cd" * 32), KEY), "another key's"
    assert not inbox.take_signed("podtune: training", KEY)
    assert inbox.take_events(f"{line(0)}\n{line(1)}\n".encode()) == 1
    assert numbers(folder) == [0, 1]


@pytest.mark.parametrize(("job", "attempt"), [("other", 1), ("demo", 2)])
def test_events_of_others_are_dropped(folder, job, attempt):
    inbox = Inbox(folder, "demo", 1)
    assert inbox.take_events((line(0, job, attempt) + "\n").encode()) == 0
    assert not folder.events.exists()


def test_output_is_appended_once_although_a_driver_died_before_it_was_counted(folder):
    Inbox(folder, "demo", 1).take_log(b"one\n")
    with folder.log.open("ab") as stream:
        stream.write(b"two\n")  # written, and not counted
    later = Inbox(folder, "demo", 1)
    assert later.log_after == 4
    later.take_log(b"two\nthree\n")
    assert folder.log.read_bytes() == b"one\ntwo\nthree\n"


def test_a_driver_that_was_frozen_takes_in_nothing_that_another_has(folder):
    frozen = Inbox(folder, "demo", 1)
    frozen.take_events(f"{line(0)}\n".encode())
    frozen.take_log(b"one\n")
    other = Inbox(folder, "demo", 1)
    other.take_events(f"{line(1)}\n{line(2)}\n".encode())
    other.take_log(b"two\nthree\n")
    assert frozen.take_events(f"{line(1)}\n{line(2)}\n".encode()) == 0
    frozen.take_log(b"two\n")
    assert numbers(folder) == [0, 1, 2]
    assert folder.log.read_bytes() == b"one\ntwo\nthree\n"
    assert (frozen.events_after, frozen.log_after) == (other.events_after, other.log_after)
    other.take_log(b"four\n")
    assert folder.log.read_bytes().endswith(b"three\nfour\n")


def test_output_of_a_new_attempt_follows_that_of_the_last(folder):
    Inbox(folder, "demo", 1).take_log(b"one\n")
    second = Inbox(folder, "demo", 2)
    assert second.log_after == 0
    second.take_log(b"again\n")
    assert folder.log.read_bytes() == b"one\nagain\n"


def test_output_cannot_steer_a_terminal(folder):
    Inbox(folder, "demo", 1).take_log(b"a\x1b[2Jb\x07\tc\r\n\x7f\x00")
    assert folder.log.read_bytes() == b"a[2Jb\tc\r\n"


def test_an_outcome_from_the_store_stands_for_a_last_word_that_never_came(folder):
    inbox = Inbox(folder, "demo", 1)
    inbox.take_events((line(0) + "\n").encode())
    said = DeliveredResult(
        job="demo", attempt=1, ok=True, files={"a": "0" * 64}, facts={"steps": 3}
    )
    assert not inbox.take_result(said.model_copy(update={"attempt": 2}), build.NOW)
    assert inbox.take_result(said, build.NOW)
    assert fold(EventTail(folder.events).read()).facts == {"steps": 3}
    result = AttemptWatch(folder.events, 1).result()
    assert result is not None
    assert (result.ok, result.files) == (True, {"a": "0" * 64})


@settings(max_examples=60, deadline=None)
@given(cuts=st.lists(st.integers(0, 900), max_size=8), restart=st.booleans())
def test_however_the_pieces_fall_every_event_is_there_once(tmp_path_factory, cuts, restart):
    folder = JobFolder(tmp_path_factory.mktemp("job"))
    there = "".join(line(n) + "\n" for n in range(6)).encode()
    inbox = Inbox(folder, "demo", 1)
    for cut in [*cuts, len(there), len(there)]:
        inbox.take_events(there[inbox.events_after : max(cut, inbox.events_after)])
        if restart:
            inbox = Inbox(folder, "demo", 1)
    assert numbers(folder) == list(range(6))


def test_a_flood_of_events_ends_and_the_outcome_still_comes(folder):
    folder.events.parent.mkdir(parents=True, exist_ok=True)
    with folder.events.open("wb") as stream:
        stream.truncate(LARGEST_EVENTS)
    inbox = Inbox(folder, "demo", 1)
    assert inbox.take_events((line(1) + "\n").encode()) == 0
    said = DeliveredResult(job="demo", attempt=1, ok=True)
    assert inbox.take_result(said, build.NOW)
    with folder.events.open("r+b") as stream:
        stream.truncate(2 * LARGEST_EVENTS)
    assert not inbox.take_result(said, build.NOW)
