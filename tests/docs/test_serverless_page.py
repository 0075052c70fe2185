"""docs/how-to/serverless-queue.md, followed step by step as it is written."""

import json
import os
import re
import signal
import subprocess
import sys

import pytest

from podtune.testing.faults import parse_rule
from podtune.testing.serverless.client_routes import ClientRoutes
from podtune.testing.serverless.worker_routes import WorkerRoutes
from support.serverless import ServerlessDesk

BLOCK = re.compile(r"^```python\n# (\w+\.py)\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.fixture
def cloud(root, tmp_path):
    """`podtune dev cloud`, and the variables it prints."""
    process = subprocess.Popen(
        [sys.executable, "-m", "podtune", "dev", "cloud", "--port", "0", "--output", "json"],
        env={**os.environ, "PODTUNE_HOME": str(tmp_path / "home")},
        stdout=subprocess.PIPE, cwd=tmp_path, text=True,
    )  # fmt: skip
    try:
        yield json.loads(process.stdout.readline())["environment"]
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)
        process.stdout.close()


def test_every_route_that_the_page_names_can_be_struck(root):
    serverless = ServerlessDesk().serverless
    routes = [*ClientRoutes(serverless).routes(), *WorkerRoutes(serverless).routes()]
    page = (root / "docs/how-to/serverless-queue.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:serverless|job)_\w+|ping)`", page))
    assert len(named) == 8
    assert named <= {route.name for route in routes}
    for text in re.findall(r"--fault (\S+)", page):
        assert parse_rule(text).route in named


def test_the_serverless_how_to_works(root, cloud, tmp_path):
    page = (root / "docs/how-to/serverless-queue.md").read_text(encoding="utf-8")
    programs = dict(BLOCK.findall(page))
    assert set(programs) == {"handler.py", "submit.py"}
    for name, text in programs.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "submit.py"], cwd=tmp_path, capture_output=True, text=True, timeout=100,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), **cloud}, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "submitted: IN_QUEUE" in done.stdout
    assert "result: {'counted': 3}" in done.stdout
    assert "'completed': 1" in done.stdout
    assert "'idle': 1" in done.stdout
