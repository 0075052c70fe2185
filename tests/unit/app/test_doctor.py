"""What the doctor looks at, with a next step where something is not right."""

import pytest

from podtune.app import doctor
from podtune.app.doctor import State
from podtune.app.installation import owner
from podtune.app.settings import VENDOR_KEYS, LoadedSettings, Settings
from podtune.storage import base_models
from podtune.workflow.lease import Driver
from podtune.workflow.store import JobStore
from support import build, homes
from support.postgres_server import PASSWORD
from support.reaping import remember_stray


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
    store.hold(Driver("host:1:2", "owner", "host"), 100)
    store.close()
    check = examine(settings)["Job store"]
    assert check.state is State.OK
    assert check.found.startswith("1 jobs in")
    assert "driven by host:1:2" in check.found


def test_a_damaged_job_store_is_bad_with_a_next_step(settings):
    settings.home.mkdir()
    settings.database.write_bytes(b"no database " * 500)
    check = examine(settings)["Job store"]
    assert check.state is State.BAD
    assert check.next_step


def test_a_job_store_on_postgresql_is_counted_and_its_password_not_shown(
    settings, monkeypatch, postgres
):
    url = postgres.fresh()
    monkeypatch.setenv("PODTUNE_DATABASE_URL", url)
    found = examine(settings)
    assert found["Job store"].found.startswith("none yet")
    store = JobStore(settings.database, url=url)
    store.add(build.job())
    store.close()
    found = examine(settings)
    assert found["Job store"].found.startswith("1 jobs on PostgreSQL at 127.0.0.1:")
    assert PASSWORD not in str(found)
    postgres.drop(url)
    gone = examine(settings)["Job store"]
    assert gone.state is State.BAD
    assert "PODTUNE_DATABASE_URL" in gone.next_step
    assert PASSWORD not in str(gone)


def test_settings_tell_their_origin(settings):
    assert examine(settings, home="PODTUNE_HOME")["Setting home"].found == (
        f"{settings.home} (from PODTUNE_HOME)"
    )


def test_a_check_is_a_value_for_programs(settings):
    dumped = examine(settings)["Python"].model_dump(mode="json")
    assert set(dumped) == {"name", "state", "found", "next_step"}


def test_the_owner_is_shown_to_be_copied_and_made_by_nobody(settings):
    assert "Installation" not in examine(settings)
    mine = owner(settings.home)
    found = examine(settings)["Installation"]
    assert (found.state, found.found) == (State.OK, mine)
    assert found.next_step.endswith(f"podtune reap --owner {mine}")


def test_a_machine_that_may_leak_is_bad(settings):
    owner(settings.home)
    assert "Machines" not in examine(settings)
    remember_stray(settings.database)
    found = examine(settings)["Machines"]
    assert (found.state, found.next_step) == (State.BAD, "podtune reap")
    assert found.found.startswith("LEAK RISK $0.40/h: pod p9")
