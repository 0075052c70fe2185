"""The verbs of the service on a home of its own; drivers are recorded, never started."""

from datetime import timedelta

import pytest

from podtune.app import driver, wiring
from podtune.app.service import Service
from podtune.app.settings import runpod_access
from podtune.app.standing import Standing
from podtune.core.errors import (
    ArtifactError,
    BalanceError,
    ConflictError,
    CredentialsError,
    DatasetError,
    NotFoundError,
    PodtuneError,
    StateError,
    UnsupportedError,
)
from podtune.core.job import Instance, TerminationProof
from podtune.core.states import Desired, JobPhase, Outcome, WireStatus
from podtune.data import canonical
from podtune.storage import archive, artifact_folder
from podtune.testing.clock import RealClock
from podtune.testing.cloud import Cloud
from podtune.testing.executor import NoPods
from podtune.testing.options import CloudOptions
from podtune.testing.server import CloudServer
from podtune.workflow.store import JobStore, LogEntry
from support import build, homes, rented_jobs
from support.odd_server import OddServer, response


@pytest.fixture
def spawned(monkeypatch):
    """Homes for which a driver would have been started."""
    homes_seen = []
    monkeypatch.setattr(driver, "spawn", lambda settings: homes_seen.append(settings.home))
    return homes_seen


@pytest.fixture
def settings(tmp_path):
    return homes.settings(tmp_path)


@pytest.fixture
def service(settings, spawned):
    made = Service(settings)
    yield made
    made.close()


@pytest.fixture
def user(tmp_path):
    folder = tmp_path / "user"
    homes.model(folder / "model")
    homes.data(folder)
    return folder


@pytest.fixture
def plan(user):
    return homes.plan(user)


@pytest.fixture
def job(service, plan):
    return service.submit(plan, digest=plan.digest)


def test_making_a_service_makes_nothing(service, settings):
    assert not settings.home.exists()


def test_planning_makes_nothing(service, settings, user):
    from podtune.app.planner import source_request

    stated = {"base_model.name": str(user / "model")}
    service.plan(source_request(str(user / "tickets.jsonl"), stated))
    assert not settings.home.exists()


def test_checking_judges_a_file_and_makes_nothing(service, settings, user):
    (user / "bad.jsonl").write_text('{"prompt": "x"}\n')
    report = service.check(str(user / "bad.jsonl"))
    assert (report.rows, report.good_rows) == (1, 0)
    assert report.source == str(user / "bad.jsonl")
    assert not settings.home.exists()


def test_submitting_copies_the_data_stores_the_job_and_starts_a_driver(
    service, job, plan, settings, spawned
):
    copied = service.folder(job).data_file("train.jsonl")
    assert artifact_folder.sha256_file(copied) == plan.report.rows_sha256
    rows = list(canonical.read(copied))
    assert [row.line for row in rows] == list(range(1, 25))
    assert rows[0].messages[0].content == "how do I reset grinder 0?"
    stored = service.job(job.id)
    assert stored == job
    assert (stored.phase, stored.attempt, stored.desired) == (JobPhase.QUEUED, 1, Desired.RUN)
    assert stored.plan_digest == plan.digest == stored.plan.digest
    assert job.id.startswith("tickets-")
    assert spawned == [settings.home]


def test_the_validation_file_is_copied_too(service, user):
    held = homes.data(user, 4, "held.jsonl")
    plan = homes.plan(user, data__validation_source=str(held))
    folder = service.folder(service.submit(plan))
    copied = folder.data_file("validation.jsonl")
    assert len(list(canonical.read(copied))) == 4
    assert plan.validation_report is not None
    assert artifact_folder.sha256_file(copied) == plan.validation_report.rows_sha256


