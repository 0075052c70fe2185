"""Where a base model is: a folder, or the copy in a package. The Hub is tested in test_hub.py."""

import json
import sys

import pytest

from podtune.core.errors import ForbiddenError, NotFoundError, SpecError
from podtune.core.spec import BaseModelSpec, ModelSource
from podtune.storage import base_models

CONFIG = {"model_type": "llama", "hidden_size": 64}


def model_folder(path, *, config=CONFIG, weights="model.safetensors"):
    path.mkdir(parents=True)
    if config is not None:
        (path / "config.json").write_text(
            config if isinstance(config, str) else json.dumps(config), encoding="utf-8"
        )
    if weights:
        (path / weights).write_bytes(b"")
    return path


def locate(name, models, *, source=ModelSource.AUTO, revision=None, prefer_package=False):
    spec = BaseModelSpec(name=str(name), source=source, revision=revision)
    return base_models.locate(spec, models, prefer_package=prefer_package)


@pytest.fixture
def models(tmp_path):
    return tmp_path / "models"


@pytest.fixture
def no_package(monkeypatch):
    """An interpreter in which the package cannot be found."""
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.delitem(sys.modules, base_models.PACKAGE_NAME, raising=False)


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package with the model's file, first on the path."""
    folder = tmp_path / "site" / base_models.PACKAGE_NAME
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("")
    (folder / base_models.PACKAGE_FILE).write_bytes(b"GGUF")
    monkeypatch.delitem(sys.modules, base_models.PACKAGE_NAME, raising=False)
    monkeypatch.syspath_prepend(folder.parent)
    return folder


def test_a_folder_is_found_with_its_config(tmp_path, models):
    folder = model_folder(tmp_path / "mine")
    found = locate(folder, models)
    assert (found.source, found.folder, found.weights_here) == (ModelSource.PATH, folder, True)
    assert found.config == CONFIG
    assert (found.name, found.revision, found.download_bytes) == (str(folder), None, None)


def test_a_relative_folder_becomes_absolute(tmp_path, models, monkeypatch):
    model_folder(tmp_path / "mine")
    monkeypatch.chdir(tmp_path)
    assert locate("./mine", models).name == str(tmp_path / "mine")
    assert locate("mine", models).folder == tmp_path / "mine"


@pytest.mark.parametrize("name", ["./nowhere", "/nowhere/at/all", "~/no-such-folder-of-podtune"])
def test_a_missing_folder_is_not_looked_for_on_the_hub(models, name):
    with pytest.raises(NotFoundError, match="no model folder") as caught:
        locate(name, models)
    assert caught.value.code == "model_not_found"


def test_a_bare_name_with_source_path_is_a_folder(models):
    with pytest.raises(NotFoundError, match="no model folder"):
        locate("org/model", models, source=ModelSource.PATH)


@pytest.mark.parametrize(
    ("made", "lacking"),
    [
        ({"config": None}, "config.json"),
        ({"weights": None}, "safetensors"),
        ({"weights": "pytorch_model.bin"}, "safetensors"),
    ],
)
def test_a_folder_without_config_or_safetensors_is_no_model(tmp_path, models, made, lacking):
    with pytest.raises(SpecError, match=lacking) as caught:
        locate(model_folder(tmp_path / "mine", **made), models)
    assert caught.value.code == "bad_model_folder"


@pytest.mark.parametrize("config", ["{", "[]", "3"])
def test_a_config_that_is_no_object_is_refused(tmp_path, models, config):
    with pytest.raises(SpecError, match=r"config\.json") as caught:
        locate(model_folder(tmp_path / "mine", config=config), models)
    assert caught.value.code == "bad_model_folder"


def test_the_package_is_found_before_anything_is_converted(models, package):
    assert base_models.package_file() == package / base_models.PACKAGE_FILE
    found = locate(base_models.PACKAGE_MODEL, models, prefer_package=True)
    assert (found.source, found.folder, found.weights_here) == (ModelSource.PACKAGE, None, False)
    assert found.config == base_models.PACKAGE_CONFIG


def test_a_converted_copy_needs_no_package(models, no_package):
    folder = model_folder(models / base_models.CONVERTED_FOLDER)
    found = locate(base_models.PACKAGE_MODEL, models, source=ModelSource.PACKAGE)
    assert (found.folder, found.weights_here, found.config) == (folder, True, CONFIG)


def test_a_package_that_is_not_installed_says_how_to_get_it(models, no_package):
    assert base_models.package_file() is None
    with pytest.raises(NotFoundError, match="not installed") as caught:
        locate(base_models.PACKAGE_MODEL, models, source=ModelSource.PACKAGE)
    assert "pip install" in str(caught.value.hint)


def test_a_package_without_the_file_counts_as_none(models, package):
    (package / base_models.PACKAGE_FILE).unlink()
    assert base_models.package_file() is None


def test_another_model_comes_in_no_package(models, package):
    with pytest.raises(SpecError, match="org/other"):
        locate("org/other", models, source=ModelSource.PACKAGE)


def test_the_packaged_copy_has_no_revisions(models, package):
    with pytest.raises(SpecError):
        locate(base_models.PACKAGE_MODEL, models, source=ModelSource.PACKAGE, revision="main")


def test_the_packaged_sizes_are_those_of_the_model():
    from podtune.planning.model_facts import facts_from_config

    facts = facts_from_config(
        base_models.PACKAGE_CONFIG, name="x", revision=None, source="package", location=None
    )
    assert facts.total_parameters == 134_515_008


@pytest.mark.parametrize(
    "name", ["/etc", ".", "..", "~", "~root", "../up", "a/b/c", "/etc/../etc", "\0"]
)
def test_a_stranger_learns_nothing_of_folders(name, tmp_path):
    spec = BaseModelSpec.model_construct(name=name, revision=None, source=None)
    with pytest.raises(ForbiddenError) as caught:
        base_models.locate(spec, tmp_path, as_stranger=True)
    assert caught.value.code == "operator_only"
    assert name not in caught.value.message


def test_a_folder_that_is_called_like_a_model_is_no_stranger_s(tmp_path, monkeypatch):
    (tmp_path / "org" / "model").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ForbiddenError):
        base_models.locate(BaseModelSpec(name="org/model"), tmp_path, as_stranger=True)
