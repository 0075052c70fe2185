"""An artifact is what its maker said, file by file, or it is refused; copies are whole or absent."""

import hashlib
import os

import pytest

from podtune.core.artifact import RECEIPT, REQUIRED_FILES
from podtune.core.errors import ArtifactError, ConflictError
from podtune.storage import artifact_folder
from support import artifacts


@pytest.fixture
def folder(tmp_path):
    return artifacts.make(tmp_path / "artifact")


def test_the_checksum_of_a_file_is_its_sha256(tmp_path):
    path = tmp_path / "x"
    content = os.urandom(3 * 1024 * 1024 + 17)
    path.write_bytes(content)
    assert artifact_folder.sha256_file(path) == hashlib.sha256(content).hexdigest()


def test_checksums_name_every_file_with_its_folder_but_not_the_receipt(folder):
    (folder / "sub").mkdir()
    (folder / "sub" / "x.json").write_text("1")
    (folder / RECEIPT).write_text("{}")
    found = artifact_folder.checksums(folder)
    assert set(found) == {*REQUIRED_FILES, "sub/x.json"}
    assert found["sub/x.json"] == hashlib.sha256(b"1").hexdigest()


def test_one_name_for_all_does_not_depend_on_order_and_depends_on_names():
    one = artifact_folder.combined({"a": "1", "b": "2"})
    assert artifact_folder.combined({"b": "2", "a": "1"}) == one
    assert artifact_folder.combined({"a": "2", "b": "1"}) != one
    assert one == hashlib.sha256(b"1  a\n2  b\n").hexdigest()


def test_an_untouched_artifact_is_verified(folder):
    files = artifact_folder.checksums(folder)
    found = artifact_folder.verify(folder, files)
    assert found.files == files
    assert found.sha256 == artifact_folder.combined(files)
    assert found.size_bytes == sum((folder / n).stat().st_size for n in files)
    assert found.uri == folder.resolve().as_uri()


def test_the_receipt_may_be_added_afterwards(folder):
    files = artifact_folder.checksums(folder)
    (folder / RECEIPT).write_text("{}")
    assert artifact_folder.verify(folder, files).files == files


@pytest.mark.parametrize("name", REQUIRED_FILES)
def test_a_missing_file_is_named(folder, name):
    files = artifact_folder.checksums(folder)
    (folder / name).unlink()
    with pytest.raises(ArtifactError, match=name) as caught:
        artifact_folder.verify(folder, files)
    assert caught.value.code == "artifact_incomplete"


@pytest.mark.parametrize("name", REQUIRED_FILES)
def test_a_changed_file_is_named(folder, name):
    files = artifact_folder.checksums(folder)
    content = bytearray((folder / name).read_bytes())
    content[0] ^= 1
    (folder / name).write_bytes(content)
    with pytest.raises(ArtifactError, match=name) as caught:
        artifact_folder.verify(folder, files)
    assert caught.value.code == "integrity_mismatch"


@pytest.mark.parametrize("name", ["added.txt", "sub/added.bin", ".hidden", "sub/receipt.json"])
def test_an_added_file_is_named(folder, name):
    files = artifact_folder.checksums(folder)
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text("x")
    with pytest.raises(ArtifactError, match=name):
        artifact_folder.verify(folder, files)


def test_a_file_the_maker_named_and_nobody_has_is_refused(folder):
    files = artifact_folder.checksums(folder) | {"extra.bin": "0" * 64}
    with pytest.raises(ArtifactError, match=r"extra\.bin"):
        artifact_folder.verify(folder, files)


@pytest.mark.parametrize("proof", [{"passed": False}, {"adapter_sha256": "0" * 64}])
def test_an_unpassed_or_foreign_proof_is_refused(tmp_path, proof):
    folder = artifacts.make(tmp_path / "artifact", **proof)
    with pytest.raises(ArtifactError) as caught:
        artifact_folder.verify(folder, artifact_folder.checksums(folder))
    assert caught.value.code == "no_effect"


@pytest.mark.parametrize("text", ["{", "[]", '{"passed": true}', "\xff"])
def test_a_proof_that_cannot_be_read_is_an_artifact_error(folder, text):
    (folder / "proof.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(ArtifactError):
        artifact_folder.verify(folder, artifact_folder.checksums(folder))


def test_a_copy_is_the_same_and_brings_the_receipt(folder, tmp_path):
    (folder / RECEIPT).write_text("{}")
    target = artifact_folder.copy(folder, tmp_path / "deep" / "copy")
    assert artifact_folder.checksums(target) == artifact_folder.checksums(folder)
    assert (target / RECEIPT).read_text() == "{}"
    assert sorted(p.name for p in target.parent.iterdir()) == ["copy"]


def test_copying_twice_is_copying_once(folder, tmp_path):
    target = artifact_folder.copy(folder, tmp_path / "copy")
    before = (target / "adapter_config.json").stat().st_ino
    assert artifact_folder.copy(folder, target) == target
    assert (target / "adapter_config.json").stat().st_ino == before


def test_an_empty_target_is_filled(folder, tmp_path):
    target = tmp_path / "copy"
    target.mkdir()
    artifact_folder.copy(folder, target)
    assert artifact_folder.checksums(target) == artifact_folder.checksums(folder)


def test_a_copy_that_lacks_the_receipt_is_not_taken_for_the_artifact(folder, tmp_path):
    target = artifact_folder.copy(folder, tmp_path / "copy")
    (folder / RECEIPT).write_text("{}")
    try:
        artifact_folder.copy(folder, target)
    except ConflictError:
        return
    assert (target / RECEIPT).is_file()


@pytest.mark.parametrize("kind", ["file", "other folder", "changed copy"])
def test_an_existing_target_is_never_overwritten(folder, tmp_path, kind):
    target = tmp_path / "copy"
    if kind == "file":
        target.write_text("mine")
    elif kind == "other folder":
        target.mkdir()
        (target / "mine").write_text("mine")
    else:
        artifact_folder.copy(folder, target)
        (target / "README.md").write_text("mine")
    with pytest.raises(ConflictError):
        artifact_folder.copy(folder, target)
    mine = {"file": target, "other folder": target / "mine"}.get(kind, target / "README.md")
    assert mine.read_text() == "mine"


def test_a_copy_that_fails_leaves_nothing(folder, tmp_path):
    (folder / "dangling").symlink_to(tmp_path / "nowhere")
    with pytest.raises(ArtifactError) as caught:
        artifact_folder.copy(folder, tmp_path / "out" / "copy")
    assert caught.value.code == "copy_failed"
    assert list((tmp_path / "out").iterdir()) == []


def test_a_target_below_a_file_cannot_be_made(folder, tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(ArtifactError) as caught:
        artifact_folder.copy(folder, tmp_path / "file" / "copy")
    assert caught.value.code == "copy_failed"
