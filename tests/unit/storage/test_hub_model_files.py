"""Which files of a model belong into a cache, by a stand-in Hub on loopback."""

import hashlib
import json

import pytest
from pydantic import SecretStr

from podtune.core.errors import CredentialsError, NotFoundError, SpecError, UnsupportedError
from podtune.storage.access import HubAccess
from podtune.storage.hub_model_files import INDEX, ModelListing
from support.caches import NEVER, make_model
from support.hub_server import HubServer, commit_of
from support.hub_writes import READER, STRANGER, WritableHub

NAME = "org/Tiny-Model"


@pytest.fixture
def folder(tmp_path):
    return make_model(tmp_path / "model")


@pytest.fixture
def serve(folder):
    opened = []

    def start(**changes):
        hub = HubServer({NAME: folder}, **changes)
        opened.append(hub)
        return hub, ModelListing(HubAccess(None, hub.url))

    yield start
    for hub in opened:
        hub.close()


def test_weights_by_the_index_config_and_tokenizer_and_nothing_else(serve, folder):
    _, listing = serve()
    found = listing.files(NAME)
    paths = [file.path for file in found.files]
    assert set(paths) == {path.name for path in folder.iterdir()} - set(NEVER)
    assert paths[-1].endswith(".safetensors")  # small files first: a wrong one fails early
    assert (found.commit, found.is_restricted, found.weight_files) == (commit_of(folder), False, 2)
    assert found.total_bytes == sum((folder / path).stat().st_size for path in paths)
    config = next(file for file in found.files if file.path == "config.json")
    content = (folder / "config.json").read_bytes()
    git = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False)
    assert config.git_sha1 == git.hexdigest()


def test_only_weights_of_the_index_are_taken(serve, folder):
    (folder / "consolidated.safetensors").write_bytes(b"again")
    (folder / "extra.safetensors").write_bytes(b"of nobody")
    _, listing = serve()
    assert listing.files(NAME).weight_files == 2


def test_without_an_index_the_weights_of_the_first_level(serve, folder):
    (folder / INDEX).unlink()
    (folder / "original").mkdir()
    (folder / "original" / "x.safetensors").write_bytes(b"again")
    _, listing = serve()
    assert listing.files(NAME).weight_files == 2
    (folder / "model.safetensors").write_bytes(b"one")
    assert [f.path for f in listing.files(NAME).files if "safetensors" in f.path] == [
        "model.safetensors"
    ]


def test_a_weight_file_that_the_index_names_and_nobody_has(serve, folder):
    (folder / "model-00002-of-00002.safetensors").unlink()
    _, listing = serve()
    with pytest.raises(NotFoundError, match="00002"):
        listing.files(NAME)


def test_pickles_alone_are_no_model(serve, folder):
    for path in folder.glob("*.safetensors*"):
        path.unlink()
    _, listing = serve()
    with pytest.raises(NotFoundError, match="no safetensors") as caught:
        listing.files(NAME)
    assert caught.value.code == "model_not_found"


def test_a_revision_that_is_none_and_a_model_that_is_none(serve, folder):
    _, listing = serve()
    with pytest.raises(NotFoundError, match="at revision 'v9'"):
        listing.files(NAME, "v9")
    with pytest.raises(NotFoundError):
        listing.files("org/nothing")
    assert listing.files(NAME, commit_of(folder)).commit == commit_of(folder)


@pytest.mark.parametrize("name", ["plain", "../a/b", "/etc/x", "a/b/c", "hf://a/b"])
def test_what_is_no_name_of_the_hub(serve, name):
    _, listing = serve()
    with pytest.raises(SpecError):
        listing.files(name)


def test_a_gated_model_is_told_as_such(serve):
    _, listing = serve(gated=frozenset({NAME}))
    with pytest.raises(CredentialsError) as caught:
        listing.files(NAME)
    assert caught.value.code == "gated_model"


def test_a_list_that_everybody_sees_does_not_mean_files(serve, folder):
    """Of a gated model the real Hub shows the list to strangers; its config is what is refused first."""
    (folder / INDEX).unlink()
    _, listing = serve(gated_files=frozenset({NAME}))
    found = listing.files(NAME)
    assert found.is_restricted
    with pytest.raises(CredentialsError) as caught:
        listing.check_readable(NAME, found.commit, found.files[-1].path)
    assert caught.value.code == "gated_model"


def test_a_token_that_is_none(serve):
    hub, _ = serve(token="hf_right")
    listing = ModelListing(HubAccess(SecretStr("hf_planted_wrong"), hub.url))
    with pytest.raises(CredentialsError) as caught:
        listing.files(NAME)
    assert caught.value.code == "token_rejected"
    assert "hf_planted_wrong" not in str(caught.value.to_json())


def test_the_token_stays_with_the_hub(tmp_path, folder):
    """A large index is handed out by another host."""
    with WritableHub(tmp_path / "hub", large=50) as hub:
        files = {path.name: path.read_bytes() for path in folder.iterdir()}
        hub.make("anna/model", files)
        found = ModelListing(HubAccess(SecretStr(READER), hub.url)).files("anna/model")
        assert found.weight_files == 2
        assert found.is_restricted
        assert hub.sent_away == [None]
        weights = next(
            file for file in found.files if file.path.endswith("00002-of-00002.safetensors")
        )
        assert weights.sha256 == hashlib.sha256(b"b" * 300_000).hexdigest()
        with pytest.raises(NotFoundError):
            ModelListing(HubAccess(SecretStr(STRANGER), hub.url)).files("anna/model")


def test_an_odd_file_name_is_refused(serve, folder):
    index = {"weight_map": {"a": "odd name.safetensors"}}
    (folder / INDEX).write_text(json.dumps(index))
    (folder / "odd name.safetensors").write_bytes(b"x")
    _, listing = serve()
    with pytest.raises(UnsupportedError) as caught:
        listing.files(NAME)
    assert caught.value.code == "bad_model_file"
