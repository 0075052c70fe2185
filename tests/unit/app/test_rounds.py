"""Whether a round over the account is due: only for homes that rented, with a key, and where nobody makes it."""

from datetime import timedelta

import pytest

from podtune.app import driver, rounds, unanswered
from podtune.core.errors import UnavailableError
from podtune.workflow import strays
from podtune.workflow.lease import Driver
from podtune.workflow.reaper import lease_name
from podtune.workflow.store import JobStore
from podtune.workflow.strays import Stray
from support import build, homes
from support.executors import Inline

ME = Driver("here:1:2.00", "owner123", "here", "acc")


@pytest.fixture
def settings(tmp_path):
    return homes.settings(tmp_path)


@pytest.fixture
def store(settings):
    made = JobStore(settings.database, clock=lambda: build.NOW)
    yield made
    made.close()


@pytest.fixture
def rented(store):
    with store.transaction() as connection:
        strays.see(
            connection,
            Stray("p", "pt-owner123-j-1-x1", "acc", None, None, "old", build.NOW, None, None, None),
        )


def is_due(settings, store, me=ME, seconds=0):
    return rounds.is_round_due(settings, store, me, lambda: build.NOW + timedelta(seconds=seconds))


def test_a_home_that_never_rented_looks_at_nothing(settings, store):
    assert not rounds.has_rented(settings, store)
    assert not is_due(settings, store)


def test_folders_of_jobs_tell_of_machines_when_the_store_was_lost(settings, store):
    folder = settings.jobs / "job1"
    folder.mkdir(parents=True)
    assert not rounds.has_rented(settings, store)
    (folder / "machine.json").write_text("{}")
    assert rounds.has_rented(settings, store)
    assert is_due(settings, store)


def test_it_is_due_where_machines_were_rented(settings, store, rented):
    assert is_due(settings, store)
    assert not is_due(settings, store, ME._replace(account=None)), "there is no key to ask with"


def test_a_round_that_was_made_just_now_is_enough(settings, store, rented):
    store.take_lease(lease_name("acc", "owner123"), "other", 60)
    assert not is_due(settings, store, seconds=59)
    assert is_due(settings, store, seconds=61)


@pytest.mark.parametrize(
    ("other", "due"),
    [({}, False), ({"account": "another"}, True), ({"owner": "else"}, True)],
)
def test_a_driver_that_sees_the_same_makes_it(settings, store, rented, other, due):
    store.hold(ME._replace(holder="elsewhere:1:2.00", **other), 60)
    assert is_due(settings, store) is due


def test_a_dead_driver_makes_none(settings, store, rented):
    store.hold(ME._replace(holder=f"{driver.realm()}:1:0.00"), 60)
    assert is_due(settings, store)


def test_the_round_of_a_driver_asks_nobody_before_something_was_rented(settings, store):
    asked = []

    class Client:
        def pages(self, path, form):
            asked.append(path)
            return []

        told_at = None

    reaper = rounds.round_of(settings, store, ME, Client(), executor=Inline(), clock=lambda: build.NOW)  # fmt: skip
    reaper.due()
    assert asked == []
    settings.jobs.joinpath("j").mkdir(parents=True)
    settings.jobs.joinpath("j", "machine.json").write_text("{}")
    reaper.work()
    assert asked == ["/pods"]


def test_a_provider_that_does_not_answer_is_noted_and_forgotten_when_it_does(settings, store):
    settings.jobs.joinpath("j").mkdir(parents=True)
    settings.jobs.joinpath("j", "machine.json").write_text("{}")

    class Client:
        is_down = True
        told_at = None

        def pages(self, path, form):
            if self.is_down:
                raise UnavailableError("RunPod did not answer")
            return []

    asked, moment = Client(), [build.NOW]
    reaper = rounds.round_of(settings, store, ME, asked, executor=Inline(), clock=lambda: moment[0])
    reaper.work()
    assert unanswered.words(settings.home, moment[0])
    asked.is_down = False
    moment[0] += timedelta(minutes=2)
    reaper.work()
    assert unanswered.words(settings.home, moment[0]) is None
