"""What an endpoint is sent: addresses and limits, no key, no secret of ours."""

import json
from datetime import timedelta

import pytest
from pydantic import SecretStr

from podtune.app import queue_order
from podtune.core.errors import ProviderError
from podtune.core.handover import BundleByHttps, DeliverByPort
from podtune.core.spec import ModelSource
from podtune.core.submission import parse
from support import build
from support.queued_jobs import DEADLINE, ENDPOINT, LIMITS, RUN, WAIT, Store, job

BUNDLE = BundleByHttps(sha256="a" * 64, bytes=5, url=SecretStr("https://store.example/b?sig=x"))


def test_the_input_is_the_contracts_request_with_a_bundle():
    work = queue_order.work(job(), BUNDLE, Store(), LIMITS)
    given = json.loads(json.dumps(work.given))
    extra = ("attempt", "begin_by", "deadline", "bundle", "upload")
    asked = parse(given, extra=extra)
    assert asked.job_id == job().id
    assert asked.dataset_url == "https://store.example/b?sig=x"
    assert asked.max_hours * 3600 == RUN.total_seconds() - LIMITS.upload_reserve_s
    assert given["bundle"] == {"sha256": "a" * 64, "bytes": 5, "plan": job().plan.digest}
    assert given["upload"]["begun"] == {"url": "https://begun", "headers": {}}
    assert given["upload"]["result"] == {"url": "https://r", "headers": {"X-Y": "z"}}
    assert given["attempt"] == 1


def test_waiting_and_running_are_limited_apart():
    work = queue_order.work(job(), BUNDLE, Store(), LIMITS)
    assert work.endpoint == ENDPOINT
    assert work.run_s == RUN.total_seconds()
    assert work.life_s == (RUN + WAIT + queue_order.LIFE_MARGIN).total_seconds()
    assert work.given["begin_by"] == (build.NOW + WAIT).timestamp()
    assert work.given["deadline"] == DEADLINE.timestamp()


def test_a_base_model_of_this_machine_gets_a_name_that_says_nothing_of_its_place():
    made = job()
    base = made.plan.spec.base_model.model_copy(
        update={"name": "/home/somebody/models/My Model", "source": ModelSource.PATH}
    )
    spec = made.plan.spec.model_copy(update={"base_model": base})
    found = made.model_copy(update={"plan": made.plan.model_copy(update={"spec": spec})})
    assert queue_order.model_name(found) == "local/My-Model"


def test_without_an_intent_nothing_is_sent():
    with pytest.raises(ProviderError):
        queue_order.work(job(intent_at=None), BUNDLE, Store(), LIMITS)


def test_a_store_without_addresses_is_a_fault_of_the_plan():
    store = Store()
    store.ticket = lambda key, expires_at: DeliverByPort()
    with pytest.raises(ProviderError):
        queue_order.given(job(), BUNDLE, store, LIMITS, DEADLINE + timedelta(0))


@pytest.mark.parametrize("mark", [None, b"", b"[]", b"{", b'{"external_job_id": 3}'])
def test_a_mark_that_cannot_be_read_says_nothing(mark):
    assert queue_order.begun(mark) is None


def test_a_mark_says_who_began():
    assert queue_order.begun(b'{"external_job_id": "x-u1", "more": 1}').external_job_id == "x-u1"
