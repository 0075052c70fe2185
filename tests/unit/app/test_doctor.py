"""What the doctor looks at, with a next step where something is not right."""

import pytest

from podtune.app import doctor
from podtune.app.doctor import State
from podtune.app.settings import VENDOR_KEYS, LoadedSettings, Settings
from podtune.storage import base_models
from podtune.workflow.store import JobStore
from support import build, homes


@pytest.fixture
def settings(tmp_path):
    return homes.settings(tmp_path)


def examine(settings, **origins):
    loaded = LoadedSettings(
        settings=settings, origins=dict.fromkeys(Settings.model_fields, "default") | origins
    )
    return {check.name: check for check in doctor.examine(loaded)}


def test_every_part_is_looked_at(settings):
    names = set(examine(settings))
    assert {"Python", "Training", "Data", "Device", "Disk", "Base model", "Job store"} <= names
    assert set(VENDOR_KEYS) <= names
    assert {f"Setting {name}" for name in Settings.model_fields} <= names


def test_looking_makes_nothing(settings):
    examine(settings)
    assert not settings.home.exists()


def test_what_is_bad_has_a_next_step(settings):
    assert [
        c.name for c in examine(settings).values() if c.state is State.BAD and not c.next_step
    ] == []


def test_keys_are_masked(settings, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_abcdefghijklmnop")
    monkeypatch.delenv("RUNPOD_API_KEY", raising=False)
    found = examine(settings)
    assert found["HF_TOKEN"].state is State.OK
    assert "hf_abcdefghijklmnop" not in str(found)
    assert (found["RUNPOD_API_KEY"].state, found["RUNPOD_API_KEY"].found) == (State.NOTE, "not set")


def test_a_key_of_another_form_is_noted(settings, monkeypatch):
    monkeypatch.setenv("RUNPOD_API_KEY", "rp_abcdefghijklmnop")
    found = examine(settings)["RUNPOD_API_KEY"]
    assert found.state is State.NOTE
    assert "does not begin with rpa_" in found.next_step
    monkeypatch.setenv("RUNPOD_API_KEY", "rpa_abcdefghijklmnop")
    assert examine(settings)["RUNPOD_API_KEY"].state is State.OK


def test_a_converted_base_model_is_ready(settings):
    folder = settings.models / base_models.CONVERTED_FOLDER
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    assert examine(settings)["Base model"].found.endswith("ready")


def test_the_job_store_is_counted(settings):
    store = JobStore(settings.database)
    store.add(build.job())
    store.take_lease("host:1:2", 100)
    store.close()
    check = examine(settings)["Job store"]
    assert check.state is State.OK
    assert check.found.startswith("1 jobs in")
    assert "driver host:1:2" in check.found


def test_a_damaged_job_store_is_bad_with_a_next_step(settings):
    settings.home.mkdir()
    settings.database.write_bytes(b"no database " * 500)
    check = examine(settings)["Job store"]
    assert check.state is State.BAD
    assert check.next_step


def test_settings_tell_their_origin(settings):
    assert examine(settings, home="PODTUNE_HOME")["Setting home"].found == (
        f"{settings.home} (from PODTUNE_HOME)"
    )


def test_a_check_is_a_value_for_programs(settings):
    dumped = examine(settings)["Python"].model_dump(mode="json")
    assert set(dumped) == {"name", "state", "found", "next_step"}
