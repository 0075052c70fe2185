import os
import sys

import psutil
import pytest

import child
from support.pod_machine import eventually


def runs(pid):
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def run(tmp_path, program, **limits):
    return child.run(
        [sys.executable, "-c", program],
        log=tmp_path / "log",
        environment={"PATH": os.environ["PATH"], "MARK": "here"},
        folder=tmp_path,
        limits=child.Limits(**limits),
    )


def test_output_and_code(tmp_path):
    ended = run(tmp_path, "import os; print(os.environ['MARK'], os.getcwd()); raise SystemExit(3)")
    assert ended == child.Ended(3)
    assert (tmp_path / "log").read_text() == f"here {tmp_path}\n"


def test_too_slow(tmp_path):
    ended = run(tmp_path, "import time; time.sleep(60)", wanted_s=0.3)
    assert (ended.code, ended.too_slow, ended.stopped) == (-15, True, False)


def test_asked_to_stop(tmp_path):
    program = (
        "import signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))\n"
        "print('up', flush=True)\n"
        "time.sleep(60)\n"
    )
    ended = run(tmp_path, program, stop=lambda: "up" in (tmp_path / "log").read_text())
    assert (ended.code, ended.stopped) == (7, True)


def test_who_does_not_listen_is_killed(tmp_path):
    program = (
        "import signal, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "print('up', flush=True)\n"
        "time.sleep(60)\n"
    )
    ended = run(tmp_path, program, stop=lambda: "up" in (tmp_path / "log").read_text(), grace_s=0.2)
    assert (ended.code, ended.stopped) == (-9, True)


def test_nothing_is_left_behind(tmp_path):
    program = (
        "import subprocess, sys\n"
        "left = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "print(left.pid)\n"
    )
    run(tmp_path, program)
    pid = int((tmp_path / "log").read_text())
    assert eventually(lambda: not runs(pid))


def test_what_cannot_be_started(tmp_path):
    with pytest.raises(OSError, match="no-such-program"):
        child.run(["/no-such-program"], log=tmp_path / "log", environment={}, folder=tmp_path)
