"""A driver where one is needed, and its last words where it failed."""

import pytest

from podtune.app import driver, rounds
from podtune.app.driver_keeper import DriverKeeper
from podtune.app.installation import owner
from podtune.core.errors import StateError
from podtune.workflow.store import JobStore
from support import build, homes


class Ended:
    """A driver that ended with an error."""

    def poll(self):
        return 1


@pytest.fixture
def settings(tmp_path):
    return homes.settings(tmp_path)


@pytest.fixture
def store(settings):
    made = JobStore(settings.database)
    yield made
    made.close()


def test_a_driver_is_started_once_and_only_for_work(settings, store, monkeypatch):
    started = []
    monkeypatch.setattr(driver, "spawn", lambda given: started.append(given.home))
    keeper = DriverKeeper(settings)
    keeper.ensure(store)
    assert started == []
    store.add(build.job(owner=owner(settings.home)))
    keeper.ensure(store)
    keeper.ensure(store)
    assert started == [settings.home]


def test_a_driver_that_cannot_start_is_told_in_its_own_words(settings, store, monkeypatch):
    monkeypatch.setattr(driver, "spawn", lambda given: Ended())
    store.add(build.job(owner=owner(settings.home)))
    keeper = DriverKeeper(settings)
    keeper.ensure(store)
    settings.driver_log.write_text("first\nValueError: no disk with hf_abcdefghijkl\n\n")
    with pytest.raises(StateError, match="no disk with \\*\\*\\*") as caught:
        keeper.ensure(store)
    assert caught.value.code == "driver_failed"


def test_for_a_round_over_the_account_one_is_started_and_left_alone(settings, store, monkeypatch):
    started, asked = [], []
    monkeypatch.setattr(driver, "spawn", lambda given: started.append(given.home))
    monkeypatch.setattr(rounds, "is_round_due", lambda *given: not asked.append(1))
    keeper = DriverKeeper(settings)
    keeper.ensure(store)
    keeper.ensure(store)
    assert started == [settings.home]
    assert len(asked) == 1, "a command that watches asks no more often than rounds are made"
