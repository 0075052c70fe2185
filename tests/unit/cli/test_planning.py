"""`plan` and `train` of rented machines as commands, against a stand-in cloud over sockets.

What they do on this machine is tested in `test_app`.
"""

import io
import json
import sys

import pytest

from podtune.app import driver
from podtune.app.service import Service
from podtune.cli import planning
from podtune.testing.cloud import Cloud
from podtune.testing.server import CloudServer
from support import build, homes
from support.reaping import remember_stray


class Terminal(io.StringIO):
    """Somebody who types."""

    def isatty(self):
        return True


@pytest.fixture(scope="module")
def server():
    with CloudServer(Cloud()) as running:
        yield running


@pytest.fixture
def user(tmp_path, monkeypatch, server):
    """A user's folder with model and data, where the environment names the stand-in cloud."""
    for name, value in server.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PODTUNE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    homes.model(tmp_path / "model")
    homes.data(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def submitted(monkeypatch):
    """The plans that were submitted; no job is begun."""
    plans = []

    def submit(self, plan, *, digest=None):
        assert digest == plan.digest
        plans.append(plan)
        return build.job(plan=plan)

    monkeypatch.setattr(Service, "submit", submit)
    return plans


@pytest.fixture
def home(user):
    return user


@pytest.fixture
def run(run, monkeypatch):
    def ran(*arguments, typed=None):
        if typed is not None:
            monkeypatch.setattr(sys, "stdin", Terminal(typed))
        return run(*arguments)

    return ran


RENTED = ("tickets.jsonl", "-m", "model", "--on", "runpod")


def test_a_plan_shows_the_price_and_the_command_that_starts_it(run):
    code, out, err = run("plan", *RENTED, "--budget", "1.5")
    assert code == 0, err
    for words in ("$1.50", "cost p50, p90", "CPU of this machine", "pick-up"):
        assert words in out
    assert "podtune train tickets.jsonl -m model --on runpod --budget 1.5" in err


def test_a_plan_for_programs_holds_ladder_and_ceiling(run):
    code, out, err = run("plan", *RENTED, "--budget", "1", "--gpu", "A40,L4", "--output", "json")
    value = json.loads(out)
    assert (code, err) == (0, "")
    assert value["price"]["max_usd"] == "1.0"
    assert {r["offer"]["gpu"] for r in value["price"]["ladder"]} == {"NVIDIA A40", "NVIDIA L4"}
    assert value["spec"]["where"]["gpu_any_of"] == ["A40", "L4"]


@pytest.mark.parametrize(
    ("options", "code", "error"),
    [
        (["--model", "model"], 2, "budget_needed"),
        (["--budget", "1"], 2, "model_needed"),
        (["--model", "model", "--budget", "1", "--gpu", "RTX 4900"], 2, "unknown_gpu"),
        (["--model", "model", "--budget", "0.0001"], 2, "ceiling_too_low"),
        (["--model", "model", "--budget", "-1"], 2, "bad_spec"),
        (["--model", "model", "--budget", "1", "--set", "where.volume=v1"], 2, "volume_unknown"),
        (["--model", "model", "--budget", "1", "--set", "where.min_vram_gib=500"], 2, "nothing_fits"),
        (["--model", "nowhere/", "--budget", "1"], 2, "model_not_found"),
    ],
)  # fmt: skip
def test_what_cannot_be_rented_is_an_error_with_the_next_step(run, options, code, error):
    got, out, _ = run("plan", "tickets.jsonl", "--on", "runpod", *options, "--output", "json")
    told = json.loads(out)["error"]
    assert (got, told["code"]) == (code, error), told
    assert told["hint"]


@pytest.mark.parametrize("key", ["", "wrong"])
def test_a_missing_or_rejected_key_exits_3(run, monkeypatch, key):
    monkeypatch.setenv("RUNPOD_API_KEY", key)
    code, _, err = run("plan", *RENTED, "--budget", "1")
    assert code == 3
    assert "RUNPOD_API_KEY" in err


def test_a_person_is_asked_for_model_and_ceiling(run):
    typed = "model\n2\n"
    code, out, err = run("plan", "tickets.jsonl", "--on", "runpod", typed=typed)
    assert code == 0, err
    assert "$2.00" in out
    assert "podtune train tickets.jsonl --on runpod -m model --budget 2" in err


def test_training_starts_when_somebody_agrees(run, submitted):
    code, _, err = run("train", *RENTED, "--budget", "1", "--detach", typed="y\n")
    assert code == 0, err
    assert "Rent CPU of this machine" in err
    (plan,) = submitted
    assert float(plan.price.max_usd) == 1


@pytest.mark.parametrize("typed", ["n\n", "\n"])
def test_nothing_starts_when_somebody_does_not_agree(run, submitted, typed):
    code, _, _ = run("train", *RENTED, "--budget", "1", "--detach", typed=typed)
    assert code == 1
    assert submitted == []


def test_nothing_starts_where_nobody_can_agree(run, submitted):
    code, _, err = run("train", *RENTED, "--budget", "1", "--detach")
    assert code == 2
    assert "confirm_needed" in err
    assert submitted == []


def test_yes_starts_with_a_ceiling(run, submitted):
    assert run("train", *RENTED, "--budget", "1", "--yes", "--detach")[0] == 0
    assert len(submitted) == 1


def test_yes_without_a_ceiling_starts_nothing_even_on_a_terminal(run, submitted):
    code, _, err = run("train", *RENTED, "--yes", "--detach", typed="5\ny\n")
    assert code == 2
    assert "budget_needed" in err
    assert submitted == []


def test_the_flags_of_rented_machines_reach_the_spec(run, submitted):
    options = ("--budget", "1", "--store", "s3", "--image", "me/mine:1", "--keep-on-failure", "15")
    code, _, err = run("train", *RENTED, *options, "--gpu", "a40", "--yes", "--detach")
    assert code == 0, err
    where = submitted[0].spec.where
    assert (where.gpu, where.image, where.keep_on_failure_min) == ("a40", "me/mine:1", 15)
    assert submitted[0].spec.deliver.store == "s3"


def test_every_flag_is_of_a_field_that_exists():
    from podtune.core.spec import field_paths

    assert set(planning.FLAGS) <= set(field_paths())


@pytest.mark.parametrize("output", ["human", "json"])
def test_before_new_money_is_spent_it_is_said_what_may_leak(run, user, submitted, monkeypatch, output):  # fmt: skip
    monkeypatch.setattr(driver, "spawn", lambda settings: None)
    remember_stray(user / "home" / "podtune.db")
    _, _, told = run("plan", *RENTED, "--budget", "1", "--output", output)
    assert "LEAK RISK $0.40/h" in told
    _, _, told = run("train", *RENTED, "--budget", "1", "--output", output)
    assert "LEAK RISK $0.40/h" in told
    assert submitted == [], "nobody agreed yet"
