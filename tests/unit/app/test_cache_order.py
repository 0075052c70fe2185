"""What is ordered to fill a volume."""

from datetime import timedelta
from decimal import Decimal

import pytest
from pydantic import SecretStr

from podtune.app import cache_order
from podtune.app.cache_order import Candidate, Lease
from podtune.app.installation import signing_key
from podtune.core.errors import ProviderError
from podtune.core.handover import token_sha256
from podtune.core.limits import DEFAULTS
from podtune.providers.runpod import names
from podtune.providers.runpod.pods import create_body
from support import build
from support.caches import order

CPU = Candidate(build.offer("cpu5c", usd="0.14"), 4)
LEASE = Lease("vol1", "US-TX-3", 6.0)


def rental(lease=LEASE, candidate=CPU, owner="owner123"):
    return cache_order.rental(order(), owner, lease, candidate, build.NOW)


def test_the_name_says_whose_it_is_and_when_it_ends():
    said = names.parse(rental().name)
    assert said
    assert (said.owner, said.job, said.attempt) == ("owner123", "cache-abc", 1)
    assert said.deadline == build.NOW + timedelta(hours=6)


def test_a_budget_shortens_the_life():
    short = rental(LEASE._replace(max_usd=CPU.offer.hourly * 2))
    assert short.deadline == build.NOW + timedelta(hours=2)
    rich = rental(LEASE._replace(max_usd=Decimal(1000)))
    assert rich.deadline == build.NOW + timedelta(hours=6)


def test_an_owner_that_is_none_is_refused():
    with pytest.raises(ProviderError):
        rental(owner="Not An Owner")


def test_the_machine_has_the_volume_and_no_secret(tmp_path):
    token = SecretStr("planted-token")
    made = cache_order.request(rental(), tmp_path, token, DEFAULTS)
    body = create_body(made).model_dump(by_alias=True, exclude_none=True)
    assert body["cpu"] == {"id": "cpu5c", "vcpuCount": 4}
    assert "gpu" not in body
    assert body["mounts"] == {"network": ({"volumeId": "vol1", "path": "/workspace"},)}
    assert body["dataCenterIds"] == ("US-TX-3",)
    assert body["env"]["PODTUNE_TOKEN_SHA256"] == token_sha256("planted-token")
    assert "planted-token" not in str(body)
    assert Decimal(body["env"]["PODTUNE_MAX_USD"]) <= CPU.offer.hourly * 6


def test_a_card_is_ordered_as_everywhere(tmp_path):
    made = cache_order.request(
        rental(candidate=Candidate(build.offer("NVIDIA L4"))), tmp_path, SecretStr("t"), DEFAULTS
    )
    body = create_body(made).model_dump(by_alias=True, exclude_none=True)
    assert body["gpu"] == {"id": "NVIDIA L4", "count": 1}
    assert "cpu" not in body


def test_tokens_are_the_same_each_time_and_differ_by_name(tmp_path):
    key = cache_order.key_of(signing_key(tmp_path))
    assert key("a").get_secret_value() == key("a").get_secret_value()
    assert key("a").get_secret_value() != key("b").get_secret_value()
    assert CPU.words.startswith(CPU.offer.name)
