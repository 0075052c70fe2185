import json
from decimal import Decimal

import pytest
from pydantic import SecretStr

from podtune.app.approvals import Approvals
from podtune.app.ticket import Ticket
from podtune.core.access import THIS_MACHINE, Scope
from podtune.mcp_server.planning import plan_answer, stated_of
from podtune.testing.clock import RealClock
from podtune.testing.cloud import Cloud
from podtune.testing.executor import NoPods
from podtune.testing.options import CloudOptions
from podtune.testing.server import CloudServer
from support import build, desks, homes
from support.agents import Door

FIELDS = {"data.source": "tickets.jsonl", "base_model": "model"}
"""As an agent names them; `conftest` has them in the workspace."""


def test_a_plan_shows_everything_and_starts_nothing(host, planned, work):
    assert planned["state"] == "ready"
    assert planned["token"].startswith("ptp_")
    assert (planned["cost_usd"], planned["ceiling_usd"]) == (0.0, None)
    assert {"data", "model", "training", "time", "cost"} <= {
        line["about"] for line in planned["summary"]
    }
    by_path = {line["path"]: line for line in planned["fields"]}
    assert by_path["data.source"]["value"] == str(work / "tickets.jsonl")
    assert by_path["data.source"]["origin"] == "stated"
    assert by_path["training.epochs"]["origin"] == "assumed"
    assert by_path["training.epochs"]["why"]
    assert "after a yes" in planned["next"]
    assert host.told("jobs")["jobs"] == []


def test_no_row_is_in_a_plan(planned):
    assert "hold button" not in json.dumps(planned)


def test_submit_takes_the_token_alone_and_the_same_token_is_the_same_job(host, planned):
    first = host.told("submit", token=planned["token"])
    again = host.told("submit", token=planned["token"])
    assert (first["state"], first["is_repetition"]) == ("accepted", False)
    assert (again["job_id"], again["is_repetition"]) == (first["job_id"], True)
    assert len(host.told("jobs")["jobs"]) == 1
    tools = {tool.name: tool for tool in host.talk(lambda agent: agent.list_tools()).tools}
    assert list(tools["submit"].input_schema["properties"]) == ["token"]


def test_a_token_that_was_touched_buys_nothing(host, planned):
    token = planned["token"]
    other = token[:-1] + ("0" if token[-1] != "0" else "1")
    for bad in (other, "ptp_x", token.upper()):
        assert host.refusal("submit", token=bad)["code"] == "bad_plan_token"
    assert host.told("jobs")["jobs"] == []


def test_data_that_changed_since_is_not_trained_on(host, planned, work):
    homes.data(work, 12)
    refused = host.refusal("submit", token=planned["token"])
    assert refused["code"] == "data_changed"


def test_either_words_or_fields(host):
    for arguments in ({}, {"request": "x", "fields": FIELDS}):
        assert host.refusal("plan", **arguments)["code"] == "no_request"
    assert host.refusal("plan", fields={"base_model": "model"})["code"] == "no_source"


def test_an_unknown_field_is_told_with_the_nearest_one(host):
    refused = host.refusal("plan", fields={**FIELDS, "training.epoch": 2})
    assert "training.epochs" in f"{refused['message']} {refused['hint']}"


def test_a_paid_plan_needs_a_ceiling_that_the_operator_set(host):
    paid = {**FIELDS, "where.on": "runpod", "where.max_usd": 3}
    assert host.refusal("plan", fields=paid)["code"] == "ceiling_needed"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("data.source", "../secret.jsonl"), ("data.validation_source", "/etc/passwd"),
        ("base_model", "../model"), ("base_model.name", "/"), ("deliver.to", "../out"),
        ("deliver.to", "/tmp/out.tar.gz"),
    ],
)  # fmt: skip
def test_no_path_leads_out_of_the_workspace(host, tmp_path, path, value):
    homes.data(tmp_path, name="secret.jsonl")
    homes.model(tmp_path / "model")
    fields = {"data.source": "tickets.jsonl", path: value}
    assert host.refusal("plan", fields=fields)["code"] == "outside_workspace"


def test_a_section_may_be_given_whole():
    assert stated_of({"data": {"source": "a"}, "training": {"epochs": 2}, "method": "sft"}) == {
        "data.source": "a", "training.epochs": 2, "method": "sft",
    }  # fmt: skip


