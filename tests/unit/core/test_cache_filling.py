"""Messages of a machine that fills a model cache."""

import pytest
from pydantic import SecretStr, ValidationError

from podtune.core.cache_filling import CacheFile, FillStatus, Seal
from support.caches import FILE, order


def test_a_token_shows_only_when_it_is_sent():
    made = order(secrets={"HF_TOKEN": SecretStr("hf_planted")})
    assert "hf_planted" not in repr(made)
    assert "hf_planted" in made.model_dump_json()
    assert made.total_bytes == 10


@pytest.mark.parametrize(
    "path", ["../x", "/etc/passwd", "a/../b", ".hidden", "a//b", "a b", "", "a/b/c/d/e/f"]
)
def test_a_path_leads_nowhere_else(path):
    with pytest.raises(ValidationError):
        CacheFile(path=path, bytes=1)


@pytest.mark.parametrize("path", ["config.json", "a/b.jinja", "model-00001-of-00041.safetensors"])
def test_paths_of_models_are_taken(path):
    assert CacheFile(path=path, bytes=1).path == path


@pytest.mark.parametrize("folder", ["..", ".x", "a/b", "", "x" * 97])
def test_a_folder_is_one_name(folder):
    with pytest.raises(ValidationError):
        order(folder=folder)


def test_what_a_later_machine_says_besides_is_left_out():
    status = FillStatus.model_validate(
        {"phase": "receiving", "attempt": 1, "fill": {"done_bytes": 3, "new": 1}, "more": 2}
    )
    assert status.fill
    assert (status.fill.done_bytes, status.fill.sealed) == (3, False)
    assert Seal(model="m", commit="c", bytes=1, files=(FILE,)).version == 1
