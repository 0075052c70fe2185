import inspect
import itertools
import json
import sys
from threading import Event, Thread

import pytest

from podtune.app import deploy_wish, verify_endpoint, verify_following, verify_plan
from podtune.cli import runpod_deploy
from podtune.testing.cloud import Cloud
from podtune.testing.server import CloudServer
from podtune.testing.serverless.service import attach
from support.serverless_site import HandWorker, result, update

IMAGE = ("--image", "podtune/worker:1.0")
NAME = deploy_wish.DEFAULT_NAME


@pytest.fixture
def cloud(monkeypatch):
    made = Cloud()
    attach(made)
    with CloudServer(made) as server:
        for name, value in server.environment().items():
            monkeypatch.setenv(name, value)
        for name in ("SUPABASE_URL", "PODTUNE_REGISTRY_USER", "PODTUNE_REGISTRY_PASSWORD"):
            monkeypatch.delenv(name, raising=False)
        yield server


def test_defaults_of_options_are_those_of_the_wish():
    options = inspect.signature(runpod_deploy.deploy).parameters
    names = {
        "idle_timeout": "idle_timeout_s",
        "timeout": "timeout_s",
        "ttl": "ttl_s",
        "disk": "disk_gb",
    }
    for field in ("name", "model", "workers_min", "workers_max", *names):
        wished = deploy_wish.Wish.model_fields[names.get(field, field)].default
        assert options[field].default == wished
    asked = inspect.signature(runpod_deploy.verify).parameters
    assert asked["endpoint"].default == inspect.signature(runpod_deploy.undeploy).parameters["name"].default == NAME  # fmt: skip
    assert asked["base_model"].default == verify_plan.BASE_MODEL
    assert asked["dataset_url"].default == verify_plan.DATASET_URL
    assert asked["minutes"].default * 60 == verify_plan.RUN_S
    assert asked["queue_minutes"].default * 60 == verify_plan.QUEUE_S
    assert asked["first_status"].default == verify_plan.FIRST_STATUS_S


def test_nothing_is_written_without_consent(run, cloud, monkeypatch):
    monkeypatch.setattr(sys.stdin, "isatty", lambda: False)
    said = run("runpod", "deploy", *IMAGE)
    assert said.code == 2
    assert "confirm_needed" in said.err
    assert "AMPERE_80" in said.err
    assert cloud.cloud.account.endpoints == {}


def test_a_dry_run_shows_and_writes_nothing(run, cloud):
    said = run("runpod", "deploy", *IMAGE, "--dry-run")
    assert said.code == 0
    assert "+ new endpoint podtune-lora-trainer: AMPERE_80" in said.err
    assert cloud.cloud.account.templates == {}


def test_deployed_twice_the_second_time_has_nothing_to_do(run, cloud, monkeypatch):
    monkeypatch.setenv("PODTUNE_GATEWAY_URL", "https://train.example.org")
    first = run("runpod", "deploy", *IMAGE, "--yes")
    assert first.code == 0
    assert first.out.splitlines() == [
        "# GPU Cluster Configuration",
        "GPU_CLUSTER_API_URL=https://train.example.org",
        "GPU_CLUSTER_API_KEY=ptk_your-gateway-key",
        "supabase secrets set GPU_CLUSTER_API_URL=https://train.example.org GPU_CLUSTER_API_KEY=ptk_your-gateway-key",
        "supabase functions deploy process-training-jobs",
    ]
    again = run("runpod", "deploy", *IMAGE)
    assert (again.code, again.out) == (0, first.out)
    assert "nothing to do" in again.err
    told = run("runpod", "deploy", *IMAGE, "--output", "json").json
    assert (told["nothing_to_do"], told["written"], told["changes"]) == (True, 0, [])
    assert told["policy"] == {"executionTimeout": 43_200_000, "ttl": 86_400_000}


def test_the_applications_file_is_written_and_a_bad_one_stops_everything(run, cloud, tmp_path):
    path = tmp_path / ".env.local"
    path.write_text("OTHER=1\n")
    said = run("runpod", "deploy", *IMAGE, "--yes", "--write-env", path)
    assert said.code == 0
    assert path.read_text().startswith("OTHER=1\n# GPU Cluster Configuration\n")
    bad = run("runpod", "deploy", *IMAGE, "--name", "other", "--yes", "--write-env", tmp_path / "no" / "x")  # fmt: skip
    assert bad.code == 2
    assert len(cloud.cloud.account.endpoints) == 1


