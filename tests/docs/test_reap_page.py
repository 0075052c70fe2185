"""docs/how-to/reap.md: its blocks run against a stand-in, its cron line and its units name real options."""

import configparser
import re
import shlex
import subprocess
import sys

import httpx2
import pytest

from podtune.core.limits import DEFAULTS, SKEW_S
from podtune.testing.cloud import Cloud
from podtune.testing.server import CloudServer
from support import stand_in

FENCE = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
PODTUNE = f"{shlex.quote(sys.executable)} -m podtune"
MINE, THEIRS = "pt-h4wx7npc-support-1-x1700000000", "pt-k2m9q4tx-support-1-x1700000000"


@pytest.fixture(scope="module")
def page(root):
    return (root / "docs/how-to/reap.md").read_text(encoding="utf-8")


@pytest.fixture
def cloud():
    with CloudServer(Cloud()) as server:
        yield server


@pytest.fixture
def shell(cloud, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    (home / "owner").write_text("h4wx7npc")
    environment = {
        **cloud.environment(), "PODTUNE_HOME": str(home), "PODTUNE_PROOF_WINDOW_S": "0.6",
        "HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "COLUMNS": "200",
    }  # fmt: skip

    def run(script):
        return subprocess.run(
            ["bash", "-c", f"set -eu\n{script.replace('podtune ', f'{PODTUNE} ')}"],
            env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=100, check=False,
        )  # fmt: skip

    return run


def order(cloud, name):
    told = {
        "authorization": f"Bearer {cloud.environment()['RUNPOD_API_KEY']}",
        "user-agent": "test",
    }
    made = httpx2.post(f"{cloud.url}/v2/pods", json=stand_in.order(name), headers=told)
    assert made.status_code == 201


def live(cloud):
    return {pod.name for pod in cloud.cloud.account.live_pods()}


def test_the_blocks_for_a_shell_run_in_order(page, cloud, shell):
    blocks = [body for language, body in FENCE.findall(page) if language == "bash"]
    assert len(blocks) == 5
    for name in (MINE, THEIRS, "somebody-else"):
        order(cloud, name)
    said = []
    for block in blocks:
        done = shell(block)
        assert done.returncode == 0, done.stdout + done.stderr
        said.append((done.stdout, live(cloud)))
    assert said[0][0].endswith("something should be gone\n")
    assert said[0][1] == {MINE, THEIRS, "somebody-else"}
    assert said[1][1] == {THEIRS, "somebody-else"}
    assert "h4wx7npc" in said[2][0]
    assert said[3][1] == {"somebody-else"}


def test_the_line_of_cron_ends_what_is_overdue(page, cloud, shell, tmp_path):
    (line,) = [body.strip() for language, body in FENCE.findall(page) if language == "text"]
    schedule, command = line[:9], line[9:].strip()
    assert schedule == "* * * * *"
    key = cloud.environment()["RUNPOD_API_KEY"]
    (tmp_path / ".podtune-reap").write_text(f"RUNPOD_API_KEY={key}\n")
    order(cloud, THEIRS)
    shell(command)
    log = (tmp_path / "podtune-reap.log").read_text()
    assert f"ends {THEIRS}" in log
    assert live(cloud) == set()


def test_the_units_are_read_and_their_command_exists(page, shell):
    service, timer = (body for language, body in FENCE.findall(page) if language == "ini")
    units = [configparser.ConfigParser(interpolation=None) for _ in range(2)]
    units[0].read_string(service)
    units[1].read_string(timer)
    assert units[1]["Timer"]["OnCalendar"] == "minutely"
    assert shell(units[0]["Service"]["ExecStart"] + " --dry-run").returncode == 0


def test_the_figures_are_those_of_the_program(page):
    assert f"every {DEFAULTS.reap_every_s:.0f} seconds after (`PODTUNE_REAP_EVERY_S`)" in page
    assert f"`PODTUNE_SETTLE_S` ({DEFAULTS.settle_s:.0f} s)" in page
    assert f"`PODTUNE_REAP_GRACE_S` ({DEFAULTS.reap_grace_s:.0f} s)" in page
    assert f"in its name by {SKEW_S:.0f} s" in page
