"""The first process of a container, as a program: nothing of its command outlives it."""

import os
import signal
import subprocess
import sys
from uuid import uuid4

import psutil
import pytest

from podtune.testing import container_init

SLOW = [sys.executable, "-c", "import time; time.sleep(600)"]


@pytest.fixture
def start():
    running = []

    def started(*command, env=None):
        words = [sys.executable, "-I", "-S", container_init.__file__, *command]
        process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, start_new_session=True, env=env,
        )  # fmt: skip
        running.append(process)
        return process

    yield started
    for process in running:
        process.stdin.close()
        process.wait(20)
        process.stdout.close()


def carrying(mark):
    """Processes with a word on their command line."""
    found = []
    for process in psutil.process_iter():
        try:
            if mark in " ".join(process.cmdline()) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue
    return found


@pytest.mark.parametrize("code", [0, 3, 255])
def test_the_commands_exit_code_is_passed_on(start, code):
    assert start("sh", "-c", f"exit {code}").wait(20) == code


def test_a_signal_is_told_as_shells_do(start):
    assert start("sh", "-c", "kill -9 $$").wait(20) == 128 + 9


@pytest.mark.parametrize(("command", "code"), [("no-such-program", 127), (os.sep, 126)])
def test_what_cannot_be_started_says_so(start, command, code):
    process = start(command)
    assert process.wait(20) == code
    assert process.stdout.read().startswith("exec: ")


def test_everything_ends_with_the_command_whatever_session_or_environment_it_took(start):
    mark = f"left-{uuid4().hex}"
    program = f"import time; '{mark}'; time.sleep(600)"
    spawn = (
        "import subprocess, sys; "
        "subprocess.Popen([sys.executable, '-c', sys.argv[1]], start_new_session=True, env={}); "
    )
    # the child's parent ends at once, so that it is an orphan in a session of its own
    nested = (
        f"import subprocess, sys; subprocess.run([sys.executable, '-c', {spawn!r}, *sys.argv[1:]])"
    )
    process = start(sys.executable, "-c", nested, program)
    assert process.wait(20) == 0
    assert carrying(mark) == []


def test_a_word_to_stop_asks_first(start):
    process = start(
        "sh", "-c", "trap 'echo asked; exit 5' TERM; echo up; while :; do sleep 0.02; done"
    )
    assert process.stdout.readline() == "up\n"
    process.stdin.write("stop 20\n")
    process.stdin.flush()
    assert process.wait(20) == 5
    assert process.stdout.read() == "asked\n"


def test_one_that_does_not_hear_is_killed_after_the_grace(start):
    process = start("sh", "-c", "trap '' TERM; echo up; while :; do sleep 0.02; done")
    assert process.stdout.readline() == "up\n"
    process.stdin.write("stop 0.05\n")
    process.stdin.flush()
    assert process.wait(20) == 128 + signal.SIGKILL


def test_it_ends_by_itself_when_the_cloud_is_gone(start):
    process = start(*SLOW)
    process.stdin.close()
    assert process.wait(20) == 128 + signal.SIGTERM


def test_sigterm_to_it_ends_the_container(start):
    process = start("sh", "-c", "echo up; exec sleep 600")
    assert process.stdout.readline() == "up\n"
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 128 + signal.SIGTERM


def test_descendants_are_found_however_deep(start):
    process = start("sh", "-c", "sleep 600 & sleep 601 & echo up; wait")
    assert process.stdout.readline() == "up\n"
    assert len(container_init.descendants(process.pid)) == 3
    assert container_init.descendants(2**22 + 1) == []


def test_a_listing_serves_where_there_is_no_proc():
    assert (os.getpid(), os.getppid()) in container_init._listed_parents()