def test_repairs_are_in_the_copy_and_not_in_the_source(service, user):
    path = user / "tickets.jsonl"
    path.write_text(path.read_text() + '{"prompt": "i am anna@example.com", "completion": "b",}\n')
    before = path.read_bytes()
    job = service.submit(homes.plan(user, data__fix="trailing-comma,redact-pii"))
    *_, last = canonical.read(service.folder(job).data_file("train.jsonl"))
    assert (last.line, last.messages[0].content) == (25, "i am [email]")
    assert path.read_bytes() == before


def test_what_only_skips_bad_rows_trains_on_the_good_ones(service, user):
    path = user / "tickets.jsonl"
    path.write_text("broken\n" + path.read_text())
    job = service.submit(homes.plan(user, data__on_bad_rows="skip"))
    rows = list(canonical.read(service.folder(job).data_file("train.jsonl")))
    assert [row.line for row in rows] == list(range(2, 26))


def test_a_secret_of_the_data_is_in_neither_job_nor_receipt(service, user, settings):
    secret = "sk-proj-Zk3Qx9Lm2Vb7Rt5Yw8Np4Hd6Js1Gf0Ac"
    path = user / "tickets.jsonl"
    asked = f'{{"prompt": "is {secret} mine?", "completion": "no, it is not."}}\n'
    answered = f'{{"prompt": "which is mine?", "completion": "{secret} is."}}\n'
    path.write_text(path.read_text() + asked + answered)
    job = service.submit(homes.plan(user, data__fix="redact-secrets"))
    homes.finish(settings, job)
    assert service.job(job.id).plan.report.repaired == {"redact-secrets": 2}
    assert secret not in service.receipt(job.id).model_dump_json()
    service.close()
    for stored in settings.home.rglob("*"):
        assert not stored.is_file() or secret.encode() not in stored.read_bytes()


SIGNED = "v=2&X-Amz-Signature=PLANTED"


@pytest.fixture
def server(user):
    """Hands the user's rows out, and the service may ask it."""
    with OddServer({"/rows.jsonl": response(200, (user / "tickets.jsonl").read_bytes())}) as made:
        yield made


@pytest.fixture
def remote(settings, server, spawned):
    opened = {"egress_http": True, "egress_private_hosts": f"127.0.0.1:{server.port}"}
    made = Service(settings.model_copy(update=opened))
    yield made
    made.close()


@pytest.fixture
def remote_plan(remote, server, user):
    from podtune.app.planner import source_request

    stated = {"base_model.name": str(user / "model")}
    address = f"http://127.0.0.1:{server.port}/rows.jsonl?{SIGNED}"
    return remote.plan(source_request(address, stated))


def test_an_address_is_checked_without_its_secret(remote, server):
    report = remote.check(f"http://127.0.0.1:{server.port}/rows.jsonl?{SIGNED}")
    assert report.good_rows == 24
    assert "PLANTED" not in report.model_dump_json()


def test_an_address_is_fetched_once_for_plan_and_job(remote, remote_plan, server, settings):
    server.answers.clear()  # the address has expired
    job = remote.submit(remote_plan, digest=remote_plan.digest)
    assert len(server.requests) == 1
    rows = list(canonical.read(remote.folder(job).data_file("train.jsonl")))
    assert len(rows) == 24
    assert job.id.startswith("rows-")
    assert not any((settings.home / "downloads").iterdir())


def test_the_secret_of_an_address_is_stored_nowhere(remote, remote_plan, settings):
    job = remote.submit(remote_plan)
    assert "PLANTED" not in remote.job(job.id).model_dump_json()
    homes.finish(settings, job)
    assert "PLANTED" not in remote.receipt(job.id).model_dump_json()
    remote.close()
    for path in settings.home.rglob("*"):
        assert "PLANTED" not in path.name
        assert not path.is_file() or b"PLANTED" not in path.read_bytes()


