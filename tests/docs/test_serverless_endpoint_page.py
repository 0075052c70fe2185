"""docs/how-to/serverless-endpoint.md: its blocks run in order against a stand-in, its figures are the program's."""

import re
import shlex
import subprocess
import sys

import pytest
from typer.main import get_command

from podtune.app import deploy_wish, gpu_pools, verify_plan
from podtune.app.deploy_wish import Wish
from podtune.cli.app import app
from podtune.core.limits import Limits
from podtune.testing.cloud import Cloud
from podtune.testing.server import CloudServer
from podtune.testing.serverless.service import attach

FENCE = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
PODTUNE = f"{shlex.quote(sys.executable)} -m podtune"


@pytest.fixture(scope="module")
def page(root):
    return (root / "docs/how-to/serverless-endpoint.md").read_text(encoding="utf-8")


def test_the_blocks_run_in_order(page, tmp_path):
    blocks = [body for language, body in FENCE.findall(page) if language == "bash"]
    assert len(blocks) == 7
    cloud = Cloud()
    attach(cloud)
    counts = []
    with CloudServer(cloud) as server:
        environment = {
            **server.environment(), "PODTUNE_HOME": str(tmp_path / "home"), "HOME": str(tmp_path),
            "PATH": "/usr/bin:/bin", "COLUMNS": "200",
        }  # fmt: skip
        for block in blocks:
            done = subprocess.run(
                ["bash", "-c", f"set -eu -o pipefail\n{block.replace('podtune runpod', f'{PODTUNE} runpod')}"],
                env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=100, check=False,
            )  # fmt: skip
            assert done.returncode == 0, done.stdout + done.stderr
            counts.append((len(cloud.account.endpoints), len(cloud.account.templates)))
    assert counts == [(0, 0), (1, 1), (1, 1), (1, 1), (1, 1), (0, 0), (0, 0)]
    assert (tmp_path / ".env.local").stat().st_mode & 0o777 == 0o600


def test_every_option_that_the_page_names_exists(page):
    group = get_command(app).commands["runpod"].commands
    named = [
        *(group[name] for name in ("deploy", "verify", "undeploy")),
        get_command(app).commands["train"],
    ]
    known = {o for one in named for p in one.params for o in p.opts}
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", page))
    assert named <= known


def test_the_figures_are_those_of_the_program(page, root):
    wish = Wish(image="i")
    assert f"`{deploy_wish.DEFAULT_NAME}`" in page
    assert f"`{deploy_wish.DEFAULT_MODEL}`" in page
    assert f"{wish.workers_min} always, {wish.workers_max} at most" in page
    assert f"| {wish.idle_timeout_s} s |" in page
    assert f"| {wish.timeout_s:,} s (12 hours) |" in page
    assert deploy_wish.QUEUE_ROOM_S == 12 * 3600
    assert f"| {wish.disk_gb} GB |" in page
    assert f"${verify_plan.DEFAULT_BUDGET} unless" in page
    assert gpu_pools.PREFERRED == ("A100 80GB", "H100")
    assert f"for {verify_plan.FIRST_STATUS_S} seconds (`--first-status`)" in page
    assert f"{Limits().upload_reserve_s:g} s before, with `timed_out`" in page
    worker = (root / "runpod-worker" / "serverless_cleaning.py").read_text(encoding="utf-8")
    assert "KEEP_DAYS: Final = 7.0" in worker
    assert "nobody touched for 7 days" in page
    assert f'"executionTimeout": {wish.timeout_s * 1000}, "ttl": {wish.ttl * 1000}' in page
