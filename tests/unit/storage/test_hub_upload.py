"""Uploads to the Hub by the real client, in a process that is ended when it hangs."""

import subprocess
import sys

import pytest
from pydantic import SecretStr

from podtune.core.errors import CredentialsError, UnavailableError
from podtune.storage import hub_upload
from podtune.storage.access import HubAccess
from podtune.storage.hub_account import HubAccount
from podtune.storage.hub_upload import Upload, upload
from support.hub_writes import READER, WRITER, WritableHub

LARGE = b"l" * 5000


@pytest.fixture
def wanted(tmp_path):
    (tmp_path / "large").write_bytes(LARGE)
    (tmp_path / "small").write_bytes(b"small")
    files = {"a/large.bin": tmp_path / "large", "small.txt": tmp_path / "small"}
    return Upload("dataset", "anna/x", files, "a commit")


def account(hub, token=WRITER):
    return HubAccount(HubAccess(SecretStr(token), hub.url))


def test_files_are_committed_and_summed(tmp_path, wanted):
    with WritableHub(tmp_path / "hub") as hub:
        hub.make("datasets/anna/x", {})
        told = []
        commit = upload(account(hub), wanted, lambda *a: told.append(a))
        assert account(hub).repository("dataset", "anna/x").commit == commit
        assert account(hub).read("dataset", "anna/x", "small.txt") == b"small"
        assert account(hub).read("dataset", "anna/x", "a/large.bin") == LARGE
    assert told == [(0, 5005), (5005, 5005)]


def test_an_upload_that_hangs_is_ended_and_done_the_older_way(tmp_path, wanted):
    with WritableHub(tmp_path / "hub", xet="hang") as hub:
        hub.make("datasets/anna/x", {})
        upload(account(hub), wanted, limit_s=4)
        asked = hub.paths("xet-write-token")
        assert account(hub).read("dataset", "anna/x", "a/large.bin") == LARGE
        assert hub.paths("/info/lfs/")
    assert asked


def test_a_token_that_may_not_write_is_told_at_once(tmp_path, wanted):
    with WritableHub(tmp_path / "hub") as hub:
        hub.make("datasets/anna/x", {})
        with pytest.raises(CredentialsError) as caught:
            upload(account(hub, READER), wanted)
        assert len(hub.paths("/preupload/")) == 1
    assert caught.value.code == "token_scope"


def test_nobody_there_is_told_without_secrets(tmp_path, wanted):
    with WritableHub(tmp_path / "hub") as hub:
        gone = account(hub)
    with pytest.raises(
        UnavailableError, match="did not succeed, with hf_xet and without"
    ) as caught:
        upload(gone, wanted, limit_s=1)
    assert WRITER not in str(caught.value.to_json())


def test_the_child_ends_by_itself_without_its_parent():
    order = hub_upload._Order(
        endpoint="http://127.0.0.1:1",
        token="t",
        kind="dataset",
        repository="a/b",
        files={},
        message="m",
        xet=False,
        limit_s=1,
    )
    program = "import sys; from podtune.storage import hub_upload; import time;"
    program += "hub_upload._commit = lambda order: time.sleep(60); hub_upload.main()"
    ended = subprocess.run(
        [sys.executable, "-c", program], input=order.model_dump_json().encode(), timeout=30
    )
    assert ended.returncode == -14
