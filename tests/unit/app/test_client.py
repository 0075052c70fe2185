"""The verbs in Python."""

import subprocess
import sys

import pytest

import podtune
from podtune import Client
from podtune.app import driver
from podtune.core.errors import NotFoundError
from podtune.core.job import Job
from podtune.core.states import Outcome
from support import homes


@pytest.fixture
def spawned(monkeypatch):
    seen = []
    monkeypatch.setattr(driver, "spawn", lambda settings: seen.append(settings.home))
    return seen


@pytest.fixture
def client(tmp_path, spawned):
    with Client(home=tmp_path / "home") as made:
        yield made


@pytest.fixture
def user(tmp_path):
    folder = tmp_path / "user"
    homes.model(folder / "model")
    homes.data(folder)
    return folder


@pytest.fixture
def job(client, user) -> Job:
    plan = client.plan(user / "tickets.jsonl", model=str(user / "model"))
    return client.submit(plan)


def test_the_home_wins_over_the_environment(tmp_path, monkeypatch, spawned, user):
    monkeypatch.setenv("PODTUNE_HOME", str(tmp_path / "from-environment"))
    with Client(home=str(tmp_path / "given")) as client:
        client.submit(client.plan(user / "tickets.jsonl", model=str(user / "model")))
    assert spawned == [tmp_path / "given"]
    assert not (tmp_path / "from-environment").exists()


def test_a_plan_takes_fields_and_minutes(client, user):
    plan = client.plan(
        str(user / "tickets.jsonl"),
        model=str(user / "model"),
        fields={"adapter.rank": 4},
        minutes=600,
    )
    assert plan.spec.adapter.rank == 4


def test_checking_a_file(client, user):
    assert client.check(user / "tickets.jsonl").good_rows == 24


def test_columns_may_be_named(client, user):
    (user / "t.csv").write_text("q1,a1\nwhy,because\n")
    report = client.check(user / "t.csv", {"prompt": "q1", "completion": "a1"})
    assert report.good_rows == 1


def test_repairs_may_be_consented_to(client, user):
    (user / "t.jsonl").write_text('{"prompt": "x", "completion": "y",}\n')
    assert client.check(user / "t.jsonl").good_rows == 0
    report = client.check(user / "t.jsonl", fix=["trailing-comma"])
    assert (report.good_rows, report.repaired) == (1, {"trailing-comma": 1})
    assert client.check(str(user / "t.jsonl"), fix=["all"]).good_rows == 1


def test_a_job_can_be_followed(client, job):
    assert [j.id for j in client.jobs()] == [job.id]
    assert client.status(job.id).job_id == job.id
    assert list(client.events(job.id)) == []
    assert list(client.logs(job.id)) == []


def test_a_finished_job(client, job, tmp_path):
    homes.finish(homes.settings(tmp_path), job)
    seen = []
    assert client.wait(job.id, seen.append).outcome is Outcome.COMPLETED
    assert [e.kind for e in seen] == ["result"]
    assert client.artifact(job.id).is_dir()
    assert client.artifact(job.id, to=tmp_path / "out") == tmp_path / "out"
    assert client.receipt(job.id).receipt.job == job.id
    assert len(client.verify_receipt(job.id)) == 4


def test_a_failed_job_is_resumed(client, job, tmp_path):
    homes.finish(homes.settings(tmp_path), job, Outcome.FAILED)
    assert client.resume(job.id).attempt == 2


def test_errors_have_codes(client):
    with pytest.raises(NotFoundError) as caught:
        client.status("last")
    assert caught.value.code == "no_jobs"


def test_the_package_names_its_client_and_nothing_else():
    assert podtune.Client is Client
    with pytest.raises(AttributeError, match="Server"):
        podtune.Server  # noqa: B018 - the lookup is the test


def test_importing_the_package_imports_nothing_heavy():
    program = (
        "import sys, podtune; heavy = {'pydantic', 'sqlalchemy', 'rich', 'huggingface_hub'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    said = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout
    assert said.strip() == "[]"
