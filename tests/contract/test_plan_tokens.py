"""One token, redeemed by several processes at the same moment, on each database: one job."""

import json
import os
import subprocess
import sys

import pytest

from podtune.app.service import Service
from podtune.core.access import THIS_MACHINE
from podtune.core.request import TrainingRequest
from support import desks, homes, tickets

PROGRAM = """
import json, sys
from podtune.app import driver, settings
from podtune.app.plan_tickets import PlanTickets
from podtune.app.service import Service
from podtune.app.submissions import Submissions
from podtune.core.access import THIS_MACHINE
from podtune.core.errors import PodtuneError

driver.spawn = lambda given: None
service = Service(settings.load(read_file=False).settings)
service.store()
submissions = Submissions(service)
print("ready", flush=True)
token = sys.stdin.readline().strip()
try:
    found = PlanTickets(submissions).submit(token, THIS_MACHINE, wait_s=60)
    print(json.dumps({"id": found.id, "duplicate": found.duplicate}))
except PodtuneError as error:
    print(json.dumps(error.to_json()))
submissions.close()
service.close()
"""
PROCESSES = 3


@pytest.fixture(params=["sqlite", "postgresql"])
def environment(request, tmp_path, monkeypatch):
    """What the processes are started with."""
    made = {"PODTUNE_HOME": str(tmp_path / "home"), "HF_HUB_OFFLINE": "1"}
    if request.param == "postgresql":
        server = request.getfixturevalue("postgres")
        made["PODTUNE_DATABASE_URL"] = server.fresh()
        monkeypatch.setenv("PODTUNE_DATABASE_URL", made["PODTUNE_DATABASE_URL"])
    yield {**os.environ, **made}
    if request.param == "postgresql":
        server.drop(made["PODTUNE_DATABASE_URL"])


@pytest.fixture
def office(environment, tmp_path):
    made = desks.Office(Service(homes.settings(tmp_path)))
    yield made
    made.close()
    made.service.close()


def test_several_processes_redeem_one_token(office, environment, tmp_path):
    model, source = homes.model(tmp_path / "user" / "model"), homes.data(tmp_path / "user")
    stated = {"data.source": str(source), "base_model.name": str(model)}
    plan, ticket = tickets.issued(office, THIS_MACHINE, TrainingRequest(stated=stated))
    token = ticket.token.get_secret_value()
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM], env=environment, cwd=tmp_path, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )
        for _ in range(PROCESSES)
    ]  # fmt: skip
    try:
        for one in processes:
            assert one.stdout.readline() == "ready\n", one.stderr.read()
        for one in processes:
            one.stdin.write(token + "\n")
            one.stdin.flush()
        said = [json.loads(one.communicate(timeout=90)[0]) for one in processes]
    finally:
        for one in processes:
            one.kill()
            one.communicate()
    assert len({one["id"] for one in said}) == 1, said
    assert [one["duplicate"] for one in said].count(False) == 1
    (job,) = office.service.store().recent(10)
    assert (job.id, job.plan_digest) == (said[0]["id"], plan.digest)
    row = tickets.row_of(office, ticket.approval_id)
    assert (row.job, row.body) == (job.id, None)
