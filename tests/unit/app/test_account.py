"""The account against the job store: what is wanted, what is not, and whose."""

from datetime import timedelta
from decimal import Decimal

import httpx2
import pytest

from podtune.app import account as module
from podtune.app.installation import owner
from podtune.app.settings import Settings
from podtune.core.errors import CredentialsError
from podtune.core.job import TerminationProof
from podtune.core.states import JobPhase
from podtune.workflow.store import JobStore
from support import build
from support.runpod_account import START, Account, client, pod


@pytest.fixture
def settings(tmp_path):
    made = Settings(home=tmp_path / "home")
    made.home.mkdir()
    return made


def remember(settings, **changes):
    """A job in the store."""
    store = JobStore(settings.database)
    store.add(build.job(owner=owner(settings.home), **changes))
    store.close()


def looked_at(settings, *pods, after_s=600, **lists):
    account = Account(*pods)
    for path, field in (("network-volumes", "networkVolumes"), ("serverless", "endpoints"), ("templates", "templates")):  # fmt: skip
        told = {field: lists.get(field, [])}
        account.answer(f"GET /v2/{path}", *(httpx2.Response(200, json=told) for _ in range(2)))
    return module.audit(
        settings, client=client(account), clock=lambda: START + timedelta(seconds=after_s)
    )


def test_what_was_deployed_is_wanted_for_as_long_as_it_is_there(settings):
    made = {"id": "e1", "name": "trainer", "env": {"PODTUNE_OWNER": owner(settings.home)}}
    report = looked_at(settings, endpoints=[made])
    (row,) = report.rows
    assert (row.found.name, row.wanted) == ("trainer", True)


def test_model_caches_are_told_with_their_price_each_month(settings):
    there = [
        {"id": "v1", "name": "qwen-model-cache", "size": 220, "dataCenter": "US-KS-2"},
        {"id": "v2", "name": "somebodys", "size": 10, "dataCenter": "US-KS-2"},
    ]
    report = looked_at(settings, networkVolumes=there)
    (cache,) = report.caches
    assert (cache.id, cache.usd_per_month, cache.models) == ("v1", Decimal("15.40"), ())
    assert cache.delete_with == "podtune runpod uncache v1"
    assert report.usd_per_hour == 0


def test_an_empty_account(settings):
    report = looked_at(settings)
    assert (report.rows, report.others, report.usd_per_hour) == ((), {}, 0)
    assert not settings.database.exists()


def test_a_machine_of_an_unfinished_job_is_wanted(settings):
    mine = owner(settings.home)
    name = f"pt-{mine}-job1-1-x{int(START.timestamp()) + 3600}"
    remember(settings, id="job1", phase=JobPhase.TRAINING, instance_name=name, instance_id="p1")
    report = looked_at(settings, pod("p1", name))
    (row,) = report.rows
    assert (row.wanted, row.overdue, row.job_phase, row.age_s) == (True, False, "training", 600)
    assert (report.usd_per_hour, report.unwanted_usd_per_hour) == (Decimal("0.4"), 0)


@pytest.mark.parametrize(
    "name", ["pt-{}-job1-2-x{}", "pt-{}-job9-1-x{}", "pt-{}-job-1-x{}"]
)  # another attempt, an unknown job, the beginning of a job's id
def test_what_no_job_has_recorded_is_not_wanted(settings, name):
    mine = owner(settings.home)
    recorded = f"pt-{mine}-job1-1-x1"
    remember(settings, id="job1", phase=JobPhase.TRAINING, instance_name=recorded, instance_id="p1")
    report = looked_at(settings, pod("p2", name.format(mine, int(START.timestamp()) + 60)))
    (row,) = report.rows
    assert (row.wanted, row.overdue) == (False, True)
    assert report.unwanted_usd_per_hour == Decimal("0.4")


def test_a_machine_that_outlived_its_finished_job_is_not_wanted_and_shows_the_proof(settings):
    name = f"pt-{owner(settings.home)}-job1-1-x9999999999"
    proof = TerminationProof(instance_id="p1", absent_at=START, method="lists")
    remember(
        settings, id="job1", phase=JobPhase.DONE, instance_name=name, instance_id="p1",
        proof=proof, finished_at=START,
    )  # fmt: skip
    (row,) = looked_at(settings, pod("p1", name)).rows
    assert (row.wanted, row.last_proof, row.job_phase) == (False, START, "done")


def test_what_others_have_is_counted_and_not_listed(settings):
    mine = owner(settings.home)
    report = looked_at(
        settings,
        pod("a", "pt-zzzzzzzz-job-1-x1"),
        pod("b", "pt-odd"),
        pod("c", f"pt-{mine}-job1-1-x1"),
        pod("d", "not-podtune"),
    )
    assert [row.found.id for row in report.rows] == ["c"]
    assert report.others == {"pod": 2}


def test_the_unwanted_come_first(settings):
    mine = owner(settings.home)
    name = f"pt-{mine}-job1-1-x1"
    remember(settings, id="job1", phase=JobPhase.TRAINING, instance_name=name, instance_id="p1")
    rows = looked_at(settings, pod("p1", name), pod("p0", f"pt-{mine}-zzz-1-x1")).rows
    assert [row.found.id for row in rows] == ["p0", "p1"]


def test_without_a_key_it_says_so(settings, monkeypatch):
    monkeypatch.delenv("RUNPOD_API_KEY", raising=False)
    with pytest.raises(CredentialsError):
        module.audit(settings)


def test_the_second_machine_of_one_order_is_not_wanted(settings):
    name = f"pt-{owner(settings.home)}-job1-1-x9999999999"
    remember(settings, id="job1", phase=JobPhase.TRAINING, instance_name=name, instance_id="p1")
    rows = looked_at(settings, pod("p1", name), pod("p2", name)).rows
    assert {row.found.id: row.wanted for row in rows} == {"p1": True, "p2": False}
