"""Two standing drivers on one job store, real processes: one killed, one frozen, the server restarted."""

import itertools
import signal
import sqlite3

import pytest

from faults.real_world import SHORT, World
from podtune.core.states import JobPhase, Outcome
from support import postgres_server
from support.waiting import until as look_until

JOBS = 12
UNHURRIED = SHORT.model_copy(update={"step_s": 0.2, "prove_s": 0.5})
"""Two seconds of training: the jobs are on their way when a driver goes."""


PATIENT_S = 90


def until(condition, what):
    return look_until(condition, what, PATIENT_S)


@pytest.fixture(scope="module")
def server():
    """A PostgreSQL of this module's own: it is restarted."""
    if reason := postgres_server.missing():
        pytest.skip(reason)
    with postgres_server.PostgresServer() as started:
        yield started


@pytest.fixture(params=["sqlite", "postgresql"])
def world(request, template, drivers, tmp_path):
    url = None
    if request.param == "postgresql":
        url = request.getfixturevalue("server").fresh()
    with World(template, drivers, tmp_path, script=UNHURRIED, database_url=url) as made:
        submit(made)
        yield made


_numbers = itertools.count(1)


def submit(world):
    """Twelve jobs of their own names: the receiver of callbacks is the same for all tests."""
    world.names = [f"job-{next(_numbers)}" for _ in range(JOBS)]
    world.submit(*world.names)


def unfinished(world):
    return [job for job in map(world.store.get, world.names) if not job.is_finished]


def of(driver, job):
    return job.holder is not None and f":{driver.pid}:" in job.holder


def drives_all(world, driver):
    """Whether a driver holds every job that has not ended, and there are some."""
    left = unfinished(world)
    return left and all(of(driver, job) for job in left)


def begun(world, phase):
    return sum(job.phase is phase for job in map(world.store.get, world.names)) >= 3


def check(world, *alive):
    """Every job at its end, on one machine, which is gone; who still drives leaves when told."""
    for name in world.names:
        wrong, found = world.audit(name, Outcome.COMPLETED)
        assert not found, "\n".join([*found, str(wrong), world.log()[-4000:]])
        told = [entry.message for entry in world.store.log(name)]
        assert len(told) == len(set(told)), f"{name}: nothing is written twice: {told}"
    for driver in alive:
        driver.end()
        assert driver.wait() == 0, world.log()[-4000:]


@pytest.mark.timeout(400)
def test_the_jobs_of_a_driver_that_was_killed_are_the_others_at_once(world):
    first = world.start(standing=True)
    until(lambda: drives_all(world, first), "the first driver at work")
    second = world.start(standing=True)
    until(lambda: begun(world, JobPhase.TRAINING), "jobs in training")
    first.send(signal.SIGKILL)
    assert first.wait() == -signal.SIGKILL
    until(lambda: drives_all(world, second), "the second driver with all of it")
    world.wait_for_end(*world.names)
    check(world, second)


def freeze(world, driver):
    """Stop a driver, outside a transaction of SQLite: that one would hold up everybody else."""
    while True:
        driver.send(signal.SIGSTOP)
        if "PODTUNE_DATABASE_URL" in world.environment or is_writable(world.home.database):
            return
        driver.send(signal.SIGCONT)


def is_writable(path):
    connection = sqlite3.connect(path, timeout=0.2, isolation_level=None)
    try:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("ROLLBACK")
    except sqlite3.OperationalError:
        return False
    finally:
        connection.close()
    return True


@pytest.mark.timeout(400)
@pytest.mark.parametrize("phase", [JobPhase.PROVISIONING, JobPhase.TRAINING, JobPhase.TERMINATING])
def test_a_driver_that_was_frozen_comes_back_and_disturbs_nothing(world, phase):
    first = world.start(standing=True)
    until(lambda: begun(world, phase), f"jobs in {phase}")
    freeze(world, first)
    frozen = {job.id: job.token for job in unfinished(world) if of(first, job)}
    assert frozen
    second = world.start(standing=True)
    until(lambda: drives_all(world, second), "the second driver with all of it, after the lease")
    assert all(world.store.get(name).token > token for name, token in frozen.items())
    first.send(signal.SIGCONT)
    world.wait_for_end(*world.names)
    check(world, first, second)


@pytest.mark.timeout(400)
def test_drivers_outlive_a_restart_of_the_database(template, drivers, server, tmp_path):
    with World(template, drivers, tmp_path, script=UNHURRIED, database_url=server.fresh()) as world:
        submit(world)
        first, second = world.start(standing=True), world.start(standing=True)
        until(lambda: begun(world, JobPhase.PROVISIONING), "orders under way")
        server.stop()
        until(lambda: "the job store" in world.log(), "a driver that misses its job store")
        server.start()
        until(lambda: begun(world, JobPhase.TRAINING), "jobs in training")
        server.stop()
        server.start()
        world.wait_for_end(*world.names)
        check(world, first, second)
