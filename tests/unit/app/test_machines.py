"""The rented side of the service's verbs."""

import json
from decimal import Decimal

import pytest

from podtune.app import machines
from podtune.app.settings import Settings
from podtune.core.errors import ConflictError, CredentialsError, NotFoundError
from podtune.core.job import TerminationProof
from podtune.core.states import JobPhase
from support import build, queued_jobs, rented_jobs


@pytest.fixture
def settings(tmp_path):
    return Settings(home=tmp_path / "home")


def seal(settings, step, *, whole=True):
    folder = settings.jobs / "demo-abc234" / "checkpoints" / f"checkpoint-{step}"
    folder.mkdir(parents=True)
    (folder / "w").write_bytes(b"x" * step)
    if whole:
        (folder / "complete.json").write_text(json.dumps({"w": "0" * 64}))


ENDED = rented_jobs.job(
    JobPhase.DONE,
    proof=TerminationProof(instance_id="pod1", absent_at=build.NOW, method="m"),
)


def test_sealed_checkpoints_are_listed_newest_first(settings):
    assert machines.checkpoints(settings, ENDED) == []
    for step, whole in ((4, True), (8, True), (12, False)):
        seal(settings, step, whole=whole)
    listed = machines.checkpoints(settings, ENDED)
    assert [(one.step, one.here) for one in listed] == [(8, True), (4, True)]


def test_a_checkpoint_is_copied_and_nothing_is_overwritten(settings, tmp_path):
    seal(settings, 4)
    path = machines.get_checkpoint(settings, ENDED, 4, tmp_path / "to")
    assert (path / "w").read_bytes() == b"xxxx"
    with pytest.raises(ConflictError):
        machines.get_checkpoint(settings, ENDED, 4, tmp_path / "to")
    with pytest.raises(NotFoundError, match="there are: 4"):
        machines.get_checkpoint(settings, ENDED, 5, tmp_path / "other")


@pytest.mark.parametrize("job", [ENDED, rented_jobs.job(instance_id=None)])
def test_a_job_without_a_machine_has_no_shell(settings, job):
    with pytest.raises(ConflictError) as caught:
        machines.ssh(settings, job)
    assert caught.value.code == "no_machine"


def test_a_machine_ordered_without_a_shell_says_how_to_have_one(settings):
    with pytest.raises(ConflictError) as caught:
        machines.ssh(settings, rented_jobs.job())
    assert caught.value.code == "no_shell"
    assert "public key" in (caught.value.hint or "")


def test_what_is_left_of_a_ceiling_has_to_be_worth_an_order():
    plan = rented_jobs.plan(max_usd="1")
    assert machines.refuse_spent(plan, Decimal("0.25"), 120) == Decimal("0.75")
    with pytest.raises(ConflictError) as caught:
        machines.refuse_spent(plan, Decimal("0.99"), 120)
    assert caught.value.code == "over_budget"


def test_without_a_key_nothing_is_checked_and_the_next_step_is_said(monkeypatch):
    monkeypatch.delenv("RUNPOD_API_KEY", raising=False)
    with pytest.raises(CredentialsError) as caught:
        machines.check_funds(Decimal(1))
    assert "podtune dev cloud" in (caught.value.hint or "")


def test_a_job_of_a_queue_has_no_shell_and_no_port(settings):
    with pytest.raises(ConflictError) as raised:
        machines.ssh(settings, queued_jobs.job())
    assert raised.value.code == "no_shell"
    assert list(machines.checkpoints(settings, queued_jobs.job())) == []
