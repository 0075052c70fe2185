"""Where a serverless worker finds things."""

from pathlib import Path

import serverless_places
from serverless_places import Places


def test_a_volume_is_home_where_one_is_attached(tmp_path):
    places = serverless_places.of({"PODTUNE_RUNPOD_VOLUME": str(tmp_path)})
    assert places.home == tmp_path / "podtune"
    assert places.job("j1") == tmp_path / "podtune" / "jobs" / "j1"
    assert places.is_kept


def test_without_a_volume_the_containers_own_disk():
    places = serverless_places.of({})
    assert places.volume is None
    assert places.home == serverless_places.CONTAINER_HOME
    assert not places.is_kept


def test_a_home_of_ones_own(tmp_path):
    told = {"PODTUNE_RUNPOD_VOLUME": str(tmp_path), "PODTUNE_WORKER_HOME": "/somewhere/else"}
    places = serverless_places.of(told)
    assert places.home == Path("/somewhere/else")
    assert not places.is_kept


def test_a_jobs_program_gets_no_key_of_the_platform(tmp_path):
    places = Places(home=tmp_path / "podtune", volume=tmp_path)
    given = {
        "PATH": "/bin", "RUNPOD_AI_API_KEY": "rpa_1", "RUNPOD_WEBHOOK_POST_OUTPUT": "https://x",
        "PODTUNE_WEBHOOK_SECRET": "whsec_1", "SUPABASE_URL": "https://p.supabase.co",
        "TRANSFORMERS_CACHE": "/models", "HF_TOKEN": "hf_1", "JUPYTER_PASSWORD": "x",
    }  # fmt: skip
    kept = serverless_places.child_environment(given, places)
    assert set(kept) == {"PATH", "SUPABASE_URL", "HF_TOKEN", "PODTUNE_HOME", "PYTHONUNBUFFERED"}
    assert kept["PODTUNE_HOME"] == str(places.home)


def test_a_cache_below_workspace_is_looked_for_on_the_volume(tmp_path):
    places = Places(home=tmp_path, volume=tmp_path)
    told = {"HF_HOME": "/workspace/.cache/huggingface"}
    kept = serverless_places.child_environment(told, places)
    assert kept["HF_HOME"] == str(tmp_path / ".cache" / "huggingface")
    own = serverless_places.child_environment({"HF_HOME": "/models/cache"}, places)
    assert own["HF_HOME"] == "/models/cache"
    assert serverless_places.on_volume(Path("/workspace/models/x"), None) is None
