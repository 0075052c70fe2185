"""docs/how-to/serve.md: its requests run against a served gateway, and its words are the program's."""

import json
import re
import subprocess

import pytest

from podtune.gateway import operations, training
from support import tiny_model
from support.gateways import Program
from support.home import Home
from support.odd_server import OddServer, response


@pytest.fixture
def page(root):
    return (root / "docs/how-to/serve.md").read_text(encoding="utf-8")


@pytest.fixture
def home(tmp_path):
    made = Home(tmp_path / "home", tmp_path)
    yield made
    made.end_everything()


def blocks(page):
    return re.findall(r"```bash\n(.*?)```", page, re.DOTALL)


def test_an_application_submits_asks_and_cancels(page, home, tmp_path):
    start, variables, submit, ask = blocks(page)
    create, serve = start.strip().split("\n")
    assert serve == "podtune serve"
    assert re.findall(r"export (\w+)", variables) == ["GPU_CLUSTER_API_URL", "GPU_CLUSTER_API_KEY"]
    rows = tiny_model.write_rows(tmp_path / "rows.jsonl", 24).read_bytes()
    with OddServer({"/rows.jsonl": response(200, rows)}) as data:
        home.environment |= {
            "PODTUNE_EGRESS_HTTP": "true", "PODTUNE_EGRESS_PRIVATE_HOSTS": f"127.0.0.1:{data.port}",
        }  # fmt: skip
        made = home.run(*create.split()[1:])
        assert made.returncode == 0, made.stderr
        with Program(home) as gateway:
            done = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", submit + ask],
                env=home.environment | {
                    "GPU_CLUSTER_API_URL": gateway.url, "GPU_CLUSTER_API_KEY": made.stdout.strip(),
                    "DATASET_URL": f"http://127.0.0.1:{data.port}/rows.jsonl?token=x",
                },
                cwd=tmp_path, capture_output=True, text=True, timeout=100, check=False,
            )  # fmt: skip
            assert done.returncode == 0, done.stdout + done.stderr + gateway.log()
    status, jobs, cancelled = decoded(done.stdout)
    (job,) = jobs["jobs"]
    assert (status["status"], job["job_id"]) == ("running", "my-own-id")
    assert cancelled["external_job_id"] == status["job_id"] == job["external_job_id"]


def decoded(text):
    """JSON values, one behind the other."""
    found, place = [], 0
    while place < len(text.rstrip()):
        value, place = json.JSONDecoder().raw_decode(text, place)
        found.append(value)
    return found


def test_the_figures_are_the_program_s(page):
    assert f"longer than {training.WAIT_S:g} seconds" in page
    assert operations.LEAST_DISK_BYTES == 1 << 30
    assert "a GiB of disk" in page


def test_every_route_of_the_contract_stands_there(page):
    told = set(re.findall(r"`(GET|POST) (/training/[a-z]+)", page))
    known = {
        (method, route.path.split("/{")[0])
        for route in training.router.routes
        for method in route.methods
    }
    assert told == known
