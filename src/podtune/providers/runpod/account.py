"""The account's money: what it holds (GraphQL, as long as that answers), and what a pod was billed."""

from datetime import datetime
from decimal import Decimal
from typing import Final, NamedTuple

from podtune.core.errors import BalanceError, PodtuneError
from podtune.providers.runpod import answers, wire
from podtune.providers.runpod.client import RunPodClient
from podtune.providers.runpod.listing import money

_MYSELF: Final = "query { myself { clientBalance currentSpendPerHr spendLimit } }"
"""REST v2 has no balance (runpod/docs#807); GraphQL ends early 2027."""


class Funds(NamedTuple):
    """What the account has."""

    balance_usd: Decimal
    spends_usd_per_hour: Decimal
    """Of all that runs in it, ours and others'."""


def funds(client: RunPodClient) -> Funds | None:
    """What the account holds; None where GraphQL does not say, whatever its reason.

    A key may be good for REST alone, so a refusal here says nothing of it (`check_key` does).
    """
    try:
        answer = client.graphql(_MYSELF, wire.MyselfAnswer)
    except PodtuneError:  # a courtesy: in the end a 402 tells
        return None
    myself = answer.data.myself if answer.data else None
    balance = _amount(myself.client_balance) if myself else None
    if myself is None or balance is None:
        return None
    return Funds(balance, money(myself.current_spend_per_hr) or Decimal(0))


def check_funds(client: RunPodClient, ceiling_usd: Decimal) -> Funds | None:
    """Refuse a job whose ceiling the account cannot pay; None where nobody says what it holds.

    Raises:
        BalanceError: the balance is below the ceiling.
    """
    found = funds(client)
    if found is not None and found.balance_usd < ceiling_usd:
        raise BalanceError(
            f"the RunPod account holds ${found.balance_usd:.2f}, less than the ceiling of "
            f"${ceiling_usd:.2f}; at $0 RunPod ends every pod and its data is lost",
            hint=f"add credit at {answers.BILLING_PAGE}, or lower the ceiling: --budget "
            f"{max(found.balance_usd, Decimal(0)):.2f}",
            context={"balance_usd": str(found.balance_usd), "ceiling_usd": str(ceiling_usd)},
        )
    return found


def check_key(client: RunPodClient) -> None:
    """See that RunPod takes the key.

    Raises:
        CredentialsError: it does not.
        PodtuneError: it cannot be asked.
    """
    client.get("/registries", wire.RegistryList)


def billed(client: RunPodClient, pod_id: str, since: datetime) -> Decimal | None:
    """What RunPod says a pod has cost, by the hour it lags behind; None while it says nothing."""
    query = {"podId": pod_id, "startTime": since.isoformat(), "bucketSize": "hour"}
    pages = client.pages("/billing/pods", wire.BillingList, query)
    amounts = [
        amount
        for page in pages
        for record in page.records
        if record.pod_id == pod_id and (amount := money(record.total_amount)) is not None
    ]
    return sum(amounts, Decimal(0)) if amounts else None


def _amount(value: Decimal | None) -> Decimal | None:
    """A balance may stand below zero."""
    return value if value is not None and value.is_finite() else None
