"""`podtune approve`: what waits is listed, shown whole, and agreed to by its digest alone."""

from contextlib import closing
from decimal import Decimal

import pytest

from podtune.app.approvals import Approvals
from podtune.app.service import Service
from podtune.cli import approve
from podtune.core.access import THIS_MACHINE, Principal, Scope
from podtune.core.request import TrainingRequest
from podtune.testing.clock import RealClock
from podtune.testing.cloud import Cloud
from podtune.testing.executor import NoPods
from podtune.testing.options import CloudOptions
from podtune.testing.server import CloudServer
from support import desks, homes, tickets

AGENT = Principal(tenant=None, key_id="agentskey", name="agent", scopes=frozenset({Scope.ADMIN}))


@pytest.fixture
def ticket(home, tmp_path, monkeypatch):
    """A plan that an agent asked for and that waits."""
    model, rows = homes.model(tmp_path / "user" / "model"), homes.data(tmp_path / "user")
    stated = {
        "data.source": str(rows), "base_model.name": str(model), "where.on": "runpod", "where.max_usd": 9,
    }  # fmt: skip
    with CloudServer(Cloud(RealClock(), 1, NoPods(), CloudOptions())) as server:
        for name, value in server.environment().items():
            monkeypatch.setenv(name, value)
        spending = home.model_copy(update={"max_usd_per_job": Decimal(20)})
        office = desks.Office(Service(spending))
        made = tickets.issued(office, AGENT, TrainingRequest(stated=stated))[1]
        office.close()
        office.service.close()
    return made


def state(home, ticket):
    with closing(Service(home)) as service:
        waits = Approvals(service.store(), home)
        return waits.state(waits.find(ticket.approval_id, THIS_MACHINE))


def test_nothing_waits(run, home):
    assert run("approve", "--output", "json").json == []
    assert "no plan waits" in run("approve").err


def test_what_waits_is_listed(run, ticket):
    (listed,) = run("approve", "--output", "json").json
    assert (listed["approval_id"], listed["ceiling_usd"]) == (ticket.approval_id, 9)
    said = run("approve")
    assert "at most $9.00; asked by agent" in said.out
    assert f"podtune approve {ticket.approval_id}" in said.err


def test_a_person_sees_the_plan_and_says_yes(run, home, ticket, monkeypatch):
    asked = []
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr(approve.typer, "confirm", lambda text, **more: asked.append(text))
    said = run("approve", ticket.approval_id)
    assert said.code == 0, said.err
    assert asked == [f"Agree to plan {ticket.digest[:12]}?"]
    for words in ("never over $9.00", "where.max_usd", "memory"):
        assert words in said.err
    assert "approved by this machine, terminal" in " ".join(said.err.split()) + said.out
    assert state(home, ticket) == "ready"
    assert "approved by this machine" in run("approve").err


def test_without_a_person_it_takes_the_digests_letters(run, home, ticket):
    for words in ((), ("--yes",)):
        said = run("approve", ticket.approval_id, *words, "--output", "json")
        assert (said.code, said.json["error"]["code"]) == (2, "confirm_needed")
    wrong = run("approve", ticket.approval_id, "--yes", "--digest", "00000000", "--output", "json")
    assert wrong.json["error"]["code"] == "plan_changed"
    assert state(home, ticket) == "approval_needed"
    done = run(
        "approve", ticket.approval_id, "--yes", "--digest", ticket.digest[:8], "--output", "json"
    )
    assert (done.code, done.json["state"]) == (0, "ready")


def test_it_can_be_refused(run, home, ticket):
    assert "refused" in run("approve", ticket.approval_id, "--refuse").out
    assert state(home, ticket) == "refused"
    again = run("approve", ticket.approval_id, "--yes", "--digest", ticket.digest[:8])
    assert again.code == 2
    assert run("approve", "nothing", "--refuse").code == 2
