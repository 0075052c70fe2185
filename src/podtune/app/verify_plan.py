"""What `podtune runpod verify` will send and what that costs: specification B's step 6.1, within a budget."""

import json
import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Final, NamedTuple

from podtune.app.deploy_costs import up
from podtune.core.clock import random_word
from podtune.core.errors import NotFoundError, SpecError
from podtune.core.redact import scrub
from podtune.providers.runpod import serverless_wire as wire
from podtune.providers.runpod.endpoints import path_of
from podtune.providers.runpod.listing import money
from podtune.providers.runpod.queue import Policy

BASE_MODEL: Final = "Qwen/Qwen3-8B"
DATASET_URL: Final = "https://example.com/test.json"
"""Both are specification B's, step 6.1. The address holds no data: with it a run ends at its download."""

NO_DATA: Final = frozenset(
    {"url_not_found", "url_refused", "url_expired", "fetch_failed", "no_store"}
)
"""How podtune's worker refuses a job that has no data to fetch, or no place for its adapter."""

FIRST_STATUS_S: Final = 180
"""How long a job that runs may say nothing in podtune's form: its worker tells its first status within a
second, and has three tries. Ours."""

RUN_S: Final = 600
"""How long the test job may run. Ours: a small model and a few rows take some minutes."""

QUEUE_S: Final = 900
"""How long it may wait for a worker: a cold image took 169 s (runpod.md 1.2), a full pool longer."""

BOOT_S: Final = 120
"""Of a worker's start that may be billed; RunPod's pages disagree (runpod.md 4)."""

CANCEL_S: Final = 30
"""Of the second job, which is cancelled."""

DEFAULT_BUDGET: Final = Decimal(1)
"""Dollars."""

_MODEL: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,199}")


class Asked(NamedTuple):
    """What somebody wants verified."""

    endpoint: str
    """Id or name."""
    base_model: str = BASE_MODEL
    dataset_url: str = DATASET_URL
    budget: Decimal = DEFAULT_BUDGET
    run_s: int = RUN_S
    queue_s: int = QUEUE_S
    first_status_s: int = FIRST_STATUS_S


class VerifyPlan(NamedTuple):
    """The request and its price; nothing was sent."""

    endpoint: wire.Endpoint
    given: dict[str, object]
    """The job's input."""
    policy: Policy
    queue_s: int
    most_usd: Decimal
    curl: str
    """The same by hand; the key stands for itself, and an address's signature is left out."""
    first_status_s: int = FIRST_STATUS_S
    has_data: bool = True
    """False with specification B's placeholder: then a typed refusal is what is expected."""

    @property
    def proves(self) -> tuple[str, ...]:
        """What a run that holds will have shown, and what not; to be read before it is agreed to."""
        if self.has_data:
            return (
                "shows that the queue takes the request, a worker trains it to its end and brings its adapter away, "
                "statuses are in the documented form, and a cancel is heard",
            )
        return (
            "shows that the queue takes the request, a worker starts from the image, reads the request, and "
            "answers in the documented form that there are no data",
            f"does not show that it trains, that the base model is there, or that a cancel is heard: {DATASET_URL} "
            "is specification B's placeholder and holds no data; --dataset-url with some rows shows these too",
        )


