"""The driver process: who holds a lease, whether that one lives, and a run that finds nothing."""

import os
import signal
import socket
import subprocess
import sys

import psutil
import pytest

from podtune.app import driver
from podtune.app.settings import driver_environment
from podtune.providers.local import identity
from podtune.workflow.store import JobStore
from support import homes
from support.waiting import until


def test_this_process_is_alive():
    name = driver.holder_name()
    assert name.startswith(socket.gethostname())
    assert f":{os.getpid()}:" in name
    assert len(name) < 200, "as long as the store's column"
    assert not driver.is_dead(name)


def test_a_process_that_ended_is_dead():
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    name = f"{driver.realm()}:{identity.of(psutil.Process(child.pid))}"
    assert not driver.is_dead(name)
    child.communicate(b"\n")
    assert driver.is_dead(name)


def test_a_zombie_is_dead():
    child = subprocess.Popen([sys.executable, "-c", ""])
    process = psutil.Process(child.pid)
    name = f"{driver.realm()}:{identity.of(process)}"
    until(lambda: process.status() == psutil.STATUS_ZOMBIE)
    assert driver.is_dead(name)
    child.wait()


def test_a_reused_pid_is_another_process():
    pid, _, stamp = identity.of(psutil.Process()).partition(":")
    assert not driver.is_dead(f"{driver.realm()}:{pid}:{stamp}")
    assert driver.is_dead(f"{driver.realm()}:{pid}:{stamp}0")


def test_nothing_is_known_of_other_hosts():
    assert not driver.is_dead("elsewhere.example:1:2.00")


def test_nothing_is_known_of_another_host_that_is_called_alike():
    """Else two drivers on one PostgreSQL would take each other for dead, and each other's jobs, for ever."""
    assert not driver.is_dead(f"{socket.gethostname()}:1:0a1b2c3d-99")
    boot = driver.realm().replace("/", "/0")
    assert not driver.is_dead(f"{boot}:1:0a1b2c3d-99")


@pytest.mark.skipif(sys.platform != "linux", reason="namespaces of pids are Linux's")
def test_nothing_is_known_of_a_container_that_is_called_like_its_host():
    here = driver.holder_name()
    there, space = here.split(":")[0].rsplit(".", 1)
    assert not driver.is_dead(f"{there}.{int(space) + 1}:1:0a1b2c3d-99")


def test_a_host_with_colons_is_understood():
    assert not driver.is_dead("fe80::1:99:2.00")


@pytest.fixture
def started(tmp_path):
    """A real driver process on a home."""
    children = []

    def start():
        settings = homes.settings(tmp_path)
        settings.home.mkdir(exist_ok=True)
        child = subprocess.Popen(
            [sys.executable, "-m", "podtune.app.driver"],
            env=driver_environment(settings),
            cwd=settings.home,
            stderr=subprocess.PIPE,
            text=True,
        )
        children.append(child)
        return settings, child

    yield start
    for child in children:
        child.kill()
        child.communicate()


def test_beside_another_driver_it_goes_at_once(tmp_path, started):
    store = JobStore(homes.settings(tmp_path).database)
    store.hold(driver.driver_of(homes.settings(tmp_path)), 1000)
    _, child = started()
    _, said = child.communicate(timeout=60)
    assert child.returncode == 0
    assert "driver ends: busy" in said
    assert [other.holder for other in store.drivers()] == [driver.holder_name()]
    store.close()


def test_a_signal_ends_it_in_order(started):
    settings, child = started()
    until(lambda: settings.database.is_file() and _holder(settings))
    child.send_signal(signal.SIGTERM)
    _, said = child.communicate(timeout=60)
    assert child.returncode == 0
    assert "driver ends: stopped" in said


def _holder(settings):
    store = JobStore(settings.database)
    try:
        return store.drivers()
    finally:
        store.close()
