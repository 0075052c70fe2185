"""The first process; most of what it does is seen in test_receive.py and test_watchdog.py."""

import subprocess
import sys

from support.pod_machine import eventually


def test_an_unusable_environment_ends_the_machine_at_once(machine):
    del machine.environment["PODTUNE_DEADLINE"]
    machine.start()
    eventually(machine.control.ended.is_set)
    assert "PODTUNE_DEADLINE is missing" in machine.text()
    assert "pod-scoped-key" not in machine.text()


def test_only_the_watchdog_has_the_machines_key(up):
    holders = {
        part.rsplit("/", 1)[-1]
        for process in up.processes()
        for part in process.cmdline()[1:2]
        if "RUNPOD_API_KEY" in process.environ()
    }
    assert "watchdog.py" in holders
    assert "receive.py" not in holders


def test_each_is_in_a_session_of_its_own(up):
    import os

    sessions = [os.getsid(process.pid) for process in up.processes()]
    assert len(sessions) == 3
    assert len(set(sessions)) == 3


def test_a_release_before_a_restart_still_ends_the_machine(up):
    with up.port() as port:
        port.release()
    eventually(up.control.ended.is_set)
    up.control.ended.clear()
    up.end()
    up.start()
    eventually(up.control.ended.is_set)


def test_work_handed_over_to_the_container_before_is_no_work_now(machine):
    machine.environment["PODTUNE_BOOT_LIMIT_S"] = "0.3"
    watch = machine.folder / "watch-1"
    watch.mkdir(parents=True)
    (watch / "handed-over").touch()
    machine.start()
    eventually(machine.control.ended.is_set)


def test_an_old_python_is_told(root):
    program = (
        "import sys, runpy, time\n"
        "sys.version_info = (3, 8, 0, 'final', 0)\n"
        "def stop(_): raise SystemExit(9)\n"
        "time.sleep = stop\n"
        f"runpy.run_path({str(root / 'runpod-worker/pod/bootstrap.py')!r}, run_name='__main__')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 9
    assert "older than 3.10" in done.stdout
