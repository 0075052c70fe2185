from decimal import Decimal

import httpx2
import pytest

from podtune.core.errors import BalanceError, CredentialsError
from podtune.providers.runpod import account as module
from support.runpod_account import START, Account, client, problem

GRAPHQL = "POST /graphql"


def told(**myself):
    account = Account()
    account.answer(GRAPHQL, httpx2.Response(200, json={"data": {"myself": myself}}))
    return client(account)


def test_the_balance_is_read():
    found = module.funds(told(clientBalance=12.34, currentSpendPerHr="0.4", spendLimit=80))
    assert found == (Decimal("12.34"), Decimal("0.4"))


@pytest.mark.parametrize("answer", [
    httpx2.Response(200, json={"errors": [{"message": "no"}], "data": None}),
    httpx2.Response(200, json={"data": {"myself": None}}),
    httpx2.Response(200, json={"data": {"myself": {"clientBalance": None}}}),
    httpx2.Response(200, json={"data": {"myself": {"clientBalance": "NaN"}}}),
    httpx2.Response(200, content=b"<html>"),
    problem(401), problem(403), problem(404), problem(410),
])  # fmt: skip
def test_where_graphql_does_not_say_nobody_knows(answer):
    account = Account()
    account.answer(GRAPHQL, answer)
    assert module.funds(client(account)) is None
    account.answer(GRAPHQL, answer)
    assert module.check_funds(client(account), Decimal(5)) is None


def test_when_graphql_has_ended_jobs_go_on():
    account = Account()
    account.answer(GRAPHQL, *[httpx2.ConnectError("gone")] * 4)
    assert module.check_funds(client(account), Decimal(5)) is None


@pytest.mark.parametrize(("balance", "enough"), [("5.00", True), ("4.99", False), ("0", False), ("-3", False)])  # fmt: skip
def test_a_ceiling_has_to_be_covered(balance, enough):
    asking = told(clientBalance=balance)
    if enough:
        assert module.check_funds(asking, Decimal(5)) is not None
        return
    with pytest.raises(BalanceError) as caught:
        module.check_funds(asking, Decimal(5))
    assert "billing" in (caught.value.hint or "")
    assert "$5.00" in caught.value.message


def test_the_key_is_tried():
    account = Account()
    account.answer(
        "GET /v2/registries", httpx2.Response(200, json={"registries": []}), problem(401)
    )
    module.check_key(client(account))
    with pytest.raises(CredentialsError):
        module.check_key(client(account))


def test_the_bill_of_a_pod():
    account = Account()
    records = [
        {"podId": "p1", "totalAmount": 0.25, "gpuAmount": 0.2, "cpuAmount": 0, "diskAmount": 0.05},
        {"podId": "p1", "totalAmount": "0.05"},
        {"podId": "other", "totalAmount": 9},
    ]
    account.answer(
        "GET /v2/billing/pods",
        httpx2.Response(200, json={"records": records, "metadata": {}}),
        httpx2.Response(200, json={"records": [], "metadata": {}}),
    )
    assert module.billed(client(account), "p1", START) == Decimal("0.30")
    assert module.billed(client(account), "p1", START) is None
    assert account.requests[0].url.params["podId"] == "p1"
    assert account.requests[0].url.params["startTime"] == "2026-11-22T12:00:00+00:00"
