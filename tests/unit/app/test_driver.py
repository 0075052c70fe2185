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
from support.workers import until


def test_this_process_is_alive():
    name = driver.holder_name()
    assert name.startswith(f"{socket.gethostname()}:{os.getpid()}:")
    assert not driver.is_dead(name)


def test_a_process_that_ended_is_dead():
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    name = f"{socket.gethostname()}:{identity.of(psutil.Process(child.pid))}"
    assert not driver.is_dead(name)
    child.communicate(b"\n")
    assert driver.is_dead(name)


def test_a_zombie_is_dead():
    child = subprocess.Popen([sys.executable, "-c", ""])
    process = psutil.Process(child.pid)
    name = f"{socket.gethostname()}:{identity.of(process)}"
    until(lambda: process.status() == psutil.STATUS_ZOMBIE)
    assert driver.is_dead(name)
    child.wait()


def test_a_reused_pid_is_another_process():
    pid, _, stamp = identity.of(psutil.Process()).partition(":")
    assert not driver.is_dead(f"{socket.gethostname()}:{pid}:{stamp}")
    assert driver.is_dead(f"{socket.gethostname()}:{pid}:{stamp}0")


def test_nothing_is_known_of_other_hosts():
    assert not driver.is_dead("elsewhere.example:1:2.00")


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
    store.take_lease(driver.holder_name(), 1000)
    _, child = started()
    _, said = child.communicate(timeout=60)
    assert child.returncode == 0
    assert "driver ends: busy" in said
    assert store.lease_holder() == driver.holder_name()
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
        return store.lease_holder()
    finally:
        store.close()


def test_a_driver_that_is_asked_to_leave_ends_and_a_stranger_is_left_alone():
    command = [sys.executable, "-c", "import signal; signal.pause()"]
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    name = f"{socket.gethostname()}:{identity.of(psutil.Process(child.pid))}"
    driver.ask_to_leave(f"elsewhere.example:{name.split(':', 1)[1]}")
    driver.ask_to_leave(f"{name}0")
    assert child.poll() is None
    driver.ask_to_leave(name)
    assert driver.is_dead(name)
    child.wait()
