"""`podtune reap` as a command, over sockets."""

import json
from datetime import UTC, datetime

import httpx2
import pytest
from typer.testing import CliRunner

from podtune.app.reap import ReapedMachine
from podtune.cli import reap
from podtune.cli.app import app
from podtune.core.errors import SpecError
from podtune.testing.cloud import Cloud
from podtune.testing.options import CloudOptions
from podtune.testing.server import CloudServer
from podtune.workflow.fates import Fate
from support import stand_in

LATE = "pt-owner123-job1-1-x1700000000"
SOON = f"pt-owner123-job2-1-x{int(datetime.now(UTC).timestamp()) + 3600}"


@pytest.fixture
def cloud(tmp_path, monkeypatch):
    """A stand-in cloud that the environment names; windows are short."""
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "owner").write_text("owner123")
    monkeypatch.setenv("PODTUNE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PODTUNE_PROOF_WINDOW_S", "0.6")
    monkeypatch.setenv("COLUMNS", "200")
    with CloudServer(Cloud(options=CloudOptions())) as server:
        for variable, value in server.environment().items():
            monkeypatch.setenv(variable, value)
        yield server


def order(server, called):
    told = {
        "authorization": f"Bearer {server.environment()['RUNPOD_API_KEY']}",
        "user-agent": "test",
    }
    made = httpx2.post(f"{server.url}/v2/pods", json=stand_in.order(called), headers=told)
    assert made.status_code == 201, made.text


def live(server):
    return {pod.name for pod in server.cloud.account.live_pods()}


def invoke(*arguments):
    return CliRunner().invoke(app, ["reap", *arguments], catch_exceptions=False)


def test_an_overdue_machine_is_ended_and_the_proof_is_waited_for(cloud):
    order(cloud, LATE)
    order(cloud, "my-own-pod")
    done = invoke()
    assert done.exit_code == 0
    assert live(cloud) == {"my-own-pod"}
    assert done.stdout.startswith("gone  ")
    assert "absent from" in done.stdout
    assert f"ends {LATE} $" in done.stderr
    assert f"gone {LATE}: absent" in done.stderr


def test_nothing_to_do_is_said(cloud):
    done = invoke()
    assert (done.exit_code, done.stdout) == (0, "")
    assert "no machine of this installation (owner123)" in done.stderr


def test_a_dry_run_shows_what_would_end_and_is_no_success(cloud):
    order(cloud, LATE)
    done = invoke("--dry-run")
    assert done.exit_code == 1
    assert live(cloud) == {LATE}
    assert done.stdout.startswith("end  ")
    assert "LEAK RISK $" in done.stderr
    assert "1 machine is not proved gone" in done.stderr


def test_once_leaves_the_proof_to_the_next_run(cloud):
    order(cloud, LATE)
    assert invoke("--once").exit_code == 1
    assert live(cloud) == set()
    assert invoke("--once").exit_code == 0


def test_json_has_the_machines_and_their_proofs(cloud):
    order(cloud, LATE)
    order(cloud, SOON)
    done = invoke("--output", "json")
    report = json.loads(done.stdout)
    assert done.exit_code == 1, "nobody knows whether the other is wanted"
    assert [(one["name"], one["fate"], bool(one["proof"])) for one in report["machines"]] == [
        (SOON, "show", False),
        (LATE, "end", True),
    ]


def test_on_another_host_it_says_which_owners_there_are(cloud, tmp_path, monkeypatch):
    monkeypatch.setenv("PODTUNE_HOME", str(tmp_path / "elsewhere"))
    order(cloud, LATE)
    done = invoke()
    assert done.exit_code == 0
    assert "left to other installations: owner123 (1)" in done.stderr
    assert "podtune reap --owner owner123" in done.stderr
    assert live(cloud) == {LATE}
    assert not (tmp_path / "elsewhere").exists()
    assert invoke("--owner", "owner123", "--owner", "another").exit_code == 0
    assert live(cloud) == set()


def test_any_owner_ends_what_is_overdue_of_all(cloud):
    order(cloud, "pt-somebody-job1-1-x1700000000")
    assert invoke("--any-owner").exit_code == 0
    assert live(cloud) == set()


def test_all_and_some_do_not_go_together(cloud):
    done = invoke("--any-owner", "--owner", "a")
    assert done.exit_code == 2
    assert "--owner away" in done.stderr


def test_a_name_that_can_be_no_owner_is_refused(cloud):
    with pytest.raises(SpecError, match="no name of an installation"):
        invoke("--owner", "pt-owner123-job1")


def test_markup_in_a_foreign_answer_is_text(capsys):
    told = {"deadline": None, "usd_per_hour": None, "why": "w", "problem": "[b]said"}
    one = ReapedMachine(id="p", name="[red]x", owner="o", job="j", fate=Fate.END, **told)
    reap._tell(one)
    assert "[red]x: [b]said" in capsys.readouterr().err