def test_secrets_are_in_no_output(run, cloud, monkeypatch):
    planted = {
        "SUPABASE_URL": "https://x.supabase.co",
        "SUPABASE_SERVICE_ROLE_KEY": "planted-service-key-0123456789",
        "PODTUNE_REGISTRY_USER": "planted-user-name",
        "PODTUNE_REGISTRY_PASSWORD": "planted-password-0123456789",
    }
    for name, value in planted.items():
        monkeypatch.setenv(name, value)
    key = cloud.environment()["RUNPOD_API_KEY"]
    more = ("--with-service-key", "--env", "MINE=planted-variable")
    for words in (("--dry-run",), ("--yes",), ("--yes", "--workers-max", "3"), ("--output", "json"),
                  ("--image", "podtune/worker:2", "--yes", "--output", "json")):  # fmt: skip
        said = run("runpod", "deploy", *IMAGE, *more, *words)
        assert "planted" not in said.out + said.err, said
        assert key not in said.out + said.err
    (template,) = cloud.cloud.account.templates.values()
    assert (
        template.settings["env"]["SUPABASE_SERVICE_ROLE_KEY"]
        == planted["SUPABASE_SERVICE_ROLE_KEY"]
    )


@pytest.fixture
def worker(cloud, monkeypatch):
    """A worker of the endpoint that trains in a moment; every second job lasts until it is cancelled."""
    for module in (verify_endpoint, verify_following):
        monkeypatch.setattr(module, "LOOK_S", 0.05)
    count = itertools.count(1)

    def script(job):
        return [update(50), {"output": result(job)} if next(count) % 2 else None]

    made, over = HandWorker(script), Event()

    def work():
        while not over.wait(0.02):
            made.step(cloud.cloud)

    thread = Thread(target=work)
    thread.start()
    yield made
    over.set()
    thread.join()


DATA = ("--dataset-url", "https://data.example.org/rows.jsonl")


def test_an_endpoint_is_verified_over_sockets(run, cloud, worker):
    run("runpod", "deploy", *IMAGE, "--yes")
    said = run("runpod", "verify", *DATA, "--yes")
    assert said.code == 0, said
    assert said.out.count("ok     ") == 7
    assert 'curl -X POST "http://127.0.0.1' in said.err
    assert "at most $0.62" in said.err
    assert cloud.environment()["RUNPOD_API_KEY"] not in said.err
    told = run("runpod", "verify", *DATA, "--yes", "--output", "json")
    assert told.json["ok"] is True
    assert told.json["most_usd"] == "0.62"
    assert len(worker.stopped) == 2


def test_a_check_that_fails_is_exit_code_1(run, cloud, worker):
    worker.script = lambda job: [{}]
    run("runpod", "deploy", *IMAGE, "--yes")
    said = run("runpod", "verify", *DATA, "--yes")
    assert said.code == 1
    assert "FAILED completed: COMPLETED without an output" in said.out
    assert "next  completed: a result above 10 MB" in said.err


def test_verify_keeps_to_its_budget_and_asks(run, cloud, monkeypatch):
    run("runpod", "deploy", *IMAGE, "--yes")
    refused = run("runpod", "verify", "--budget", "0.01", "--yes")
    assert (refused.code, "over_budget" in refused.err) == (2, True)
    assert run("runpod", "verify", "--budget", "much").code == 2
    monkeypatch.setattr(sys.stdin, "isatty", lambda: False)
    unasked = run("runpod", "verify")
    assert (unasked.code, "confirm_needed" in unasked.err) == (2, True)
    assert "specification B's placeholder" in unasked.err
    assert run("runpod", "verify", "nothing").code == 2


def test_undeploy_shows_what_it_ends_and_needs_consent(run, cloud, monkeypatch):
    run("runpod", "deploy", *IMAGE, "--yes")
    monkeypatch.setattr(sys.stdin, "isatty", lambda: False)
    assert run("runpod", "undeploy").code == 2
    said = run("runpod", "undeploy", "--yes")
    assert said.code == 0
    assert said.out.count("gone") == 2
    assert "nothing called podtune-lora-trainer" in run("runpod", "undeploy").err
    told = json.loads(run("runpod", "undeploy", "--output", "json").out)
    assert told["endpoints"] == []
