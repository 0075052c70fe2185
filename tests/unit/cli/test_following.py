"""What several commands do with a job; the commands themselves are tested in `test_app`."""

import json

import pytest
import typer

from podtune.app import driver
from podtune.app.service import Service
from podtune.cli import following
from podtune.cli.console import Output
from podtune.cli.steps_view import Steps
from podtune.core.errors import CredentialsError
from podtune.core.states import JobPhase
from podtune.workflow.store import JobStore
from support import build, homes, rented_jobs
from support.reaping import remember_stray


def test_the_service_is_that_of_the_home_that_the_settings_name(tmp_path, monkeypatch):
    monkeypatch.setenv("PODTUNE_HOME", str(tmp_path / "home"))
    service = following.open_service()
    assert service.settings.home == tmp_path / "home"
    assert not (tmp_path / "home").exists()


def test_a_job_that_is_left_names_the_next_command(capsys):
    following.say_detached(build.job(), Output.HUMAN)
    said = capsys.readouterr()
    assert said.out == ""
    assert "podtune watch demo-abc234" in said.err


def test_a_job_that_is_left_is_json_for_programs(capsys):
    following.say_detached(build.job(), Output.JSON)
    assert json.loads(capsys.readouterr().out)["id"] == "demo-abc234"


def test_a_completed_job_that_was_not_delivered_says_so_and_how_it_is_delivered(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(driver, "spawn", lambda settings: None)
    settings = homes.settings(tmp_path)
    service = Service(settings)
    job = service.submit(homes.plan(tmp_path))
    homes.finish(
        settings, job, error_code="s3_refused", error_message="the adapter is not delivered",
        advice="`podtune artifact JOB --to s3://b`",
    )  # fmt: skip
    with pytest.raises(CredentialsError, match="is completed, and the adapter is not") as caught:
        following.watch_to_end(service, service.job(job.id), Output.JSON)
    assert caught.value.hint == f"`podtune artifact {job.id} --to s3://b`"
    service.deliver(job.id, str(tmp_path / "out.tar.gz"))
    following.watch_to_end(service, service.job(job.id), Output.JSON)
    service.close()


@pytest.mark.parametrize("is_rented", [True, False])
def test_who_stops_watching_reads_what_a_rented_job_costs(tmp_path, monkeypatch, capsys, is_rented):
    monkeypatch.setattr(driver, "spawn", lambda settings: None)
    settings = homes.settings(tmp_path)
    settings.home.mkdir()
    store = JobStore(settings.database)
    job = rented_jobs.job() if is_rented else build.job(phase=JobPhase.TRAINING)
    store.add(job)
    store.close()
    service = Service(settings)

    def interrupted(job_id):
        raise KeyboardInterrupt

    monkeypatch.setattr(service, "wait", interrupted)
    with pytest.raises(typer.Exit) as left:
        following.watch_to_end(service, job, Output.JSON)
    service.close()
    said = capsys.readouterr()
    assert (left.value.exit_code, said.out) == (130, "")
    assert "podtune watch demo-abc234" in said.err
    cost = "$0.00 of $5.00, at $0.40/h; podtune cancel demo-abc234 ends it"
    assert (cost in said.err) is is_rented


def test_what_is_amiss_with_the_account_is_said_aside(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(driver, "spawn", lambda settings: None)
    settings = homes.settings(tmp_path)
    remember_stray(settings.database)
    service = Service(settings)
    following.say_amiss(service)
    following.say_leaks(service)
    service.close()
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("LEAK RISK $0.40/h") == 2


def lines_of(text):
    return [json.loads(line) for line in text.splitlines()]


def test_a_job_with_its_steps_is_a_line_each_for_programs(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(driver, "spawn", lambda settings: None)
    settings = homes.settings(tmp_path)
    service = Service(settings)
    job = service.submit(homes.plan(tmp_path))
    homes.finish(settings, job)
    following.watch_to_end(service, service.job(job.id), Output.JSON, Steps(Output.JSON))
    *steps, result = lines_of(capsys.readouterr().out)
    assert [s["number"] for s in steps if s["state"] == "begins"] == [3, 4, 5, 6, 7, 8]
    assert result["result"]["artifact"] == str(settings.jobs / job.id / "artifact")
    following.watch_to_end(service, service.job(job.id), Output.HUMAN, Steps(Output.HUMAN))
    said = capsys.readouterr()
    assert [line.split()[1] for line in said.err.splitlines() if "begins" in line] == [
        f"{n}/8" for n in range(3, 9)
    ]
    assert "podtune chat" in said.out
    service.close()


def test_a_job_that_is_left_with_its_steps_is_one_line(capsys):
    following.say_detached(build.job(), Output.JSON, Steps(Output.JSON))
    (only,) = lines_of(capsys.readouterr().out)
    assert only["result"]["id"] == "demo-abc234"
