"""What is on the leash ends with whoever holds it."""

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

import leash
from support.waiting import until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="prctl is Linux's")

PARENT = """
import subprocess, sys, time
sys.path.insert(0, {worker!r})
import leash
from pathlib import Path
child = subprocess.Popen(leash.command(Path({program!r}), "word"))
open({mark!r}, "w").write(str(child.pid))
time.sleep(60)
"""

FORKING = """
import os, sys, time
sys.path.insert(0, {worker!r})
import leash
leash.hold_forks()
pid = os.fork()
if pid == 0:
    grandchild = os.fork()
    if grandchild:
        open({mark!r} + ".tmp", "w").write("%d %d" % (os.getpid(), grandchild))
        os.rename({mark!r} + ".tmp", {mark!r})
    time.sleep(60)
time.sleep(60)
"""


def over(pid):
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def started(tmp_path, root, text):
    program, mark = tmp_path / "program.py", tmp_path / "mark"
    program.write_text(
        f"import sys, time\nopen({str(tmp_path / 'ready')!r}, 'w').write(sys.argv[1])\ntime.sleep(60)",
        encoding="utf-8",
    )
    given = {"worker": str(root / "runpod-worker"), "program": str(program), "mark": str(mark)}
    parent = subprocess.Popen([sys.executable, "-c", text.format(**given)])
    until(lambda: mark.is_file() and mark.read_text())
    return parent, [int(pid) for pid in mark.read_text().split()]


def test_a_killed_parent_takes_its_program_along(tmp_path, root):
    parent, (child,) = started(tmp_path, root, PARENT)
    until(lambda: (tmp_path / "ready").is_file() and (tmp_path / "ready").read_text() == "word")
    parent.kill()
    parent.wait()
    until(lambda: over(child))


def test_forks_of_forks_go_too(tmp_path, root):
    """As multiprocessing forks the SDK's pings, and a manager from there."""
    parent, pids = started(tmp_path, root, FORKING)
    assert not any(over(pid) for pid in pids)
    parent.kill()
    parent.wait()
    until(lambda: all(over(pid) for pid in pids))


def test_an_orphan_does_not_begin(tmp_path, root):
    program = tmp_path / "program.py"
    program.write_text(f"open({str(tmp_path / 'ran')!r}, 'w')", encoding="utf-8")
    own = Path(leash.__file__)
    done = subprocess.run([sys.executable, own, "1", program], check=False)
    assert done.returncode == leash.ORPHANED
    assert not (tmp_path / "ran").exists()


def test_the_command_names_who_holds_it():
    words = leash.command(Path("/x/program.py"), "a", "b")
    assert words[-4:] == [str(os.getpid()), "/x/program.py", "a", "b"]
