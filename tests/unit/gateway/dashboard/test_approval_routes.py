"""The pages of approvals: a person sees the plan whole, and agrees to it or refuses it by a form of ours."""

import pytest

from podtune.app.service import Service
from podtune.core.access import Principal, Scope
from podtune.core.request import TrainingRequest
from podtune.gateway import sessions
from podtune.testing.clock import RealClock
from podtune.testing.cloud import Cloud
from podtune.testing.executor import NoPods
from podtune.testing.options import CloudOptions
from podtune.testing.server import CloudServer
from support import desks, homes, tickets

AGENT = Principal(
    tenant="acme", key_id="agentskey", name="<agent>", scopes=frozenset({Scope.SUBMIT})
)


@pytest.fixture
def gateway(serve):
    return serve(max_usd_per_job=20)


@pytest.fixture
def ticket(gateway, tmp_path, monkeypatch):
    """A plan of an agent that waits."""
    with CloudServer(Cloud(RealClock(), 1, NoPods(), CloudOptions())) as server:
        for name, value in server.environment().items():
            monkeypatch.setenv(name, value)
        office = desks.Office(Service(gateway.settings))
        source = desks.uploaded(office.service)
        model = homes.model(tmp_path / "model")
        stated = {
            "data.source": str(source), "base_model.name": str(model), "where.on": "runpod",
            "where.max_usd": 9,
        }  # fmt: skip
        here = AGENT.model_copy(update={"tenant": None})
        made = tickets.issued(office, here, TrainingRequest(stated=stated))[1]
        office.close()
        office.service.close()
    return made


def form(ticket, word="agree"):
    return {"digest": ticket.digest, "word": word}


def test_what_waits_is_shown_and_leads_to_the_whole_plan(client, ticket):
    page = client.get("/approvals").text
    assert f'href="/approvals/{ticket.approval_id}"' in page
    assert "&lt;agent&gt;" in page
    shown = client.get(f"/approvals/{ticket.approval_id}").text
    for words in (
        "Agree, for at most $9.00",
        "What will happen",
        "never over",
        "Every choice, and why",
    ):
        assert words in shown
    assert 'aria-current="page">Approvals' in page


def test_a_person_agrees_once(client, ticket):
    place = f"/approvals/{ticket.approval_id}"
    done = client.post(place, data=form(ticket))
    assert (done.status_code, done.headers["location"]) == (303, place)
    shown = client.get(place).text
    assert "Whoever asked may start it now. Approved by this machine, dashboard." in shown
    assert 'id="agree"' not in shown
    assert "approved by this machine, dashboard" in client.get("/approvals").text
    assert client.post(place, data=form(ticket, "refuse")).status_code == 409


def test_a_person_refuses(client, ticket):
    place = f"/approvals/{ticket.approval_id}"
    assert client.post(place, data=form(ticket, "refuse")).status_code == 303
    assert "It was refused." in client.get(place).text


def test_another_plan_than_the_shown_one_is_not_agreed_to(client, ticket):
    place = f"/approvals/{ticket.approval_id}"
    assert client.post(place, data=form(ticket) | {"digest": "0" * 64}).status_code == 409
    assert client.post(place, data=form(ticket, "perhaps")).status_code == 400
    assert client.post(place, data={"word": "agree"}).status_code == 400
    assert client.post("/approvals/nothing", data=form(ticket)).status_code == 404
    assert 'id="agree"' in client.get(place).text


def test_only_keys_that_may_see_the_pages(gateway, ticket):
    place = f"/approvals/{ticket.approval_id}"
    with gateway.client(gateway.key(Scope.SUBMIT, Scope.READ, Scope.CANCEL)) as other:
        assert other.get("/approvals").status_code == 403
        assert other.get(place).status_code == 403
        assert other.post(place, data=form(ticket)).status_code == 403
        assert "/approvals" not in other.get("/").text
    with gateway.client(gateway.key(Scope.APPROVE, Scope.READ)) as stranger:
        assert "/approvals" in stranger.get("/").text
        assert stranger.get(place).status_code == 404
    with gateway.client(gateway.key(Scope.ADMIN)) as admin:
        assert admin.post(place, data=form(ticket)).status_code == 303


def test_a_page_of_another_site_cannot_agree(gateway, ticket):
    token = gateway.key(Scope.ADMIN)
    place = f"/approvals/{ticket.approval_id}"
    with gateway.client() as browser:
        entered = browser.post("/login", data={"key": token}, headers={"origin": gateway.url})
        assert entered.status_code == 303
        cookie = {"cookie": f"{sessions.COOKIE}={entered.cookies[sessions.COOKIE]}"}
        for origin in ("https://elsewhere.example", "null"):
            refused = browser.post(place, data=form(ticket), headers=cookie | {"origin": origin})
            assert refused.status_code == 403
        assert browser.post(place, data=form(ticket), headers=cookie).status_code == 403
        done = browser.post(place, data=form(ticket), headers=cookie | {"origin": gateway.url})
        assert done.status_code == 303
