"""The verbs of the service on a home of its own; drivers are recorded, never started."""

from datetime import timedelta

import pytest

from podtune.app import wiring
from podtune.app.service import Service, new_id
from podtune.app.settings import runpod_access
from podtune.core.errors import (
    BalanceError,
    ConflictError,
    CredentialsError,
    DatasetError,
    PodtuneError,
    StateError,
)
from podtune.core.job import Instance, TerminationProof
from podtune.core.states import Desired, JobPhase, Outcome
from podtune.data import canonical
from podtune.storage import artifact_folder
from podtune.workflow.store import JobStore
from support import build, homes
from support.driving import held
from support.odd_server import OddServer, response


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


def test_cancelling_wishes(service, job):
    assert service.cancel(job.id).desired is Desired.CANCELLED


def test_what_has_ended_is_not_cancelled(service, job, settings):
    homes.finish(settings, job, Outcome.CANCELLED)
    with pytest.raises(ConflictError) as caught:
        service.cancel(job.id)
    assert caught.value.code == "already_ended"


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


def test_a_rented_job_needs_no_libraries_here_and_remembers_who_pays(
    service, user, account, monkeypatch
):
    monkeypatch.setattr("podtune.app.service.TRAINING_LIBRARIES", ("no_such_library",))
    job = service.submit(homes.rented_plan(user))
    assert job.is_rented
    assert job.account == wiring.account_of(runpod_access())
    assert homes.ANOTHER_KEY not in str(job)
    assert service.status(job.id).cost_usd == 0
    assert service.standing(job).money() == "$0.00 of $5.00"


def test_a_ceiling_that_the_account_cannot_pay_is_refused_before_anything_is_written(
    service, user, account, settings
):
    with pytest.raises(BalanceError):
        service.submit(homes.rented_plan(user, max_usd="26"))
    assert not settings.home.exists()


def test_without_a_key_nothing_is_rented(service, user, monkeypatch, settings):
    monkeypatch.delenv("RUNPOD_API_KEY", raising=False)
    with pytest.raises(CredentialsError):
        service.submit(homes.rented_plan(user))
    assert not settings.home.exists()


def test_a_resumed_job_has_what_is_left_of_its_ceiling(service, user, account, settings):
    job = service.submit(homes.rented_plan(user, max_usd="1"))
    store = JobStore(settings.database, clock=lambda: build.NOW + timedelta(hours=3))
    wanted = {
        "intent_at": build.NOW, "instance_name": "pt-o-j-1-x1",
        "deadline": build.NOW + timedelta(hours=2), "first_intent_at": build.NOW,
    }  # fmt: skip
    ordered = store.apply(held(store, job), wanted, "orders")
    store.record_instance(ordered, Instance(id="p", name="pt-o-j-1-x1", started_at=build.NOW))
    gone = build.NOW + timedelta(hours=2.5)
    proof = TerminationProof(instance_id="p", absent_at=gone, method="m")
    store.record_absence(ordered, proof)
    done = {"phase": JobPhase.DONE, "outcome": Outcome.FAILED, "proof": proof}
    store.apply(ordered, done, None)
    store.leave("me")
    store.close()
    assert service.status(job.id).cost_usd == 1.0
    with pytest.raises(ConflictError) as caught:
        service.resume(job.id)
    assert caught.value.code == "over_budget"


def test_an_id_is_what_the_source_is_called_and_chance(service):
    found = new_id("https://x.example/Support Tickets.jsonl?token=PLANTED", letters=8)
    assert found.startswith("support-tickets-")
    assert "planted" not in found
    assert new_id("s") != new_id("s")
    assert new_id("").startswith("job-")