def plan(
    asked: Asked,
    there: Sequence[wire.Endpoint],
    cards: Sequence[wire.PoolCard],
    jobs_url: str,
) -> VerifyPlan:
    """The request for an endpoint of the account.

    Args:
        asked: What somebody wants.
        there: Every endpoint.
        cards: The catalogue, for the price.
        jobs_url: Where jobs are sent.

    Raises:
        NotFoundError: there is no such endpoint.
        SpecError: it cannot take jobs, the price is not known, or is above the budget.
    """
    endpoint = _find(asked.endpoint, there)
    path_of(endpoint.id)
    if endpoint.type not in (None, "QUEUE"):
        raise SpecError(
            f"{endpoint.name!r} is a load-balancing endpoint, which has no queue",
            code="bad_endpoint",
            hint="podtune runpod deploy makes one that has",
        )
    if _MODEL.fullmatch(asked.base_model) is None:
        raise SpecError(
            f"--base-model {asked.base_model[:80]!r} is no model's name", code="bad_option"
        )
    given = _input(asked.base_model, asked.dataset_url)
    policy = Policy(asked.run_s, asked.run_s + asked.queue_s).checked()
    most = _price(endpoint, cards, asked.run_s)
    if most > asked.budget:
        raise SpecError(
            f"verifying may cost ${most}, more than --budget {asked.budget}",
            code="over_budget",
            hint=f"--budget {most}, or a shorter run: --minutes {max(1, asked.run_s // 120)}",
            context={"most_usd": str(most), "budget_usd": str(asked.budget)},
        )
    return VerifyPlan(
        endpoint=endpoint,
        given=given,
        policy=policy,
        queue_s=asked.queue_s,
        most_usd=most,
        curl=scrub(_curl(f"{jobs_url}/{endpoint.id}/run", given, policy)),
        first_status_s=asked.first_status_s,
        has_data=asked.dataset_url != DATASET_URL,
    )


def another(given: dict[str, object]) -> dict[str, object]:
    """The same input under another job's name: a worker goes on with a job that it knows."""
    return {**given, "job_id": _job_id()}


def _find(wanted: str, there: Sequence[wire.Endpoint]) -> wire.Endpoint:
    found = [one for one in there if one.id == wanted] or [
        one for one in there if one.name == wanted
    ]
    if len(found) == 1:
        return found[0]
    if found:
        raise SpecError(
            f"{len(found)} endpoints are called {wanted!r}: {', '.join(one.id for one in found)}",
            code="name_unclear",
            hint="podtune runpod verify ID",
        )
    known = ", ".join(f"{one.id} ({one.name})" for one in there[:10]) or "none"
    raise NotFoundError(
        f"the RunPod account has no endpoint {wanted[:80]!r}; it has: {known}",
        hint="podtune runpod deploy --image IMAGE makes one",
    )


def _input(base_model: str, dataset_url: str) -> dict[str, object]:
    """Specification B's request, step 6.1, under a name that no other job has."""
    return {
        "job_id": _job_id(),
        "dataset_url": dataset_url,
        "hyperparameters": {
            "base_model": base_model,
            "learning_rate": 0.0002,
            "batch_size": 4,
            "num_epochs": 1,
            "lora_rank": 16,
        },
        "gpu_config": {"gpu_type": "H100", "num_gpus": 1},
    }


def _job_id() -> str:
    return f"verify-{random_word(8)}"


def _price(endpoint: wire.Endpoint, cards: Sequence[wire.PoolCard], run_s: int) -> Decimal:
    """The most that the jobs of a verification cost, at the dearest card of the endpoint.

    Raises:
        SpecError: RunPod does not say what its cards cost.
    """
    gpu, limits = endpoint.gpu or wire.EndpointGpu(), endpoint.workers or wire.EndpointWorkers()
    inside = [
        card
        for card in cards
        if card.pool in (gpu.pools or ()) and card.id not in (gpu.excluded_types or ())
    ]
    prices = [price for card in inside if card.price and (price := money(card.price.serverless))]
    if not prices:
        raise SpecError(
            f"RunPod does not say what the cards of {endpoint.name!r} cost, so no budget can hold",
            code="price_unknown",
            hint="look at the endpoint's cards at console.runpod.io, Serverless",
        )
    billed_s = BOOT_S + run_s + CANCEL_S + (limits.idle_timeout or 0)
    amount = max(prices) * (gpu.count or 1) * billed_s / 3600
    return up(amount) or Decimal(0)


def _curl(url: str, given: dict[str, object], policy: Policy) -> str:
    body = {
        "input": given,
        "policy": {"executionTimeout": policy.execution_s * 1000, "ttl": policy.ttl_s * 1000},
    }
    text = json.dumps(body, indent=2).replace("'", "'\\''")
    return (
        f'curl -X POST "{url}" \\\n'
        '  -H "Authorization: Bearer $RUNPOD_API_KEY" \\\n'
        '  -H "Content-Type: application/json" \\\n'
        f"  -d '{text}'"
    )
