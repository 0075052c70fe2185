"""What has to be there before a kind of work can begin."""

import json

import pytest

from podtune.app import prerequisites
from podtune.app.doctor import State
from podtune.app.prerequisites import Purpose
from podtune.app.settings import LoadedSettings, Settings
from podtune.core.redact import mask
from support.caches import make_model
from support.hub_writes import POD, WRITER
from support.supabase_server import SERVICE_KEY

MODEL = "anna/Tiny-Model"


@pytest.fixture
def look(settings):
    loaded = LoadedSettings(
        settings=settings, origins=dict.fromkeys(Settings.model_fields, "default")
    )

    def looked(purpose, model=MODEL):
        return {check.name: check for check in prerequisites.examine(loaded, purpose, model)}

    return looked


@pytest.fixture
def bare(monkeypatch, tmp_path):
    """No key, no login, no program."""
    for name in ("RUNPOD_API_KEY", "PODTUNE_POD_HF_TOKEN", "SUPABASE_URL", "HF_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("SUPABASE_SERVICE_ROLE_KEY", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    monkeypatch.setenv("PATH", str(tmp_path / "no-programs"))


def program(folder, name, words):
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\necho '{words}'\n")
    path.chmod(0o755)


@pytest.fixture
def model(hub, tmp_path):
    folder = make_model(tmp_path / "model")
    hub.make(MODEL, {p.name: p.read_bytes() for p in folder.iterdir()}, private=False)


def test_all_of_specification_bs_list_is_there(
    bare, model, account, supabase, look, tmp_path, monkeypatch
):
    program(tmp_path / "no-programs", "docker", "27.1")
    program(tmp_path / "no-programs", "supabase", "2.0")
    kept = tmp_path / "user" / ".docker" / "config.json"
    kept.parent.mkdir(parents=True)
    login = {"auths": {"https://index.docker.io/v1/": {"auth": "cGxhbnRlZDpzZWNyZXQ="}}}
    kept.write_text(json.dumps(login))
    stores_make(supabase)
    monkeypatch.setenv("HF_TOKEN", WRITER)
    found = look(Purpose.SERVERLESS)
    assert [
        c.name for c in found.values() if c.state is not State.OK and c.name != "RunPod key"
    ] == []
    assert set(found) == {
        "RunPod key", "RunPod balance", "Image builder", "Image registry", "Base model",
        "Supabase", "Supabase bucket", "Supabase CLI",
    }  # fmt: skip
    assert "accepted" in found["RunPod key"].found
    assert "$25.00" in found["RunPod balance"].found
    assert "index.docker.io" in found["Image registry"].found
    assert "2 of weights" in found["Base model"].found or "6 files" in found["Base model"].found
    told = str(found)
    assert "cGxhbnRlZDpzZWNyZXQ=" not in told
    assert SERVICE_KEY not in told
    assert WRITER not in told


def stores_make(supabase):
    """The bucket, private."""
    from podtune.app import stores
    from podtune.storage.access import SUPABASE_BUCKET

    stores.supabase().make_bucket(SUPABASE_BUCKET)


def test_what_is_missing_has_a_next_step(bare, hub, look):
    found = look(Purpose.SERVERLESS, "anna/nothing")
    bad = {name for name, check in found.items() if check.state is State.BAD}
    assert bad == {"RunPod key", "Image builder", "Base model", "Supabase"}
    assert [name for name in bad if not found[name].next_step] == []
    assert found["Supabase CLI"].state is State.NOTE
    assert found["Image registry"].state is State.NOTE


def test_a_rejected_key_is_told_masked(bare, account, look, monkeypatch):
    account.account.options = account.account.options.model_copy(
        update={"api_keys": frozenset({"rpa_ANOTHER"})}
    )
    key = "rpa_PLANTED0123456789"
    monkeypatch.setenv("RUNPOD_API_KEY", key)
    found = look(Purpose.RUNPOD)["RunPod key"]
    assert found.state is State.BAD
    assert key not in str(found)
    assert mask(key) not in found.found  # it says that it is rejected, not which it is


def test_a_balance_at_its_end(bare, account, look):
    account.account.spent_usd = account.account.options.balance_usd
    found = look(Purpose.RUNPOD)
    assert found["RunPod balance"].state is State.BAD
    assert "add credit" in found["RunPod balance"].next_step
    account.account.spent_usd -= 3
    assert look(Purpose.RUNPOD)["RunPod balance"].state is State.NOTE


def test_a_gated_model_wants_a_token_of_the_pods_own(bare, model, hub, look, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", WRITER)
    hub.private.add(MODEL)
    assert look(Purpose.SERVERLESS)["Hub token of pods"].state is State.BAD
    monkeypatch.setenv("PODTUNE_POD_HF_TOKEN", WRITER)
    found = look(Purpose.SERVERLESS)["Hub token of pods"]
    assert (found.state, "whole account" in found.found) == (State.BAD, True)
    monkeypatch.setenv("PODTUNE_POD_HF_TOKEN", POD)
    assert look(Purpose.SERVERLESS)["Hub token of pods"].state is State.OK


def test_a_bucket_that_is_not_there_or_public(bare, supabase, look):
    supabase.buckets.clear()
    found = look(Purpose.SUPABASE)
    assert found["Supabase"].state is State.OK
    assert found["Supabase bucket"].state is State.BAD
    assert "make a private bucket lora-models" in found["Supabase bucket"].next_step
    stores_make(supabase)
    assert look(Purpose.SUPABASE)["Supabase bucket"].state is State.OK
    supabase.buckets["lora-models"] = True
    assert "anybody could read" in look(Purpose.SUPABASE)["Supabase bucket"].found


def test_this_machine_needs_no_key(bare, look):
    found = look(Purpose.LOCAL)
    assert {"Python", "Training", "Device", "Disk", "Base model", "Job store"} <= set(found)
    assert "RunPod key" not in found


def test_a_file_of_logins_that_is_odd_is_none(tmp_path):
    for text in ("[]", "{", '{"auths": 3}'):
        (tmp_path / "config.json").write_text(text)
        assert prerequisites._logins(tmp_path / "config.json") == []
