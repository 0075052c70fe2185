"""What stores share: the direct way, results from elsewhere, names below a folder."""

import json
import shutil
from datetime import UTC, datetime
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podtune.core.errors import ArtifactError
from podtune.core.handover import DeliveredResult
from podtune.storage import archive, places
from podtune.storage.places import BundleStore, DirectStore, StoreKey
from support import artifacts

KEY = StoreKey("demo-abc234", 2)
NOW = datetime(2026, 11, 22, tzinfo=UTC)


def test_directly_everything_goes_by_the_port(tmp_path):
    store: BundleStore = DirectStore()
    (tmp_path / "bundle.tar").write_bytes(b"12345")
    ticket = store.send(tmp_path / "bundle.tar", "a" * 64, KEY, NOW)
    assert ticket.model_dump(mode="json") == {"via": "port", "sha256": "a" * 64, "bytes": 5}
    assert store.ticket(KEY, NOW).via == "port"
    assert (store.outcome(KEY), store.fetch(KEY, tmp_path)) == (None, None)
    store.keep(KEY, tmp_path)
    store.forget(KEY, "a" * 64)
    store.remove(KEY)


def result(**changes):
    return json.dumps({"job": KEY.job, "attempt": KEY.attempt, "ok": True} | changes).encode()


def test_a_result_of_this_attempt():
    assert places.parsed_result(result(unknown=1), KEY).ok
    assert places.parsed_result(result(attempt=1), KEY) is None
    assert places.parsed_result(result(job="other"), KEY) is None


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"\xff", b"[]", result(archive={"sha256": "../x"})]
)
def test_a_result_that_is_none(content):
    with pytest.raises(ArtifactError) as caught:
        places.parsed_result(content, KEY)
    assert caught.value.code == "artifact_incomplete"


def test_an_archive_is_compared_and_unpacked(tmp_path):
    packed = archive.pack(artifacts.make(tmp_path / "made"), tmp_path / "adapter.tar.gz")
    told = {"sha256": packed.sha256, "bytes": packed.size_bytes}
    said = DeliveredResult(job="j", attempt=1, ok=True, archive=told)
    folder = places.fetch_archive(said, partial(shutil.copyfile, packed.path), tmp_path / "in")
    assert (folder / "proof.json").is_file()
    assert [path.name for path in (tmp_path / "in").iterdir()] == ["artifact"]


def test_another_archive_is_removed(tmp_path):
    said = DeliveredResult(job="j", attempt=1, ok=True, archive={"sha256": "0" * 64, "bytes": 1})
    with pytest.raises(ArtifactError, match="not what the machine made"):
        places.fetch_archive(said, lambda path: path.write_bytes(b"other"), tmp_path)
    assert not list(tmp_path.iterdir())


def test_where_no_archive_was_said_or_put_there_is_none(tmp_path):
    said = DeliveredResult(job="j", attempt=1, ok=True)
    assert places.fetch_archive(None, pytest.fail, tmp_path) is None
    assert places.fetch_archive(said, pytest.fail, tmp_path) is None
    told = said.model_copy(update={"archive": {"sha256": "0" * 64, "bytes": 1}})
    assert places.fetch_archive(told, lambda path: None, tmp_path) is None


@pytest.mark.parametrize("name", ["a", "a/b.json", "größe/x", "a b"])
def test_a_name_below_a_folder(name):
    assert places.safe_name(name) == name


@pytest.mark.parametrize(
    "name", ["", "/a", "..", "a/../b", "a//b", "./a", "a\\b", "c:x", "a\n", "a/"]
)
def test_a_name_that_leads_elsewhere(name):
    with pytest.raises(ArtifactError):
        places.safe_name(name)


@given(st.text(max_size=40))
def test_no_name_leaves_its_folder(tmp_path_factory, name):
    base = tmp_path_factory.getbasetemp() / "base"
    try:
        kept = places.safe_name(name)
    except ArtifactError:
        return
    assert (base / kept).resolve().is_relative_to(base.resolve())


def test_a_volume_is_refused_with_the_next_step():
    assert "deliver.store=direct" in (places.volume_refused().hint or "")


def test_a_fetched_artifact_takes_the_place_of_what_was_left(tmp_path):
    (tmp_path / "artifact").mkdir()
    (tmp_path / "artifact" / "half").touch()
    (tmp_path / "fetched").mkdir()
    (tmp_path / "fetched" / "whole").touch()
    folder = places.put_in_place(tmp_path / "fetched", tmp_path)
    assert folder == tmp_path / "artifact"
    assert [p.name for p in folder.iterdir()] == ["whole"]