def test_a_tenant_plans_with_what_is_everybody_s(hosted, work):
    host = hosted(door=Door(desks.tenant("acme")))
    refused = host.refusal("plan", fields={"data.source": str(work / "tickets.jsonl")})
    assert refused["code"] == "operator_only"


def test_a_key_without_the_scope_plans_nothing(hosted):
    host = hosted(door=Door(desks.tenant("acme", Scope.READ)))
    fields = {"data.source": "https://x.example/a.jsonl", "base_model": "acme/tiny"}
    assert host.refusal("plan", fields=fields)["code"] == "scope_missing"
    assert host.refusal("submit", token="ptp_x")["code"] == "scope_missing"


def test_a_token_of_one_caller_is_worth_nothing_to_another(hosted, host, planned):
    other = hosted(door=Door(desks.tenant("acme")))
    assert other.refusal("submit", token=planned["token"])["code"] == "bad_plan_token"


def test_submits_are_counted_at_the_door(hosted):
    door = Door(desks.tenant("acme"))
    hosted(door=door).refusal("submit", token="ptp_x")
    assert door.counted == 1


def test_a_job_is_cancelled(host, planned):
    job = host.told("submit", token=planned["token"])["job_id"]
    assert host.told("cancel", job_id=job)["job_id"] == job
    assert host.service.job(job).desired == "cancelled"
    assert host.refusal("cancel", job_id="nothing")["code"] == "not_found"


def test_a_dear_plan_names_who_has_to_agree_and_how(tmp_path):
    plan = homes.rented_plan(tmp_path)
    ticket = Ticket(
        SecretStr("ptp_x"),
        "abcdefghjkmn",
        plan.digest,
        plan.price.max_usd,
        build.NOW,
        ("it is dear",),
    )
    told = plan_answer(plan, ticket)
    assert (told.state, told.approval_id, told.approval_reasons) == (
        "needs_approval", "abcdefghjkmn", ["it is dear"],
    )  # fmt: skip
    assert told.ceiling_usd == float(plan.price.max_usd)
    assert "podtune approve abcdefghjkmn" in told.next
    free = plan_answer(plan, ticket._replace(reasons=()))
    assert (free.state, free.approval_id) == ("ready", None)
    assert plan_answer(plan, None).token is None


def test_a_choice_of_columns_is_a_question(host, work):
    (work / "t.csv").write_text("a,b,c\n" + "one,two,three\n" * 30, encoding="utf-8")
    told = host.call("plan", fields={"data.source": "t.csv", "base_model": "model"})
    shown = told.structured_content
    assert told.is_error or shown["state"] == "questions"
    assert "ptp_" not in told.model_dump_json()


@pytest.fixture
def account(monkeypatch):
    """A stand-in cloud with money and without machines, and the variables that lead to it."""
    with CloudServer(Cloud(RealClock(), 1, NoPods(), CloudOptions())) as server:
        for name, value in server.environment().items():
            monkeypatch.setenv(name, value)
        yield server.cloud


@pytest.mark.usefixtures("account")
def test_a_dear_plan_waits_for_a_person_and_a_cheap_one_does_not(hosted):
    host = hosted(max_usd_per_job=Decimal(20), approve_above_usd=Decimal(4))
    paid = {**FIELDS, "where.on": "runpod"}
    cheap = host.told("plan", fields={**paid, "where.max_usd": 3})
    assert (cheap["state"], cheap["ceiling_usd"]) == ("ready", 3.0)
    dear = host.told("plan", fields={**paid, "where.max_usd": 500})
    assert (dear["state"], dear["ceiling_usd"]) == ("needs_approval", 20.0)
    refused = host.refusal("submit", token=dear["token"])
    assert refused["code"] == "approval_needed"
    assert refused["context"]["approval_id"] == dear["approval_id"]
    assert host.told("jobs")["jobs"] == []
    approvals = Approvals(host.service.store(), host.service.settings)
    approvals.decide(dear["approval_id"], THIS_MACHINE, dear["digest"], agreed=True, by="a person")
    started = host.told("submit", token=dear["token"])
    assert (started["ceiling_usd"], host.service.job(started["job_id"]).is_rented) == (20.0, True)
