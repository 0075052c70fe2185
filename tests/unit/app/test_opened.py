"""A home is opened when a verb needs it, and driven when there is work."""

import pytest

from podtune.app import driver
from podtune.app.service import Service
from podtune.core.errors import NotFoundError
from podtune.workflow.store import JobStore
from support import homes
from support.at_once import at_once


def test_making_a_service_makes_nothing(service, settings):
    assert not settings.home.exists()


def test_a_driver_just_started_is_not_started_again(service, job, spawned):
    for _ in range(5):
        service.job(job.id)
    assert len(spawned) == 1


def test_no_driver_is_started_beside_one_that_lives(service, plan, settings, spawned):
    settings.home.mkdir()
    store = JobStore(settings.database)
    store.hold(driver.driver_of(settings), 1000)
    service.submit(plan)
    store.close()
    assert spawned == []


def test_jobs_are_found_by_beginning_and_by_last(service, job):
    assert service.job(job.id[:9]).id == job.id
    assert service.job("last").id == job.id
    assert [j.id for j in service.jobs()] == [job.id]


def test_verbs_that_read_make_no_home(service, settings):
    for verb in (service.job, service.cancel, service.resume, service.artifact, service.receipt):
        with pytest.raises(NotFoundError) as caught:
            verb("last")
        assert caught.value.code == "no_jobs"
    assert service.jobs() == []
    assert not settings.home.exists()


def test_closing_twice_is_closing(service, job):
    service.close()
    service.close()
    assert service.job(job.id).id == job.id


def test_a_command_with_the_account_starts_a_driver_beside_one_that_has_none(
    service, user, account, settings, spawned
):
    job = service.submit(homes.rented_plan(user))
    store = JobStore(settings.database)
    stranger = driver.driver_of(settings)._replace(account=None)
    store.hold(stranger, 60)
    spawned.clear()
    other = Service(settings)
    other.jobs()
    other.job(job.id)
    assert spawned == [settings.home]
    assert store.drivers() == [stranger], "its jobs go on as they are"
    other.close()
    store.close()


def test_the_store_is_opened_once_however_many_ask_at_once(service):
    assert len({id(store) for store in at_once(lambda _: service.store(), range(16))}) == 1
