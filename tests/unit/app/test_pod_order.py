"""What is ordered: limits that anybody may read, and secrets that nobody can."""

import hashlib
from decimal import Decimal

import pytest
from pydantic import SecretStr

from podtune.app import pod_order
from podtune.core.errors import ProviderError
from podtune.core.limits import Limits
from podtune.core.spec import ModelSource
from podtune.providers.runpod.command import SAFE
from support import build, rented_jobs


def request(tmp_path, job):
    return pod_order.request(tmp_path, tmp_path / "job", job, Limits())


def test_the_environment_holds_limits_and_the_sum_of_the_token(tmp_path):
    job = rented_jobs.job()
    told = request(tmp_path, job).environment
    token = pod_order.token(tmp_path, job).get_secret_value()
    assert told["PODTUNE_TOKEN_SHA256"] == hashlib.sha256(token.encode()).hexdigest()
    assert token not in "".join(told.values())
    assert pod_order.event_key(tmp_path, job).get_secret_value() not in "".join(told.values())
    assert told["PODTUNE_DEADLINE"] == str(int(rented_jobs.DEADLINE.timestamp()))
    assert told["PODTUNE_STARTED"] == str(int(build.NOW.timestamp()))
    assert Decimal(told["PODTUNE_MAX_USD"]) == Decimal("1.6"), "four hours at $0.40"
    assert set(told) == {
        f"PODTUNE_{name}"
        for name in (
            "JOB", "ATTEMPT", "TOKEN_SHA256", "PORT", "DEADLINE", "STARTED", "MAX_USD",
            "USD_PER_HOUR", "BOOT_LIMIT_S", "SILENCE_LIMIT_S", "UPLOAD_RESERVE_S",
            "KEEP_ON_FAILURE_S",
        )
    }  # fmt: skip


def test_token_and_key_are_the_same_for_each_driver_and_differ_between_attempts(tmp_path):
    first = rented_jobs.job()
    second = rented_jobs.job(instance_name="pt-owner123-demo-abc234-2-x1")
    assert pod_order.token(tmp_path, first) == pod_order.token(tmp_path, first)
    everything = {
        secret.get_secret_value()
        for job in (first, second)
        for secret in (pod_order.token(tmp_path, job), pod_order.event_key(tmp_path, job))
    }
    assert len(everything) == 4
    assert all(len(secret) == 64 for secret in everything)


def test_the_machine_is_the_rung_s(tmp_path):
    found = request(tmp_path, rented_jobs.job(rung=1)).machine
    assert found is not None
    assert found.offer.gpu == "NVIDIA RTX A6000"
    assert found.http_ports == (8466,)
    assert (found.disk_gb, found.volume_gb, found.mount_path) == (20, 50, "/workspace")
    assert SAFE.fullmatch(found.command)
    assert not found.ssh
    assert pod_order.machine(rented_jobs.job(plan=rented_jobs.plan(keep=30))).ssh


def test_nothing_is_ordered_without_an_intent(tmp_path):
    with pytest.raises(ProviderError):
        request(tmp_path, rented_jobs.job(intent_at=None))


def test_the_hub_token_goes_only_to_jobs_that_use_the_hub():
    token = SecretStr("hf_x")
    plan = rented_jobs.plan()
    of_hub = plan.spec.base_model.model_copy(update={"source": ModelSource.HUB})
    spec = plan.spec.model_copy(update={"base_model": of_hub})
    hub = rented_jobs.job(plan=plan.model_copy(update={"spec": spec}))
    of_path = plan.spec.base_model.model_copy(update={"source": ModelSource.PATH})
    spec = plan.spec.model_copy(update={"base_model": of_path})
    path = rented_jobs.job(plan=plan.model_copy(update={"spec": spec}))
    assert pod_order.secrets(hub, token) == {"HF_TOKEN": token}
    assert pod_order.secrets(hub, None) == {}
    assert pod_order.secrets(path, token) == {}
