"""Bundles and artifacts by way of a private repository of the Hub."""

import hashlib
from datetime import UTC, datetime, timedelta

import httpx2
import pytest
from pydantic import SecretStr

from podtune.core.errors import ArtifactError, CredentialsError, NotFoundError, UnsupportedError
from podtune.core.handover import DeliverByProgram, HandOver
from podtune.storage import hub_store
from podtune.storage.access import HubAccess
from podtune.storage.hub_account import HubAccount, Repository
from podtune.storage.hub_store import HubStore, check_pod_token, make_private, put_result
from podtune.storage.places import StoreKey
from support import artifacts
from support.hub_writes import POD, WRITER, WritableHub

KEY = StoreKey("demo-abc234", 1)
NAME = "anna/podtune-demo-abc234"
CONTENT = b"bundle" * 1000
SHA = hashlib.sha256(CONTENT).hexdigest()
SOON = datetime.now(UTC) + timedelta(hours=1)


@pytest.fixture
def hub(tmp_path):
    with WritableHub(tmp_path / "hub") as serving:
        yield serving


@pytest.fixture
def bundle(tmp_path):
    (tmp_path / "bundle.tar").write_bytes(CONTENT)
    (tmp_path / "rows.jsonl").write_text('{"row": 1}\n')
    (tmp_path / "train.sh").write_text("#!/bin/sh\n")
    return tmp_path / "bundle.tar"


def account(hub, token=WRITER):
    return HubAccount(HubAccess(SecretStr(token), hub.url))


def store(hub, bundle, pod_token=None):
    folder = bundle.parent
    token = SecretStr(pod_token) if pod_token else None
    return HubStore(account(hub), folder / "rows.jsonl", folder / "train.sh", token)


def test_the_repository_holds_what_the_specification_names(hub, bundle):
    ticket = store(hub, bundle).send(bundle, SHA, KEY, SOON)
    folder = hub.repositories[f"datasets/{NAME}"]
    assert {p.name for p in folder.iterdir()} == {
        ".gitattributes", "bundle.tar", "training-data.jsonl", "train.sh",
    }  # fmt: skip
    assert f"datasets/{NAME}" in hub.private
    assert httpx2.get(ticket.url.get_secret_value()).content == CONTENT
    assert (ticket.sha256, ticket.bytes) == (SHA, len(CONTENT))


def test_a_bundle_that_is_there_is_not_sent_again(hub, bundle):
    for _ in range(2):
        store(hub, bundle).send(bundle, SHA, KEY, SOON)
    assert len(hub.paths("/commit/")) == 1


def test_not_a_byte_goes_to_a_public_repository(hub, bundle):
    hub.lie_private = True
    with pytest.raises(UnsupportedError) as caught:
        store(hub, bundle).send(bundle, SHA, KEY, SOON)
    assert caught.value.code == "public_place"
    assert not hub.paths("/preupload/")
    assert not hub.after_upload


def test_a_bundle_so_small_that_the_hub_keeps_it_goes_by_the_port(tmp_path, bundle):
    with WritableHub(tmp_path / "other", large=10**6) as hub:
        assert store(hub, bundle).send(bundle, SHA, KEY, SOON).via == "port"


def test_a_repository_that_holds_another_bundle_is_told(hub, bundle):
    dropped = HubStore(account(hub), bundle, upload=lambda *_: "nothing is sent")
    with pytest.raises(ArtifactError, match="does not hold"):
        dropped.send(bundle, SHA, KEY, SOON)


def test_a_machine_without_a_token_hands_back_by_the_port(hub, bundle, tmp_path):
    ours = store(hub, bundle)
    assert ours.ticket(KEY, SOON).via == "port"
    folder = artifacts.make(tmp_path / "made")
    for _ in range(2):
        ours.keep(KEY, folder)
    kept = hub.repositories[f"datasets/{NAME}"] / "adapter"
    assert {p.name for p in kept.iterdir()} == {p.name for p in folder.iterdir()}
    assert len(hub.paths("/commit/")) == 1


