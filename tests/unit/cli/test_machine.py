"""`podtune ssh` and `podtune checkpoints`."""

import json

import pytest

from podtune.app.service import Service
from podtune.core.states import JobPhase
from podtune.workflow.store import JobStore
from support import homes, rented_jobs


@pytest.fixture
def job(home):
    store = JobStore(home.database)
    made = rented_jobs.job(JobPhase.PROVISIONING, instance_id=None)
    store.add(made)
    store.close()
    return made


def seal(home, job, step):
    folder = home.jobs / job.id / "checkpoints" / f"checkpoint-{step}"
    folder.mkdir(parents=True)
    (folder / "w").write_bytes(b"x")
    (folder / "complete.json").write_text("{}")


def test_checkpoints_are_listed_and_the_next_command_is_said(run, home, job):
    assert "no sealed checkpoint" in run("checkpoints", job.id)[2]
    seal(home, job, 4)
    seal(home, job, 8)
    code, out, err = run("checkpoints", job.id)
    assert code == 0
    assert [line.split()[1] for line in out.splitlines()] == ["8", "4"]
    assert f"podtune checkpoints {job.id} --get 8" in err
    listed = json.loads(run("checkpoints", job.id, "--output", "json")[1])
    assert [(one["step"], one["here"]) for one in listed] == [(8, True), (4, True)]


def test_a_checkpoint_is_copied(run, home, job, tmp_path):
    seal(home, job, 4)
    code, out, _ = run("checkpoints", job.id, "--get", 4)
    assert code == 0
    assert out.strip().endswith(f"{job.id}-checkpoint-4")
    assert (tmp_path / f"{job.id}-checkpoint-4" / "w").is_file()
    code, _, err = run("checkpoints", job.id, "--get", 5, "-o", "x")
    assert code == 2
    assert "no sealed checkpoint of step 5" in err


def test_a_shell_is_refused_with_the_way_to_have_one(run, job):
    code, _, err = run("ssh", job.id)
    assert code == 2
    assert "--keep-on-failure 30" in err


def test_a_job_on_this_machine_has_no_shell(run, home, tmp_path):
    service = Service(home)
    plan = homes.plan(tmp_path)
    local = service.submit(plan)
    service.close()
    code, _, err = run("ssh", local.id)
    assert code == 2
    assert "runs on this machine" in err
