"""Containers as processes: output, ends, load, and what is left when their first process is killed."""

import os
import signal
import sys
from uuid import uuid4

import psutil
import pytest

from podtune.testing.containers import LINE_BYTES, MARK, Container, basics, end_marked
from support.waiting import until


@pytest.fixture
def run(tmp_path):
    running = []

    def started(*command, **environment):
        container = Container(
            command, {**basics(tmp_path), **environment}, tmp_path, f"test-{uuid4().hex}"
        )
        running.append(container)
        return container

    yield started
    for container in running:
        container.kill()


def printed(container):
    container.wait(20)
    return container.lines()


def test_output_comes_line_by_line_and_once(run):
    container = run("sh", "-c", "echo one; echo two >&2; printf three")
    assert printed(container) == ["one", "two", "three"]
    assert container.lines() == []
    assert container.poll() == 0


def test_output_can_be_read_while_it_runs(run):
    container = run("sh", "-c", "echo first; exec sleep 600")
    assert until(container.lines) == ["first"]
    assert container.poll() is None
    container.stop(20)
    assert container.wait(20) == 128 + signal.SIGTERM


def test_control_signs_do_not_get_through(run):
    (line,) = printed(run("printf", r"a\033[31mred\007\tb\r\n"))
    assert line == "a[31mred\tb"


def test_a_long_line_is_cut_into_several(run):
    lines = printed(run(sys.executable, "-c", f"print('x' * {2 * LINE_BYTES + 5})"))
    assert [len(line) for line in lines] == [LINE_BYTES, LINE_BYTES, 5]


def test_the_oldest_output_goes_first(run):
    lines = printed(run("seq", "30000"))
    assert (len(lines), lines[-1]) == (20_000, "30000")


def test_the_environment_is_what_was_given_and_the_mark(run, tmp_path):
    container = run(sys.executable, "-c", "import os; print(*sorted(os.environ))", HERE="1")
    names = set(printed(container)[0].split())
    assert names - {"LC_CTYPE"} == {*basics(tmp_path), "HERE", MARK}


def test_this_python_comes_first(run):
    assert printed(run("python3", "-c", "import sys; print(sys.prefix)")) == [sys.prefix]


def test_stopping_one_that_ended_is_nothing(run):
    container = run("true")
    container.wait(20)
    container.stop(1)
    container.stop(1)
    assert container.poll() == 0


def test_what_stood_under_a_killed_first_process_is_ended_by_its_mark(run):
    container = run("sh", "-c", "echo up; exec sleep 600")
    until(container.lines)
    (sleeper,) = psutil.Process(container.pid).children()
    os.kill(container.pid, signal.SIGKILL)
    assert until(container.poll) == 128 + signal.SIGKILL
    until(lambda: not psutil.pid_exists(sleeper.pid) or sleeper.status() == "zombie")


def test_no_process_carries_an_unknown_mark():
    assert end_marked(uuid4().hex) == 0


def test_the_load_is_in_percent(run):
    busy = run(sys.executable, "-c", "print('up', flush=True)\nwhile True: pass")
    until(busy.lines)
    usage = until(lambda: busy.usage() if busy.usage().cpu else None)
    assert 0 < usage.cpu <= 100
    assert usage.gpu == usage.cpu
    assert 0 <= usage.memory < 100
    busy.kill()
    assert busy.poll() is not None
