"""The command against our own gateway as the account."""

import json

import pytest
from typer.testing import CliRunner

from podtune.cli.app import app
from podtune.core.errors import CredentialsError, SpecError
from support import gateways, homes, tiny_model
from support.hosted import sdk

RUN = CliRunner()


@pytest.fixture
def account(tmp_path, monkeypatch):
    """A job's id, a model folder; the variables lead to the account."""
    base = homes.model(tmp_path / "model")
    named = gateways.settings(tmp_path / "their", hosted_models=f"gpt-4o-mini={base}")
    with gateways.Gateway(named) as gateway, sdk(gateway.url) as client:
        with tiny_model.write_rows(tmp_path / "rows.jsonl").open("rb") as stream:
            file = client.files.create(file=stream, purpose="fine-tune")
        job = client.fine_tuning.jobs.create(model="gpt-4o-mini", training_file=file.id)
        monkeypatch.setenv("OPENAI_API_KEY", "sk-planted-secret-000")
        monkeypatch.setenv("OPENAI_BASE_URL", f"{gateway.url}/v1")
        monkeypatch.setenv("PODTUNE_HOME", str(tmp_path / "home"))
        monkeypatch.chdir(tmp_path)
        yield job.id, base


def run(*words):
    done = RUN.invoke(app, ["import", "openai", *map(str, words)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done


def test_a_dry_run_downloads_nothing(account, tmp_path):
    job, base = account
    shown = run("--dry-run", "--base-model", base).output
    assert job in shown
    assert "gpt-4o-mini" in shown
    assert "planted" not in shown
    assert not (tmp_path / "openai-import").exists()
    assert "nobody has said" in run("--dry-run").output


def test_specs_and_files_come(account, tmp_path):
    job, base = account
    told = json.loads(run("--base-model", base, "--to", "came", "--output", "json").stdout)
    assert told["brought"]["lacking"] == {}
    assert (tmp_path / "came/specs" / f"{job}.yaml").is_file()
    (file,) = told["brought"]["files"].values()
    assert (tmp_path / file).read_bytes() == (tmp_path / "rows.jsonl").read_bytes()


def test_a_replay_begins_a_job(account, tmp_path, monkeypatch):
    from podtune.app.driver_keeper import DriverKeeper

    monkeypatch.setattr(DriverKeeper, "ensure", lambda *_: None)
    job, base = account
    run("--base-model", base, "--replay", job, "--yes", "--detach")
    assert list((tmp_path / "home/jobs").iterdir())


def test_what_cannot_be_replayed_says_why(account):
    job, _ = account
    with pytest.raises(SpecError, match="nobody has said") as caught:
        run("--replay", job)
    assert caught.value.code == "not_replayable"


def test_a_key_is_needed(account, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(CredentialsError):
        run("--dry-run")
