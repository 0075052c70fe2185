"""Statuses that are told again: what makes them new, and what does not."""

import pytest

from podtune.app import machine_view
from podtune.gateway.remembered import FRESH_S, KEPT_S, MOST, Remembered
from podtune.workflow.folder import JobFolder
from podtune.workflow.glance import Glance

RUNNING = Glance("job-1", "shop", 3, is_finished=False, settled_at=7)
ENDED = RUNNING._replace(is_finished=True)


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


class Account:
    """What is amiss with it, and how often it was asked."""

    def __init__(self):
        self.words, self.asked = (), 0

    def __call__(self):
        self.asked += 1
        return self.words


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def account():
    return Account()


@pytest.fixture
def kept(tmp_path, account, clock):
    return Remembered(tmp_path, account, clock)


class Maker:
    """Makes another status each time."""

    made = 0

    def __call__(self):
        self.made += 1
        return b"%d" % self.made


@pytest.mark.parametrize("glance", [RUNNING, ENDED])
def test_what_has_not_changed_is_made_once(kept, glance):
    make = Maker()
    assert [kept.body(glance, make) for _ in range(3)] == [b"1"] * 3


@pytest.mark.parametrize(
    "changed", [{"version": 4}, {"is_finished": True}, {"settled_at": 8}, {"tenant": None}]
)
def test_a_written_row_is_told_at_once(kept, changed):
    make = Maker()
    kept.body(RUNNING, make)
    assert kept.body(RUNNING._replace(**changed), make) == b"2"


def test_what_the_worker_tells_is_told_at_once(kept, tmp_path):
    make, folder = Maker(), JobFolder(tmp_path / RUNNING.id)
    kept.body(RUNNING, make)
    folder.path.mkdir()
    folder.events.write_text("one\n")
    assert kept.body(RUNNING, make) == b"2"
    folder.events.write_text("one\ntwo\n")
    assert kept.body(RUNNING, make) == b"3"
    (folder.path / machine_view.FILE).write_text("{}")
    assert kept.body(RUNNING, make) == b"4"


def test_time_makes_the_status_of_a_running_job_new(kept, clock):
    make = Maker()
    kept.body(RUNNING, make)
    clock.now += FRESH_S
    assert kept.body(RUNNING, make) == b"2"


def test_one_that_has_ended_is_told_longer_and_not_for_ever(kept, clock):
    make = Maker()
    kept.body(ENDED, make)
    clock.now += KEPT_S - 0.1
    assert kept.body(ENDED, make) == b"1"
    clock.now += 0.2
    assert kept.body(ENDED, make) == b"2"


def test_what_is_amiss_with_the_account_is_asked_now_and_then_and_makes_all_new(
    kept, clock, account
):
    make = Maker()
    kept.body(ENDED, make)
    account.words = ("LEAK RISK $0.44/h",)
    assert kept.body(ENDED, make) == b"1"
    assert account.asked == 1
    clock.now += FRESH_S
    assert kept.body(ENDED, make) == b"2"
    assert account.asked == 2


def test_what_is_no_job_yet_is_never_remembered(kept):
    make = Maker()
    assert [kept.body(None, make) for _ in range(2)] == [b"1", b"2"]


def test_an_error_is_not_remembered(kept):
    def fail():
        raise LookupError

    with pytest.raises(LookupError):
        kept.body(RUNNING, fail)
    assert kept.body(RUNNING, Maker()) == b"1"


def test_it_is_bounded(kept):
    make = Maker()
    for number in range(MOST + 1):
        kept.body(ENDED._replace(id=str(number)), make)
    assert kept.body(ENDED._replace(id=str(MOST)), make) == b"%d" % (MOST + 1)
    assert kept.body(ENDED._replace(id="0"), make) == b"%d" % (MOST + 2)
