"""A machine that was left behind ends because somebody ran a command, whatever command; real processes."""

import json
from datetime import UTC, datetime, timedelta

import httpx2
import pytest

from podtune.core.job import TerminationProof
from podtune.core.states import JobPhase, Outcome
from podtune.testing.cloud import Cloud
from podtune.testing.options import CloudOptions
from podtune.testing.server import CloudServer
from podtune.workflow import strays
from podtune.workflow.store import JobStore
from support import rented_jobs, stand_in
from support.driving import held
from support.home import Home

OWNER = "owner123"


@pytest.fixture
def cloud():
    with CloudServer(Cloud(options=CloudOptions())) as server:
        yield server


@pytest.fixture
def home(tmp_path, cloud):
    made = Home(tmp_path / "home", tmp_path)
    made.path.mkdir()
    (made.path / "owner").write_text(OWNER)
    quick = {"PODTUNE_PROOF_WINDOW_S": "1", "PODTUNE_SETTLE_S": "1", "PODTUNE_REAP_EVERY_S": "5"}
    made.environment |= quick | cloud.environment()
    yield made
    made.end_everything()


def left_behind(home, cloud):
    """A job that is done by all that the store knows, and its machine, which is there all the same."""
    begun = datetime.now(UTC) - timedelta(minutes=10)
    deadline = begun + timedelta(hours=4)
    name = f"pt-{OWNER}-job1-1-x{int(deadline.timestamp())}"
    store = JobStore(home.path / "podtune.db")
    store.add(
        rented_jobs.job(
            JobPhase.STAGING, id="job1", owner=OWNER, account="acc", intent_at=None, instance_name=None,
            instance_id=None,
        )
    )  # fmt: skip
    job = held(store, store.get("job1"))
    intent = {"intent_at": begun, "instance_name": name, "deadline": deadline}
    job = store.apply(job, intent, "orders")
    proof = TerminationProof(instance_id=None, absent_at=begun, method="a mistake")
    done = {
        "phase": JobPhase.DONE,
        "outcome": Outcome.CANCELLED,
        "proof": proof,
        "finished_at": begun,
    }
    store.apply(job, done, "done")
    store.leave("me")
    store.close()
    key = cloud.environment()["RUNPOD_API_KEY"]
    told = {"authorization": f"Bearer {key}", "user-agent": "test"}
    made = httpx2.post(f"{cloud.url}/v2/pods", json=stand_in.order(name), headers=told)
    assert made.status_code == 201
    return made.json()["id"]


def stray(home, pod):
    store = JobStore(home.path / "podtune.db")
    try:
        with store.transaction() as connection:
            return strays.find(connection, pod)
    finally:
        store.close()


def test_any_command_that_opens_the_store_has_the_account_looked_over(home, cloud):
    pod = left_behind(home, cloud)
    assert home.run("jobs").returncode == 0
    home.wait_for(lambda: cloud.cloud.account.live_pods() == [], "the end of the machine", 30)
    shown = home.run("status", "job1")
    if stray(home, pod).absent_at is None:
        assert "LEAK RISK" in shown.stdout + shown.stderr
    proved = home.wait_for(lambda: (found := stray(home, pod)) and found.proof, "the proof", 30)
    assert "absent from" in proved
    home.wait_for(lambda: not home.drivers(), "the end of the driver", 30)
    warnings = json.loads(home.run("status", "job1", "--output", "json").stdout)["warnings"]
    assert not [text for text in warnings if "LEAK RISK" in text]


def test_a_home_that_never_rented_starts_nothing(home, cloud):
    JobStore(home.path / "podtune.db").close()
    assert home.run("jobs").returncode == 0
    assert home.drivers() == []
    assert not (home.path / "driver.log").exists()


def test_a_round_just_made_is_not_made_again(home, cloud):
    home.environment["PODTUNE_REAP_EVERY_S"] = "600"
    pod = left_behind(home, cloud)
    home.run("jobs")
    home.wait_for(lambda: (found := stray(home, pod)) and found.proof, "the proof", 30)
    home.wait_for(lambda: not home.drivers(), "the end of the driver", 30)
    home.run("jobs")
    assert home.driver_log().count(" starts") == 1
