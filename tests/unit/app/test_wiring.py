"""Who is plugged into what."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import pytest

import podtune
from podtune.app import wiring
from podtune.app.driver import driver_of
from podtune.app.effects import LocalEffects
from podtune.app.settling import Settling
from podtune.core.spec import Place
from podtune.providers.base import InstanceState
from podtune.providers.local.processes import LocalProvider
from podtune.workflow import database
from podtune.workflow.courier import Courier
from podtune.workflow.reaper import Reaper
from support import homes
from support.runpod_account import KEY, Account, pod, problem


def test_the_worker_is_found_in_a_checkout(root):
    assert wiring.worker_folder() == root / "runpod-worker"


def test_the_parts_fit(tmp_path):
    settings = homes.settings(tmp_path)
    provider = wiring.local_provider()
    assert isinstance(provider, LocalProvider)
    assert isinstance(wiring.local_effects(settings, provider), LocalEffects)
    assert not settings.home.exists()


def test_the_store_lies_in_the_home(tmp_path):
    settings = homes.settings(tmp_path)
    store = wiring.job_store(settings)
    store.close()
    assert settings.database.is_file()


def test_the_store_lies_where_the_environment_says(tmp_path, monkeypatch, postgres):
    settings, url = homes.settings(tmp_path), postgres.fresh()
    monkeypatch.setenv("PODTUNE_DATABASE_URL", url)
    wiring.job_store(settings).close()
    assert not database.is_new(settings.database, url)
    assert not settings.home.exists()
    postgres.drop(url)


@pytest.mark.parametrize("key", ["", "rpa_PLANTEDSECRET0123456789"])
def test_bills_are_asked_for_where_there_is_an_account(tmp_path, monkeypatch, key):
    monkeypatch.setenv("RUNPOD_API_KEY", key)
    settings = homes.settings(tmp_path)
    store = wiring.job_store(settings)
    with ThreadPoolExecutor(1) as executor:
        found = wiring.rounds(settings, store, driver_of(settings), executor)
        for one in found:
            one.is_busy()
    store.close()
    assert any(isinstance(one, Courier) for one in found), "callbacks are sent in any case"
    assert any(isinstance(one, Settling) for one in found) == bool(key)


def test_a_worker_imports_the_same_podtune(tmp_path, monkeypatch):
    monkeypatch.delenv("PYTHONPATH", raising=False)
    program = "import podtune; print(podtune.__file__)"
    said = subprocess.run(
        [sys.executable, "-I", "-c", "import sys; sys.path[:0] = sys.argv[1:]; " + program,
         wiring.program_environment()["PYTHONPATH"]],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    ).stdout  # fmt: skip
    assert Path(said.strip()) == Path(podtune.__file__)


def test_a_known_path_is_kept_behind_ours(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "/mine")
    first, second = wiring.program_environment()["PYTHONPATH"].split(os.pathsep)
    assert (Path(first), second) == (Path(podtune.__file__).parent.parent, "/mine")


@pytest.mark.parametrize("key", ["", "rpa_PLANTEDSECRET0123456789"])
def test_the_account_is_looked_over_where_there_is_one(tmp_path, monkeypatch, key):
    monkeypatch.setenv("RUNPOD_API_KEY", key)
    settings = homes.settings(tmp_path)
    store = wiring.job_store(settings)
    with ThreadPoolExecutor(1) as executor:
        found = wiring.rounds(settings, store, driver_of(settings), executor)
    store.close()
    assert any(isinstance(one, Reaper) for one in found) == bool(key)


def test_a_machine_that_runpod_cannot_be_asked_about_hides_no_other(tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("RUNPOD_API_KEY", KEY)
    account = Account(pod("p1"))
    account.answer("GET /v2/pods/p2", *[problem(418)] * 9)
    settings = homes.settings(tmp_path)
    store = wiring.job_store(settings)
    site = wiring.sites(settings, store, transport=httpx2.MockTransport(account))[Place.RUNPOD]
    assert site.observe(["p2", "p1"]) == {"p1": InstanceState.RUNNING}
    assert "pod p2 cannot be looked at" in caplog.text
    store.close()


def test_a_job_of_a_queue_that_cannot_be_asked_about_hides_no_other(tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("RUNPOD_API_KEY", KEY)

    def answer(request):
        bad = request.url.path.endswith("/j2")
        body = {"id": "j1", "status": "IN_QUEUE"}
        return httpx2.Response(418 if bad else 200, json={} if bad else body)

    settings = homes.settings(tmp_path)
    store = wiring.job_store(settings)
    found = wiring.sites(settings, store, transport=httpx2.MockTransport(answer))
    site = found[Place.RUNPOD_SERVERLESS]
    assert site.observe(["ep1/j2", "ep1/j1"]) == {"ep1/j1": InstanceState.STARTING}
    assert "ep1/j2 cannot be looked at" in caplog.text
    assert site.account == found[Place.RUNPOD].account
    store.close()
