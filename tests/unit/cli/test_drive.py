"""`podtune drive`, as a real process."""

import signal
import subprocess

import pytest

from support.hearing import hear_all
from support.home import Home
from support.waiting import until


@pytest.fixture
def home(tmp_path):
    made = Home(tmp_path / "home", tmp_path)
    for name in ("RUNPOD_API_KEY", "RUNPOD_REST_BASE_URL"):
        made.environment.pop(name, None)
    yield made
    made.end_everything()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_it_says_what_it_drives_and_leaves_when_told(home, number):
    driver = subprocess.Popen(
        home.command("drive"),
        env=home.environment,
        cwd=home.cwd,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=hear_all,
    )
    first = driver.stderr.readline()
    assert f"process {driver.pid} drives the jobs of {home.path} on this machine" in first
    until(lambda: f":{driver.pid}:" in store_line(home), "the driver in what the doctor sees")
    driver.send_signal(number)
    _, rest = driver.communicate(timeout=30)
    assert (driver.returncode, "nothing is unfinished" in rest) == (0, True), rest
    assert "no driver runs" in store_line(home)


def store_line(home):
    done = home.run("doctor")
    return next(line for line in done.stdout.splitlines() if " Job store " in line)
