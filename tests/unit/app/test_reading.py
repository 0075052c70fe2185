"""What is seen of jobs, of a home of its own; drivers are recorded, never started."""

from datetime import timedelta
from decimal import Decimal

from podtune.app.standing import Standing
from podtune.app.unanswered import Notes
from podtune.core.clock import utc_now
from podtune.core.job import TerminationProof
from podtune.core.states import JobPhase, Outcome, WireStatus
from podtune.workflow.store import JobStore, LogEntry
from support import build, homes
from support.driving import held
from support.reaping import remember_stray


def test_the_status_is_the_contracts(service, job):
    status = service.status(job.id)
    assert (status.status, status.progress, status.job_id) == (WireStatus.RUNNING, 0.0, job.id)
    assert status.phase == "queued"


def test_the_workers_events_are_folded(service, job):
    homes.say(service.folder(job).events, job, kind="warning", message="look")
    assert service.status(job.id).warnings == ("look",)
    assert [e.message for e in service.events(job.id)] == ["look"]


def test_the_workflows_log_is_told(service, job):
    assert [e.message for e in service.log(job.id)] == ["submitted"]


def test_logs_are_the_workers_output(service, job):
    assert list(service.logs(job.id)) == []
    service.folder(job).log.write_bytes(b"hello \xff\n")
    assert "".join(service.logs(job.id)) == "hello \ufffd\n"


def test_waiting_for_what_has_ended_returns_at_once(service, job, settings):
    homes.finish(settings, job, Outcome.FAILED)
    assert service.wait(job.id).outcome is Outcome.FAILED
    assert list(service.events(job.id, follow=True)) == []
    assert list(service.logs(job.id, follow=True)) == []


def test_the_money_of_several_jobs_is_read_at_once(service, user, account, settings):
    rented = service.submit(homes.rented_plan(user))
    other, local = service.submit(homes.rented_plan(user)), service.submit(homes.plan(user))
    store = JobStore(settings.database, clock=lambda: build.NOW + timedelta(hours=1))
    wanted = {
        "intent_at": build.NOW, "instance_name": "pt-o-j-1-x1", "first_intent_at": build.NOW,
        "deadline": build.NOW + timedelta(hours=2),
    }  # fmt: skip
    ordered = store.apply(held(store, rented), wanted, "orders", reserve=Decimal("0.90"))
    proof = TerminationProof(
        instance_id=None, ended=1, absent_at=build.NOW + timedelta(hours=1), method="m"
    )
    store.record_absence(ordered, proof)
    store.close()
    found = service.standings(service.jobs())
    assert set(found) == {rented.id, other.id}
    assert local.id not in found
    assert (found[rented.id].spent, found[other.id].spent) == (Decimal("0.40"), 0)
    assert [order.reserved_usd for order in found[rented.id].orders] == [Decimal("0.90")]
    assert service.status(rented.id).cost_usd == 0.4
    assert service.status(local.id).ceiling_usd is None


def test_rented_and_local_jobs_do_not_wait_for_each_other(service, user, account, settings):
    rented = service.submit(homes.rented_plan(user))
    local = service.submit(homes.plan(user))
    store = JobStore(settings.database)
    store.apply(held(store, rented), {"phase": JobPhase.TRAINING}, None)
    store.close()
    assert service.before(service.job(local.id)) == []


def test_everything_of_a_rented_job_is_followed_to_its_end(service, user, account, settings):
    job = service.submit(homes.rented_plan(user))
    homes.finish(settings, job, Outcome.FAILED)
    seen = list(service.follow(job.id))
    assert [one.message for one in seen if isinstance(one, LogEntry)] == ["submitted", "done"]
    assert any(isinstance(one, Standing) for one in seen)


def test_what_no_job_wants_is_told_with_every_job(service, settings, plan):
    job = service.submit(plan)
    assert (service.amiss(), service.leak_risks()) == ((), [])
    remember_stray(settings.database)
    (told,) = service.amiss()
    assert told.startswith("LEAK RISK $0.40/h: pod p9 of pt-owner123-job1-1-")
    assert service.status(job.id).warnings[0] == told, "of a job on this machine too"
    assert [leak.words for leak in service.leak_risks()] == [told]


def test_a_provider_that_does_not_answer_is_told(service, settings, plan):
    service.submit(plan)
    Notes(settings.home, utc_now)(False)
    assert service.amiss()[0].startswith("RunPod could not be asked since")


def test_looking_for_leaks_makes_no_store(service, settings):
    assert (service.amiss(), service.leak_risks()) == ((), [])
    assert not settings.home.exists()
