"""`podtune runpod audit` as a command."""

import json

import pytest
from typer.testing import CliRunner

from podtune.cli.app import app
from podtune.core.errors import CredentialsError, SpecError
from podtune.testing.cloud import Cloud
from podtune.testing.server import CloudServer
from support import homes


def test_help_names_the_commands():
    shown = CliRunner().invoke(app, ["runpod", "--help"]).output
    assert "audit" in shown
    assert "gpus" in shown


def test_without_a_key_nothing_is_asked(tmp_path, monkeypatch):
    monkeypatch.setenv("PODTUNE_HOME", str(tmp_path))
    monkeypatch.delenv("RUNPOD_API_KEY", raising=False)
    with pytest.raises(CredentialsError):
        CliRunner().invoke(app, ["runpod", "audit"], catch_exceptions=False)


def test_an_empty_account_over_sockets(tmp_path, monkeypatch):
    monkeypatch.setenv("PODTUNE_HOME", str(tmp_path))
    with CloudServer(Cloud()) as server:
        for name, value in server.environment().items():
            monkeypatch.setenv(name, value)
        done = CliRunner().invoke(app, ["runpod", "audit", "--output", "json"], catch_exceptions=False)  # fmt: skip
        human = CliRunner().invoke(app, ["runpod", "audit"], catch_exceptions=False)
    report = json.loads(done.stdout)
    assert (report["rows"], report["problems"]) == ([], [])
    assert human.stdout == ""
    assert "nothing of this installation" in human.stderr


@pytest.fixture
def user(tmp_path, monkeypatch):
    """A user's folder, and a stand-in cloud that the environment names."""
    monkeypatch.setenv("PODTUNE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "100")
    homes.model(tmp_path / "model")
    homes.data(tmp_path)
    with CloudServer(Cloud()) as server:
        for name, value in server.environment().items():
            monkeypatch.setenv(name, value)
        yield tmp_path


def invoke(*arguments):
    return CliRunner().invoke(app, ["runpod", *map(str, arguments)], catch_exceptions=False)


def test_cards_are_listed_with_price_and_stock(user):
    plain, everything = invoke("gpus"), invoke("gpus", "--all")
    assert "A40" in plain.stdout
    assert "B200" not in plain.stdout
    assert "--all says why" in plain.stderr
    assert "none free now" in everything.stdout


def test_cards_for_a_job_have_time_and_cost(user):
    done = invoke("gpus", "--fits", user / "tickets.jsonl", "-m", user / "model")
    assert "cost p50, p90" in done.stdout
    told = invoke(
        "gpus", "--fits", user / "tickets.jsonl", "-m", user / "model", "--set",
        "where.gpu=A40", "--output", "json",
    )  # fmt: skip
    (card,) = json.loads(told.stdout)["cards"]
    assert card["gpu"] == "NVIDIA A40"
    assert float(card["usd_p50"]) > 0


def test_fields_without_data_are_refused(user):
    with pytest.raises(SpecError, match="about a job"):
        invoke("gpus", "--model", "org/model")
