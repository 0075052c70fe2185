"""A job's program: told by its standard input, ended with everything it started."""

import asyncio
import os
import sys
import time

import psutil
import pytest

import serverless_child
from serverless_child import Child
from support.waiting import until

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="sessions are POSIX's")

TELLS = "import sys\nopen('told', 'w').write(sys.stdin.read() + '|' + sys.argv[1])\nprint('said')\n"
SPAWNS = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN if {stubborn} else signal.SIG_DFL)
own = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
apart = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], process_group=0)
open("pids.tmp", "w").write(f"{{os.getpid()}} {{own.pid}} {{apart.pid}}")
os.rename("pids.tmp", "pids")
time.sleep(60)
"""


def start(folder, text, told=b""):
    program = folder / "program.py"
    program.write_text(text, encoding="utf-8")
    return Child.start(program, folder, folder / "log", told, {"PATH": os.environ["PATH"]})


def over(pid):
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_it_is_told_by_its_input_and_says_into_a_file(tmp_path):
    child = start(tmp_path, TELLS, b"secret")
    assert until(lambda: child.code() is not None)
    assert child.code() == 0
    assert (tmp_path / "told").read_text(encoding="utf-8") == f"secret|{tmp_path}"
    assert (tmp_path / "log").read_text(encoding="utf-8") == "said\n"
    assert child.alive() == ()


@pytest.mark.parametrize("stubborn", [False, True])
def test_the_whole_session_is_ended(tmp_path, stubborn):
    child = start(tmp_path, SPAWNS.format(stubborn=stubborn))
    until(lambda: (tmp_path / "pids").is_file())
    pids = [int(pid) for pid in (tmp_path / "pids").read_text(encoding="ascii").split()]
    assert set(child.alive()) == set(pids)
    began = time.monotonic()
    asyncio.run(child.stop(0.5 if stubborn else serverless_child.STOP_S))
    assert time.monotonic() - began < 5
    assert all(over(pid) for pid in pids)
    assert child.alive() == ()
    assert child.code() == (-9 if stubborn else -15)


def test_ending_what_has_ended_is_nothing(tmp_path):
    child = start(tmp_path, "")
    until(lambda: child.code() is not None)
    asyncio.run(child.stop(1))
    child.kill()
    assert child.code() == 0