def test_what_was_fetched_and_is_gone_is_an_error_and_leaves_no_job(
    remote, remote_plan, server, settings
):
    from podtune.app import sources

    sources.forget(remote_plan.spec.data.source, remote.settings)
    server.answers.clear()
    with pytest.raises(DatasetError) as caught:
        remote.submit(remote_plan)
    assert caught.value.code == "data_changed"
    assert list(settings.jobs.iterdir()) == []


def test_an_address_that_now_gives_other_rows_is_refused(remote, remote_plan, server, settings):
    from podtune.app import sources

    sources.forget(remote_plan.spec.data.source, remote.settings)
    server.answers["/rows.jsonl"] = response(200, b'{"prompt": "a", "completion": "b"}\n' * 9)
    with pytest.raises(DatasetError) as caught:
        remote.submit(remote_plan)
    assert caught.value.code == "data_changed"
    assert list(settings.jobs.iterdir()) == []


def test_a_driver_just_started_is_not_started_again(service, job, spawned):
    for _ in range(5):
        service.job(job.id)
    assert len(spawned) == 1


def test_no_driver_is_started_beside_one_that_lives(service, plan, settings, spawned):
    settings.home.mkdir()
    store = JobStore(settings.database)
    store.take_lease(driver.holder_name(), 1000)
    service.submit(plan)
    store.close()
    assert spawned == []


def test_another_plan_than_the_approved_one_is_refused(service, plan, settings):
    with pytest.raises(ConflictError) as caught:
        service.submit(plan, digest="0" * 64)
    assert caught.value.code == "plan_changed"
    assert not settings.home.exists()


def test_data_that_changed_since_the_plan_is_refused_and_leaves_nothing(
    service, plan, user, settings, spawned
):
    with (user / "tickets.jsonl").open("a") as stream:
        stream.write("\n")
    with pytest.raises(DatasetError) as caught:
        service.submit(plan)
    assert caught.value.code == "data_changed"
    assert list(settings.jobs.iterdir()) == []
    assert spawned == []


def test_data_that_vanished_since_the_plan_is_refused_in_our_words(service, plan, user):
    (user / "tickets.jsonl").unlink()
    with pytest.raises(PodtuneError):
        service.submit(plan)


def test_a_home_that_is_a_file_is_refused_in_our_words(service, plan, settings):
    settings.home.write_text("x")
    with pytest.raises(StateError):
        service.submit(plan)


def test_a_job_has_the_name_it_is_given(service, user):
    job = service.submit(homes.plan(user, deliver__name="my-adapter"))
    assert job.title == "my-adapter"


@pytest.mark.parametrize("name", ["Ärger & Lob!.jsonl", "---.jsonl", "x" * 80 + ".jsonl"])
def test_an_id_is_a_plain_word_whatever_the_file_is_called(service, user, name):
    homes.data(user, 12, name)
    job = service.submit(homes.plan(user, data__source=str(user / name)))
    assert len(job.id) <= 40
    assert job.id.replace("-", "").isalnum()
    assert job.id.isascii()
    assert job.id == job.id.lower().strip("-")


def test_jobs_are_found_by_beginning_and_by_last(service, job):
    assert service.job(job.id[:9]).id == job.id
    assert service.job("last").id == job.id
    assert [j.id for j in service.jobs()] == [job.id]


def test_verbs_that_read_make_no_home(service, settings):
    for verb in (service.job, service.cancel, service.resume, service.artifact, service.receipt):
        with pytest.raises(NotFoundError) as caught:
            verb("last")
        assert caught.value.code == "no_jobs"
    assert service.jobs() == []
    assert not settings.home.exists()


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


def test_cancelling_wishes(service, job):
    assert service.cancel(job.id).desired is Desired.CANCELLED


def test_what_has_ended_is_not_cancelled(service, job, settings):
    homes.finish(settings, job, Outcome.CANCELLED)
    with pytest.raises(ConflictError) as caught:
        service.cancel(job.id)
    assert caught.value.code == "already_ended"