def test_a_machine_with_a_token_commits_the_artifact_itself(hub, bundle, tmp_path):
    ours, folder = store(hub, bundle, POD), artifacts.make(tmp_path / "made")
    assert ours.ticket(KEY, SOON) == DeliverByProgram(
        arguments=("deliver_hub.py", "--endpoint", hub.url, "--repository", NAME,
                   "--job", KEY.job, "--attempt", "1")
    )  # fmt: skip
    ours.send(bundle, SHA, KEY, SOON)
    assert ours.outcome(KEY) is None
    assert ours.fetch(KEY, tmp_path / "none") is None
    put_result(account(hub, POD), KEY, NAME, folder)
    assert ours.outcome(KEY).ok
    assert ours.outcome(StoreKey(KEY.job, 2)) is None
    for _ in range(2):
        got = ours.fetch(KEY, tmp_path / "got")
    assert [p.name for p in (tmp_path / "got").iterdir()] == ["artifact"]
    assert {p.name: p.read_bytes() for p in got.iterdir()} == {
        p.name: p.read_bytes() for p in folder.iterdir()
    }


def test_an_artifact_that_was_changed_is_refused(hub, bundle, tmp_path):
    ours = store(hub, bundle, POD)
    ours.send(bundle, SHA, KEY, SOON)
    put_result(account(hub, POD), KEY, NAME, artifacts.make(tmp_path / "made"))
    kept = hub.repositories[f"datasets/{NAME}"] / "adapter" / "adapter_model.safetensors"
    kept.write_bytes(b"other weights")
    with pytest.raises(ArtifactError) as caught:
        ours.fetch(KEY, tmp_path / "got")
    assert caught.value.code == "integrity_mismatch"


def test_the_machine_sends_nothing_to_a_public_repository(hub, tmp_path):
    hub.make(f"datasets/{NAME}", {}, private=False)
    with pytest.raises(UnsupportedError, match="nothing was sent"):
        put_result(account(hub, POD), KEY, NAME, artifacts.make(tmp_path / "made"))
    assert not hub.paths("/commit/")


def test_a_hand_over_holds_no_token_of_the_account(hub, bundle):
    ours = store(hub, bundle, POD)
    message = HandOver(
        job=KEY.job,
        attempt=1,
        bundle=ours.send(bundle, SHA, KEY, SOON),
        deliver=ours.ticket(KEY, SOON),
        event_key=SecretStr("0" * 64),
    )
    assert WRITER not in message.model_dump_json()
    assert POD not in message.model_dump_json()


def test_the_whole_repository_goes(hub, bundle):
    ours = store(hub, bundle)
    ours.send(bundle, SHA, KEY, SOON)
    ours.forget(KEY, SHA)
    assert hub.repositories
    for _ in range(2):
        ours.remove(KEY, SHA)
    assert not hub.repositories


def test_a_fine_grained_token_may_be_handed_on(hub):
    check_pod_token(account(hub, POD))


def test_a_broad_token_may_not(hub):
    with pytest.raises(CredentialsError) as caught:
        check_pod_token(account(hub, WRITER))
    assert caught.value.code == "broad_token"
    assert "fine-grained" in (caught.value.hint or "")
    assert WRITER not in str(caught.value.to_json())


class NeverThere(HubAccount):
    """Makes repositories that nobody sees afterwards."""

    def repository(self, kind, name) -> Repository | None:
        return None


def test_a_repository_that_is_not_shown_after_it_was_made(hub):
    with pytest.raises(NotFoundError, match="does not show it"):
        make_private(NeverThere(HubAccess(SecretStr(WRITER), hub.url)), "dataset", "anna/y")


def test_compare_names_what_differs(hub, tmp_path):
    hub.make("anna/x", {"a": b"1"})
    (tmp_path / "a").write_bytes(b"2")
    with pytest.raises(ArtifactError, match="'a' in 'anna/x'"):
        hub_store.compare(account(hub), "model", "anna/x", {"a": tmp_path / "a"})
