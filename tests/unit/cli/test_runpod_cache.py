"""`podtune runpod cache` as a command, over sockets."""

import json

import pytest
import typer
from typer.testing import CliRunner

from podtune.cli import runpod_cache
from podtune.core.errors import PodtuneError, SpecError
from podtune.testing.dev import laptop_cloud
from podtune.testing.options import CloudOptions
from podtune.testing.server import CloudServer
from support.caches import make_model
from support.hub_server import HubServer

MODEL = "org/Tiny-Model"


@pytest.fixture
def there(tmp_path, monkeypatch):
    """A cloud and a Hub that the environment names; windows are short."""
    for name in ("HF_TOKEN", "PODTUNE_POD_HF_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PODTUNE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PODTUNE_PROOF_WINDOW_S", "0.6")
    monkeypatch.setenv("PODTUNE_PULL_S", "0.1")
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)
    options = CloudOptions(provisioning_s=0.1, pull_s=0.1)
    with (
        HubServer({MODEL: make_model(tmp_path / "model")}) as hub,
        CloudServer(laptop_cloud(tmp_path / "cloud", options)) as server,
    ):
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        for variable, value in server.environment().items():
            monkeypatch.setenv(variable, value)
        yield server.cloud.account


def run(*words, text=None):
    """What a command answered; an error of ours is left to the caller."""
    app = typer.Typer()
    app.command()(runpod_cache.cache)
    done = CliRunner().invoke(app, [MODEL, *words], input=text)
    if isinstance(done.exception, PodtuneError):
        raise done.exception
    return done


def test_a_plan_first_then_the_model_and_then_nothing(there):
    shown = run("--dry-run")
    assert shown.exit_code == 0
    assert "org-model-cache in US-TX-3" in shown.stdout
    assert "$0.70 a month" in shown.stdout
    assert there.volumes == {}
    plan = json.loads(run("--dry-run", "--output", "json").stdout)
    assert plan["volume"]["action"] == "make"
    with pytest.raises(SpecError) as caught:  # nobody is at the terminal
        run()
    assert caught.value.code == "confirm_needed"
    assert there.volumes == {}
    done = run("--yes")
    assert done.exit_code == 0, done.output
    assert "/runpod-volume/models/Tiny-Model" in done.stdout
    assert "the machine is gone" in done.stderr
    assert "100%" in done.stderr
    assert "next  podtune runpod deploy --volume" in done.stderr
    again = run("--output", "json")  # nothing costs money: nobody is asked
    assert json.loads(again.stdout)["machine"] is None
    assert there.live_pods() == []


def test_an_amount_that_is_none(there):
    with pytest.raises(SpecError) as caught:
        run("--budget", "much", "--yes")
    assert caught.value.code == "bad_option"


def test_help_names_what_it_does():
    app = typer.Typer()
    app.command()(runpod_cache.cache)
    said = CliRunner().invoke(app, ["--help"], env={"COLUMNS": "120"}).output
    for option in ("--revision", "--volume", "--size", "--data-center", "--hours", "--dry-run"):
        assert option in said
