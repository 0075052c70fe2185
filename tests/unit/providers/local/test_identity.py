import os
import subprocess
import sys

import psutil
import pytest

from podtune.providers.local import identity


def test_this_process_is_found_by_its_id():
    found = identity.find(identity.of(psutil.Process()))
    assert found is not None
    assert found.pid == os.getpid()


def test_a_stamp_does_not_move_with_the_clock(monkeypatch):
    before = identity.of(psutil.Process())
    monkeypatch.setattr(psutil.Process, "create_time", lambda self: 1.0)
    if sys.platform == "linux":
        assert identity.of(psutil.Process()) == before


@pytest.mark.parametrize("wrong", ["", "junk", "0:0", "1:0", "ended:pt-a-b-1", "-3:x"])
def test_an_id_that_is_no_process_is_none(wrong):
    assert identity.find(wrong) is None


def test_another_start_under_the_same_pid_is_another_process():
    assert identity.find(identity.of(psutil.Process()) + "0") is None


def test_an_ended_process_is_none_even_as_a_zombie():
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    known = identity.of(psutil.Process(child.pid))
    assert identity.find(known) is not None
    assert child.stdin is not None
    child.stdin.close()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # ended, not yet taken away
    assert identity.find(known) is None
    child.wait()
    assert identity.find(known) is None
    with pytest.raises(psutil.NoSuchProcess):
        identity.of(psutil.Process(child.pid))
