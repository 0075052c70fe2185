"""The base model is found where design section 8 says, in that order."""

import json

import pytest

import serverless_models
from serverless_places import Places

NAME = "Qwen/Qwen3-8B"


def model(folder, *, said=None, shards=None):
    folder.mkdir(parents=True)
    config = {} if said is None else {"_name_or_path": said}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    (folder / "tokenizer.json").write_text("{}", encoding="utf-8")
    if shards is None:
        (folder / "model.safetensors").write_bytes(b"x")
        return folder
    index = {"weight_map": {f"w{n}": name for n, name in enumerate(shards)}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")
    return folder


def places(tmp_path, **more):
    return Places(home=tmp_path / "podtune", volume=tmp_path / "volume", **more)


def test_the_order(tmp_path):
    """Each place is found once those before it are gone."""
    volume = tmp_path / "volume"
    snapshot = volume / "huggingface-cache/hub/models--Qwen--Qwen3-8B/snapshots/abc123"
    order = [
        model(tmp_path / "own" / "Qwen3-8B"),
        model(tmp_path / "cache" / "Qwen3-8B"),
        model(volume / "models" / "Qwen3-8B"),
        model(snapshot),
    ]
    given = places(tmp_path, model_path=str(order[0]), transformers_cache=str(tmp_path / "cache"))
    for folder in order:
        found = serverless_models.find(NAME, given)
        assert found.folder == folder
        assert found.tried[-1] in (str(folder), str(snapshot.parent.parent))
        (folder / "config.json").unlink()
    last = serverless_models.find(NAME, given)
    assert last.folder is None
    assert str(volume / "models" / "Qwen3-8B") in last.tried
    assert "/workspace/models/Qwen3-8B" in last.tried


def test_a_snapshot_tells_its_commit(tmp_path):
    cache = tmp_path / "volume/huggingface-cache/hub/models--Qwen--Qwen3-8B"
    model(cache / "snapshots" / "old")
    wanted = model(cache / "snapshots" / "new")
    (cache / "refs").mkdir()
    (cache / "refs" / "main").write_text("old", encoding="utf-8")
    assert serverless_models.find(NAME, places(tmp_path)).revision == "old"
    (cache / "snapshots" / "old" / "config.json").unlink()
    assert serverless_models.find(NAME, places(tmp_path)).folder == wanted


def test_model_path_counts_only_where_it_holds_that_model(tmp_path):
    other = model(tmp_path / "volume" / "models" / "Qwen3-Next-80B-A3B-Instruct")
    found = serverless_models.find(NAME, places(tmp_path, model_path=str(other)))
    assert found.folder is None
    assert found.warnings == (f"MODEL_PATH holds another model than {NAME}: passed over",)
    right = serverless_models.find(
        "Qwen/Qwen3-Next-80B-A3B-Instruct", places(tmp_path, model_path=str(other))
    )
    assert right.folder == other


def test_a_config_may_say_what_it_is(tmp_path):
    folder = model(tmp_path / "base", said=NAME)
    assert serverless_models.find(NAME, places(tmp_path, model_path=str(folder))).folder == folder


def test_workspace_is_tried_on_the_volume_with_a_warning(tmp_path):
    folder = model(tmp_path / "volume" / "models" / "Qwen3-8B")
    given = places(tmp_path, model_path="/workspace/models/Qwen3-8B")
    found = serverless_models.find(NAME, given)
    assert found.folder == folder
    assert str(folder) in found.warnings[0]


def test_a_model_that_is_still_being_copied_is_passed_over(tmp_path):
    folder = model(tmp_path / "volume" / "models" / "Qwen3-8B", shards=["a.safetensors"])
    assert serverless_models.find(NAME, places(tmp_path)).folder is None
    (folder / "a.safetensors").write_bytes(b"x")
    assert serverless_models.find(NAME, places(tmp_path)).folder == folder
    (folder / "model.safetensors.index.json").write_text('{"weight', encoding="utf-8")
    assert serverless_models.find(NAME, places(tmp_path)).folder is None


@pytest.mark.parametrize("attached", [True, False])
def test_what_is_nowhere_names_every_place(tmp_path, attached):
    given = Places(home=tmp_path, volume=tmp_path if attached else None)
    error = serverless_models.not_found(NAME, ("/a", "/b"), "the Hub is out of reach", given)
    assert error.code == "model_not_found"
    assert "/a, /b" in error.message
    assert ("not attached" in (error.hint or "")) is not attached
