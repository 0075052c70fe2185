"""docs/how-to/plans.md: its requests run against a served gateway, and its words are the program's."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from podtune.app import approvals, plan_tickets
from podtune.app.settings import Settings
from podtune.app.ticket import TicketState
from podtune.gateway import plans_body, plans_form
from podtune.testing.clock import RealClock
from podtune.testing.cloud import Cloud
from podtune.testing.executor import NoPods
from podtune.testing.options import CloudOptions
from podtune.testing.server import CloudServer
from support import tiny_model
from support.gateways import Program
from support.home import Home
from support.odd_server import OddServer, response


@pytest.fixture
def page(root):
    return (root / "docs/how-to/plans.md").read_text(encoding="utf-8")


@pytest.fixture
def home(tmp_path):
    made = Home(tmp_path / "home", tmp_path)
    yield made
    made.end_everything()


@pytest.fixture
def around(home, tmp_path):
    """Rows at an address, and machines to rent at a stand-in."""
    rows = tiny_model.write_rows(tmp_path / "rows.jsonl", 24).read_bytes()
    with (
        OddServer({"/rows.jsonl": response(200, rows)}) as data,
        CloudServer(Cloud(RealClock(), 1, NoPods(), CloudOptions())) as server,
    ):
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        home.environment |= {
            **server.environment(), "PATH": path, "PODTUNE_MAX_USD_PER_JOB": "20",
            "PODTUNE_EGRESS_HTTP": "true", "PODTUNE_EGRESS_PRIVATE_HOSTS": f"127.0.0.1:{data.port}",
            "DATASET_URL": f"http://127.0.0.1:{data.port}/rows.jsonl?token=x",
        }  # fmt: skip
        yield


def ran(home, script, **variables):
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script], env={**home.environment, **variables},
        cwd=home.cwd, capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.usefixtures("around")
def test_an_agent_plans_a_person_agrees_and_the_token_starts_it(page, home):
    keys, _, plan, words, submit, agree, person, state = re.findall(
        r"```bash\n(.*?)```", page, re.DOTALL
    )
    create, serve = keys.strip().split("\n")
    assert serve == "podtune serve"
    key = ran(home, create).strip()
    assert ran(home, person).startswith("ptk_")
    with Program(home) as gateway:
        caller = {"GPU_CLUSTER_API_URL": gateway.url, "GPU_CLUSTER_API_KEY": key}
        said = json.loads(ran(home, words, **caller))
        assert (said["intent"], bool(said["token"])) == ("train", True)
        quotes = {one["path"]: one["quote"] for one in said["fields"]}
        assert "1 epoch" in quotes["training.epochs"]
        job = json.loads(ran(home, plan + submit, **caller))
        assert job["state"] == "accepted"
        told = json.loads((home.cwd / "plan.json").read_text(encoding="utf-8"))
        assert not told["approval"]["needed"]

        rented = plan.replace(
            '{"stated": {', '{"stated": {"where.on": "runpod", "where.max_usd": 9, '
        )
        ran(home, rented, **caller)
        told = json.loads((home.cwd / "plan.json").read_text(encoding="utf-8"))
        assert told["approval"]["needed"]
        named = {"APPROVAL": told["approval"]["id"], "DIGEST": told["plan"]["digest"][:8]}
        assert named["APPROVAL"] in ran(home, agree, **named)
        assert json.loads(ran(home, state, **caller, **named))["state"] == "ready"
        started = json.loads(ran(home, submit, TOKEN=told["token"], **caller))
        assert (started["state"], started["ceiling_usd"]) == ("accepted", 9)
        used = json.loads(ran(home, state, **caller, **named))
        assert used["external_job_id"] == started["external_job_id"]


def test_its_words_are_the_programs(page):
    for field in plans_form.PlanAnswer.model_fields:
        assert field == "intent" or f"`{field}`" in page
    for field in ("request", "stated", "spec", "answers"):
        assert field in plans_body.PlanForm.model_fields
        assert f"`{field}`" in page
    told = page.rpartition("`state` is ")[2]
    assert set(re.findall(r"`([a-z_]+)`", told.partition(". Each")[0])) == set(TicketState)
    assert approvals.AUDIT_FILE in page


def test_its_figures_are_the_programs(page):
    usual = Settings()
    assert f"{usual.plan_token_minutes} minutes (`PODTUNE_PLAN_TOKEN_MINUTES`)" in page
    assert (
        f"`PODTUNE_APPROVE_ABOVE_USD` together within a day ({usual.approve_above_usd} dollars"
        in page
    )
    assert "four times as long, an hour" in page
    assert plan_tickets.WAITS * usual.plan_token_minutes == 60
    assert "first eight letters" in page
    assert approvals.LEAST_LETTERS == 8