def test_waiting_for_what_has_ended_returns_at_once(service, job, settings):
    homes.finish(settings, job, Outcome.FAILED)
    assert service.wait(job.id).outcome is Outcome.FAILED
    assert list(service.events(job.id, follow=True)) == []
    assert list(service.logs(job.id, follow=True)) == []


def test_a_job_that_did_not_complete_is_resumed(service, job, settings):
    homes.finish(settings, job, Outcome.FAILED)
    again = service.resume(job.id)
    assert (again.attempt, again.phase, again.outcome) == (2, JobPhase.QUEUED, None)


@pytest.mark.parametrize(("outcome", "code"), [(None, "still_running"), ("completed", "completed")])
def test_what_runs_or_completed_is_not_resumed(service, job, settings, outcome, code):
    if outcome:
        homes.finish(settings, job)
    with pytest.raises(ConflictError) as caught:
        service.resume(job.id)
    assert caught.value.code == code


def test_the_artifact_of_a_completed_job(service, job, settings, tmp_path):
    homes.finish(settings, job)
    assert service.artifact(job.id) == service.folder(job).artifact
    target = service.artifact(job.id, tmp_path / "out")
    assert target == tmp_path / "out"
    assert (target / "receipt.json").is_file()
    assert service.receipt(job.id).receipt.job == job.id
    assert len(service.verify_receipt(job.id)) == len(service.verify_receipt(str(target))) == 4


def test_the_artifact_as_one_archive_is_the_same_artifact(service, job, settings, tmp_path):
    homes.finish(settings, job)
    packed = service.artifact(job.id, tmp_path / "out" / "adapter.tar.gz")
    assert packed == tmp_path / "out" / "adapter.tar.gz"
    archive.unpack(packed, tmp_path / "back")
    assert len(service.verify_receipt(str(tmp_path / "back"))) == 4


def test_a_damaged_artifact_is_neither_shown_nor_copied(service, job, settings, tmp_path):
    homes.finish(settings, job)
    (service.folder(job).artifact / "README.md").write_text("changed")
    for target in (None, tmp_path / "out", tmp_path / "out.tar.gz"):
        with pytest.raises(ArtifactError):
            service.artifact(job.id, target)
    assert not list(tmp_path.glob("out*"))


@pytest.mark.parametrize("outcome", [None, Outcome.FAILED])
def test_a_job_that_did_not_complete_has_no_artifact(service, job, settings, outcome):
    if outcome:
        homes.finish(settings, job, outcome)
    for verb in (service.artifact, service.receipt, service.verify_receipt, service.chat_folder):
        with pytest.raises(NotFoundError) as caught:
            verb(job.id)
        assert caught.value.code == "no_artifact"
        assert job.id in str(caught.value.hint)


def test_a_chat_takes_a_job_or_an_artifacts_folder(service, job, settings):
    homes.finish(settings, job)
    folder = service.folder(job).artifact
    assert service.chat_folder(job.id) == service.chat_folder(str(folder)) == folder


def test_a_chat_with_a_foreign_adapter_is_refused(service, tmp_path):
    (tmp_path / "adapter_config.json").write_text("{}")
    with pytest.raises(UnsupportedError, match=r"spec\.yaml"):
        service.chat_folder(str(tmp_path))


def test_closing_twice_is_closing(service, job):
    service.close()
    service.close()
    assert service.job(job.id).id == job.id


KEY = "rpa_ANOTHERACCOUNT000000000000000000000000"


@pytest.fixture
def account(monkeypatch):
    """A stand-in cloud with money and without machines, and the variables that lead to it."""
    with CloudServer(Cloud(RealClock(), 1, NoPods(), CloudOptions())) as server:
        for name, value in server.environment().items():
            monkeypatch.setenv(name, value)
        yield server.cloud


def rented_plan(user, **price):
    """A plan for RunPod on real rows."""
    made = homes.plan(user)
    ladder = rented_jobs.plan(**price)
    where = ladder.spec.where
    spec = made.spec.model_copy(update={"where": where})
    return made.model_copy(update={"spec": spec, "price": ladder.price})


