"""An adapter's own model repository: private, or public when that was stated."""

import pytest
from pydantic import SecretStr

from podtune.core.errors import (
    ArtifactError,
    ConflictError,
    CredentialsError,
    PodtuneError,
    UnsupportedError,
)
from podtune.storage.access import HubAccess
from podtune.storage.hub_account import HubAccount
from podtune.storage.hub_delivery import check, deliver, published
from support import artifacts
from support.hub_writes import READER, STRANGER, WRITER, WritableHub

NAME = "team/support-bot"


@pytest.fixture
def hub(tmp_path):
    with WritableHub(tmp_path / "hub") as serving:
        yield serving


@pytest.fixture
def artifact(tmp_path):
    folder = artifacts.make(tmp_path / "artifact", weights=b"w" * 5000)
    (folder / "receipt.json").write_text("{}")
    (folder / "samples.json").write_text('[{"question": "row text"}]')
    return folder


def account(hub, token=WRITER):
    return HubAccount(HubAccess(SecretStr(token), hub.url))


def names(hub):
    return {p.name for p in hub.repositories[NAME].iterdir()} - {".gitattributes"}


def test_a_private_repository_with_everything_in_it(hub, artifact):
    told = []
    link = deliver(account(hub), NAME, artifact, on_progress=lambda *a: told.append(a))
    assert link == f"{hub.url}/{NAME}"
    assert names(hub) == {p.name for p in artifact.iterdir()}
    assert NAME in hub.private
    assert told


def test_again_is_success_and_sends_nothing(hub, artifact):
    for _ in range(2):
        deliver(account(hub), NAME, artifact)
    assert len(hub.paths("/commit/")) == 1


def test_a_public_one_is_filled_first_and_has_no_samples(hub, artifact):
    deliver(account(hub), NAME, artifact, public=True)
    assert NAME not in hub.private
    assert "samples.json" not in names(hub)
    assert "receipt.json" in names(hub)
    asked = [path for _, path in hub.requests]
    assert asked.index(f"/api/models/{NAME}/commit/main") < asked.index(
        f"/api/models/{NAME}/settings"
    )


def test_what_is_published(artifact):
    assert set(published(artifact, public=False)) - set(published(artifact, public=True)) == {
        "samples.json"
    }


def test_a_free_name_is_fine_and_nothing_is_made(hub):
    check(account(hub), NAME, public=False)
    assert not hub.repositories


def test_an_earlier_adapter_gets_a_new_version(hub, artifact):
    hub.make(NAME, {"receipt.json": b"old", "adapter_model.safetensors": b"old"})
    check(account(hub), NAME, public=False)
    deliver(account(hub), NAME, artifact)
    assert (hub.repositories[NAME] / "receipt.json").read_text() == "{}"


def test_something_else_is_not_overwritten(hub, artifact):
    hub.make(NAME, {"model.safetensors": b"precious"})
    for call in (lambda: check(account(hub), NAME, public=False),
                 lambda: deliver(account(hub), NAME, artifact)):  # fmt: skip
        with pytest.raises(ConflictError) as caught:
            call()
        assert caught.value.code == "target_exists"
    assert not hub.paths("/preupload/")


def test_a_public_repository_is_refused_unless_it_was_stated(hub, artifact):
    hub.make(NAME, {}, private=False)
    with pytest.raises(UnsupportedError) as caught:
        deliver(account(hub), NAME, artifact)
    assert caught.value.code == "public_place"
    assert not hub.paths("/preupload/")
    check(account(hub), NAME, public=True)


def test_a_repository_of_somebody_else(hub):
    with pytest.raises(CredentialsError, match="'mallory'") as caught:
        check(account(hub, STRANGER), NAME, public=False)
    assert "hf://mallory/support-bot" in (caught.value.hint or "")


def test_a_token_that_may_only_read(hub):
    with pytest.raises(CredentialsError, match="only read"):
        check(account(hub, READER), "anna/x", public=False)


def test_an_upload_that_brings_something_else_is_told(hub, artifact):
    with pytest.raises(ArtifactError) as caught:
        deliver(account(hub), NAME, artifact, upload=lambda *_: "commit")
    assert caught.value.code == "integrity_mismatch"


def test_a_repository_that_turns_public_meanwhile_is_told(hub, artifact):
    from podtune.storage.hub_upload import upload

    def opened(given, wanted, on_progress):
        commit = upload(given, wanted, on_progress)
        hub.private.clear()
        return commit

    with pytest.raises(PodtuneError) as caught:
        deliver(account(hub), NAME, artifact, upload=opened)
    assert caught.value.code == "public_place"
