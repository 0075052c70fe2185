import anyio
import pytest

from podtune.core.errors import NotFoundError
from podtune.mcp_server import waiting
from podtune.mcp_server.waiting import Look
from support import homes
from support.driving import held


@pytest.fixture
def job(host, work):
    plan = homes.plan(work)
    return host.service.submit(plan, digest=plan.digest)


class Told(list):
    async def __call__(self, stand):
        self.append(stand.status.phase)


class Ticks:
    """A clock that goes on by a second at every look."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        self.now += 1
        return self.now


def wait(look, wait_s, tell=None, **more):
    async def run():
        return await waiting.changed(look, wait_s, Told() if tell is None else tell, **more)

    return anyio.run(run)


def test_without_a_wait_it_says_how_it_stands(host, job):
    told = Told()
    stand, has_changed = wait(Look(host.house.desk(), job.id), 0, told)
    assert (stand.status.phase, stand.is_finished, has_changed, told) == (
        "queued",
        False,
        False,
        [],
    )


def test_it_ends_once_the_time_is_up(host, job):
    told = Told()
    stand, has_changed = wait(Look(host.house.desk(), job.id), 3, told, elapsed=Ticks())
    assert (stand.status.phase, has_changed) == ("queued", False)
    assert told[0] == "queued"


def test_a_change_ends_the_wait(host, job):
    class Changes(Told):
        async def __call__(self, stand):
            if not self:
                store = host.service.store()
                store.apply(held(store, job), {"phase": "provisioning"}, "begun")
                store.leave("tests")
            await super().__call__(stand)

    told = Changes()
    stand, has_changed = wait(Look(host.house.desk(), job.id), 60, told)
    assert (stand.status.phase, has_changed, told) == (
        "provisioning",
        True,
        ["queued", "provisioning"],
    )


def test_what_has_ended_is_not_waited_for(host, job):
    homes.finish(host.service.settings, job)
    stand, has_changed = wait(Look(host.house.desk(), job.id), 60)
    assert (stand.is_finished, has_changed, stand.status.progress) == (True, False, 100)


def test_a_server_that_stops_waits_for_nobody(host, job):
    async def run():
        closing = anyio.Event()
        closing.set()
        return await waiting.changed(Look(host.house.desk(), job.id), 60, Told(), closing=closing)

    stand, has_changed = anyio.run(run)
    assert (stand.is_finished, has_changed) == (False, False)


def test_a_job_that_is_not_there_is_told(host):
    with pytest.raises(NotFoundError):
        wait(Look(host.house.desk(), "nothing"), 1)