def test_a_rented_job_needs_no_libraries_here_and_remembers_who_pays(
    service, user, account, monkeypatch
):
    monkeypatch.setattr("podtune.app.service.TRAINING_LIBRARIES", ("no_such_library",))
    job = service.submit(rented_plan(user))
    assert job.is_rented
    assert job.account == wiring.account_of(runpod_access())
    assert KEY not in str(job)
    assert service.status(job.id).cost_usd == 0
    assert service.standing(job).money() == "$0.00 of $5.00"


def test_a_ceiling_that_the_account_cannot_pay_is_refused_before_anything_is_written(
    service, user, account, settings
):
    with pytest.raises(BalanceError):
        service.submit(rented_plan(user, max_usd="26"))
    assert not settings.home.exists()


def test_without_a_key_nothing_is_rented(service, user, monkeypatch, settings):
    monkeypatch.delenv("RUNPOD_API_KEY", raising=False)
    with pytest.raises(CredentialsError):
        service.submit(rented_plan(user))
    assert not settings.home.exists()


def test_a_resumed_job_has_what_is_left_of_its_ceiling(service, user, account, settings):
    job = service.submit(rented_plan(user, max_usd="1"))
    store = JobStore(settings.database, clock=lambda: build.NOW + timedelta(hours=3))
    token = store.take_lease("tests:0:0", 10)
    wanted = {
        "intent_at": build.NOW, "instance_name": "pt-o-j-1-x1",
        "deadline": build.NOW + timedelta(hours=2), "first_intent_at": build.NOW,
    }  # fmt: skip
    ordered = store.apply(job, wanted, "orders", token)
    store.record_instance(ordered, Instance(id="p", name="pt-o-j-1-x1", started_at=build.NOW))
    gone = build.NOW + timedelta(hours=2.5)
    proof = TerminationProof(instance_id="p", absent_at=gone, method="m")
    store.record_absence(ordered, proof)
    done = {"phase": JobPhase.DONE, "outcome": Outcome.FAILED, "proof": proof}
    store.apply(ordered, done, None, token)
    store.close()
    assert service.status(job.id).cost_usd == 1.0
    with pytest.raises(ConflictError) as caught:
        service.resume(job.id)
    assert caught.value.code == "over_budget"


def test_rented_and_local_jobs_do_not_wait_for_each_other(service, user, account, settings):
    rented = service.submit(rented_plan(user))
    local = service.submit(homes.plan(user))
    store = JobStore(settings.database)
    token = store.take_lease("tests:0:0", 10)
    store.apply(rented, {"phase": JobPhase.TRAINING}, None, token)
    store.close()
    assert service.before(service.job(local.id)) == []


def test_a_driver_without_the_account_is_asked_to_go_by_a_command_that_has_it(
    service, user, account, settings, spawned, monkeypatch
):
    job = service.submit(rented_plan(user))
    store = JobStore(settings.database)
    holder = driver.holder_name()
    token = store.take_lease(holder, 60, account=None)
    store.apply(job, {"hindrance": "waits: no key"}, "waits: no key", token)
    asked = []
    monkeypatch.setattr(driver, "ask_to_leave", asked.append)
    spawned.clear()
    other = Service(settings)
    other.jobs()
    other.job(job.id)
    assert asked == [holder]
    assert spawned == [settings.home]
    assert store.lease_holder() is None
    other.close()
    store.close()


def test_everything_of_a_rented_job_is_followed_to_its_end(service, user, account, settings):
    job = service.submit(rented_plan(user))
    homes.finish(settings, job, Outcome.FAILED)
    seen = list(service.follow(job.id))
    assert [one.message for one in seen if isinstance(one, LogEntry)] == ["submitted", "done"]
    assert any(isinstance(one, Standing) for one in seen)
