import openai
import pytest

from podtune.core.access import Scope
from podtune.core.states import Outcome
from support import homes, tiny_model
from support.hosted import sdk
from support.waiting import until


def accepted(place, job):
    def settled():
        found = place.client.fine_tuning.jobs.retrieve(job.id)
        return found if found.status == "queued" else None

    return until(settled, "the plan")


def finish(place, job, outcome=Outcome.COMPLETED):
    stored = place.gateway.store.get(job.id)
    homes.finish(place.gateway.settings, stored, outcome)


def test_a_dpo_job(place, tmp_path):
    pairs = place.upload(tiny_model.write_pairs(tmp_path / "pairs.jsonl"))
    method = {"type": "dpo", "dpo": {"hyperparameters": {"beta": 0.2, "n_epochs": 2}}}
    job = accepted(place, place.create(training_file=pairs.id, method=method))
    assert job.method.type == "dpo"
    assert job.method.dpo.hyperparameters.beta == 0.2
    plan = job.model_extra["podtune"]["plan"]
    assert (plan["method"], plan["epochs"], plan["on"]) == ("dpo", 2, "local")


def test_a_validation_file_is_held_out(place, tmp_path):
    held = place.upload(tiny_model.write_rows(tmp_path / "held.jsonl", 5))
    job = accepted(place, place.create(validation_file=held.id))
    assert job.validation_file == held.id
    assert job.model_extra["podtune"]["plan"]["validation_rows"] == 5


def test_bad_data_fails_with_the_file_as_param(place, tmp_path):
    bad = tmp_path / "bad.jsonl"
    bad.write_text(place.data.read_text() + '{"messages": 3}\n')
    file = place.upload(bad)
    assert file.status == "error"
    with pytest.raises(openai.BadRequestError):
        place.create(training_file=file.id)
    (failed,) = place.client.fine_tuning.jobs.list()
    assert failed.status == "failed"
    assert (failed.error.code, failed.error.param) == ("invalid_training_file", "training_file")
    skipped = place.create(training_file=file.id, extra_body={"podtune": {"on_bad_rows": "skip"}})
    assert skipped.error is None


def test_lists_page_and_filter(place):
    file = place.upload().id
    made = [
        place.create(training_file=file, suffix=str(n), metadata={"n": str(n % 2)}).id
        for n in range(5)
    ]
    jobs = place.client.fine_tuning.jobs
    assert [one.id for one in jobs.list(limit=2)] == made[::-1]
    assert [one.id for one in jobs.list(limit=1, metadata={"n": "1"})] == [made[3], made[1]]
    assert jobs.list(after=made[1]).data[0].id == made[0]
    assert place.client.fine_tuning.jobs.list(extra_query={"metadata": "null"}).data == []
    with pytest.raises(openai.NotFoundError):
        jobs.list(after="none")


def test_a_queued_job_is_paused_resumed_and_cancelled(place):
    job = accepted(place, place.create())
    jobs = place.client.fine_tuning.jobs
    assert jobs.pause(job.id).status == "paused"
    finish(place, job, Outcome.CANCELLED)
    assert jobs.retrieve(job.id).status == "paused"
    assert jobs.retrieve(job.id).finished_at is None
    assert jobs.resume(job.id).status == "queued"
    assert jobs.pause(job.id).status == "paused"
    finish(place, job, Outcome.CANCELLED)
    assert jobs.cancel(job.id).status == "cancelled"
    with pytest.raises(openai.ConflictError) as caught:
        jobs.cancel(job.id)
    assert caught.value.response.headers["x-should-retry"] == "false"


def test_a_running_job_cannot_be_resumed(place):
    job = accepted(place, place.create())
    with pytest.raises(openai.ConflictError) as caught:
        place.client.fine_tuning.jobs.resume(job.id)
    assert caught.value.code == "still_running"


def test_events_of_a_job_say_how_it_was_understood(place):
    job = accepted(place, place.create(hyperparameters={"learning_rate_multiplier": 0.5}))
    told = [e.message for e in place.client.fine_tuning.jobs.list_events(job.id)]
    assert told[-2:] == [
        f"learning_rate_multiplier 0.5 times our learning rate 0.001 for {place.base} is 0.0005",
        "Created fine-tuning job",
    ]
    assert "Submitted" in told
    assert place.client.fine_tuning.jobs.checkpoints.list(job.id).data == []


def test_what_is_not_built_says_so(place):
    with pytest.raises(openai.BadRequestError, match="not built"):
        place.client.fine_tuning.checkpoints.permissions.create("ft:a", project_ids=["p"])
    with pytest.raises(openai.BadRequestError, match="not built"):
        place.client.fine_tuning.alpha.graders.validate(grader={"type": "text_similarity"})


def test_scopes_and_tenants(place):
    ann = place.gateway.key(tenant="ann")
    reader = place.gateway.key(Scope.READ, tenant="ann")
    bob = place.gateway.key(tenant="bob")
    with sdk(place.gateway.url, ann) as client:
        file = place.upload(client=client)
        with pytest.raises(openai.BadRequestError):
            place.create(client=client, training_file=file.id)  # a folder of this machine
        with pytest.raises(openai.APIStatusError) as unreachable:
            place.create(client=client, training_file=file.id, model="acme/none")
        assert unreachable.value.status_code in (400, 404, 502)
        (job,) = client.fine_tuning.jobs.list()
    with sdk(place.gateway.url, reader) as client:
        assert client.fine_tuning.jobs.retrieve(job.id).organization_id == "org-ann"
        with pytest.raises(openai.PermissionDeniedError):
            client.fine_tuning.jobs.cancel(job.id)
    with sdk(place.gateway.url, bob) as client:
        for verb in ("retrieve", "cancel", "pause", "resume", "list_events"):
            with pytest.raises(openai.NotFoundError):
                getattr(client.fine_tuning.jobs, verb)(job.id)
        with pytest.raises(openai.NotFoundError):
            place.create(client=client, training_file=file.id, model="acme/none")
