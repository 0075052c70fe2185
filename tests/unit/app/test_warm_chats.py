import threading
from pathlib import Path

import pytest

from podtune.app import warm_chats
from podtune.app.chat_program import Ended
from podtune.app.warm_chats import WarmChats
from podtune.core.errors import SpecError, StateError, TrainingError
from support import homes
from support.build import job
from support.waiting import until

ENDED = Ended("stop", 1, 1)


class Program:
    """Answers as it is told; knows what was done to it."""

    def __init__(self, folder):
        self.folder = folder
        self.is_alive = True
        self.closed = False
        self.go = threading.Event()
        self.go.set()

    def wait_ready(self):
        if self.folder.name == "broken":
            raise TrainingError("no adapter", code="chat_failed")

    def complete(self, asked):
        yield "piece"
        self.go.wait(10)
        if asked.get("refuse"):
            raise SpecError("too long", code="bad_conversation")
        if asked.get("fail"):
            raise TrainingError("it died", code="chat_failed")
        yield ENDED

    def kill(self):
        self.is_alive = False

    def close(self):
        self.closed, self.is_alive = True, False


@pytest.fixture
def started():
    return []


@pytest.fixture
def make(tmp_path, started):
    made = []

    def begin(folder):
        started.append(Program(folder))
        return started[-1]

    def chats(**more):
        one = WarmChats(homes.settings(tmp_path), start=begin, **{"wait_s": 0.2, **more})
        made.append(one)
        return one

    yield chats
    for one in made:
        one.close()


A, B = Path("a"), Path("b")


def test_an_adapter_stays_warm(make, started):
    chats = make()
    for _ in range(3):
        assert list(chats.complete(A, {})) == ["piece", ENDED]
    assert len(started) == 1


def test_another_takes_the_place_of_an_idle_one(make, started):
    chats = make()
    list(chats.complete(A, {}))
    list(chats.complete(B, {}))
    assert [one.folder for one in started] == [A, B]
    assert started[0].closed


def test_one_conversation_at_a_time_the_others_wait_or_are_refused(make, started):
    chats = make()
    first = chats.complete(A, {})
    next(first)
    for folder in (A, B):
        with pytest.raises(StateError) as caught:
            next(chats.complete(folder, {}))
        assert caught.value.code == "busy"
    assert list(first) == [ENDED]
    assert list(chats.complete(B, {})) == ["piece", ENDED]


def test_who_waits_gets_their_turn(make, started):
    chats = make(wait_s=10)
    first, told = chats.complete(A, {}), []
    next(first)
    waiting = threading.Thread(target=lambda: told.extend(chats.complete(A, {})))
    waiting.start()
    until(lambda: chats._waiting, "somebody waits")
    assert list(first) == [ENDED]
    waiting.join(10)
    assert told == ["piece", ENDED]
    assert len(started) == 1


def test_too_many_wait(make, monkeypatch):
    chats = make(wait_s=10)
    monkeypatch.setattr(warm_chats, "WAITING", 0)
    with pytest.raises(StateError):
        next(chats.complete(A, {}))


def test_who_leaves_early_has_the_program_ended(make, started):
    chats = make()
    asked = chats.complete(A, {})
    next(asked)
    asked.close()
    assert started[0].closed
    assert list(chats.complete(A, {})) == ["piece", ENDED]
    assert len(started) == 2


def test_a_refusal_leaves_it_warm_a_failure_does_not(make, started):
    chats = make()
    with pytest.raises(SpecError):
        list(chats.complete(A, {"refuse": True}))
    assert started[0].is_alive
    with pytest.raises(TrainingError):
        list(chats.complete(A, {"fail": True}))
    assert started[0].closed
    list(chats.complete(A, {}))
    assert len(started) == 2


def test_what_cannot_be_loaded_leaves_room(make, started):
    chats = make()
    with pytest.raises(TrainingError, match="no adapter"):
        next(chats.complete(Path("broken"), {}))
    assert started[0].closed
    assert list(chats.complete(A, {})) == ["piece", ENDED]


def test_an_idle_one_is_ended_after_its_time(make, started):
    chats = make(kept_s=0.05)
    list(chats.complete(A, {}))
    until(lambda: started[0].closed, "the end of an idle program")


def test_closing_ends_all(make, started):
    chats = make()
    asked = chats.complete(A, {})
    next(asked)
    chats.close()
    assert started[0].closed
    with pytest.raises(StateError):
        next(chats.complete(A, {}))


def test_a_model_that_is_too_large_is_said():
    small = job()
    assert warm_chats.hindrance(small) is None
    facts = small.plan.base_model.model_copy(update={"total_parameters": 10**15})
    huge = small.model_copy(update={"plan": small.plan.model_copy(update={"base_model": facts})})
    assert "bits" in (warm_chats.hindrance(huge) or "")
