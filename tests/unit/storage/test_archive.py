"""An archive is whole or absent, the same bytes for the same files, and nothing climbs out of it."""

import gzip
import hashlib
import io
import os
import subprocess
import sys
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podtune.core.errors import ArtifactError, ConflictError
from podtune.storage import archive, artifact_folder
from support import artifacts


@pytest.fixture
def folder(tmp_path):
    folder = artifacts.make(tmp_path / "artifact", weights=os.urandom(3 * 1024 * 1024 + 7))
    (folder / "tensorboard").mkdir()
    (folder / "tensorboard" / "événements").write_bytes(b"x" * 600)
    (folder / "receipt.json").write_text("{}")
    return folder


@pytest.fixture
def packed(folder, tmp_path):
    return archive.pack(folder, tmp_path / "out" / "adapter.tar.gz")


def made(path, *members, end=b"\0" * 1024):
    """A hostile archive: (name or TarInfo, content) in this order, and what stands at its end."""
    plain = io.BytesIO()
    for name, content in members:
        header = name if isinstance(name, tarfile.TarInfo) else tarfile.TarInfo(name)
        if not isinstance(name, tarfile.TarInfo):
            header.size = len(content)
        plain.write(header.tobuf(tarfile.GNU_FORMAT))
        plain.write(content + b"\0" * (-len(content) % 512))
    path.write_bytes(gzip.compress(plain.getvalue() + end, 1))
    return path


def of_kind(kind, name="x", link="/etc/passwd"):
    header = tarfile.TarInfo(name)
    header.type, header.linkname = kind, link
    return header


def test_python_reads_it_and_every_file_is_there_as_it_was(folder, packed):
    with tarfile.open(packed.path, "r:gz") as tar:
        content = {m.name: tar.extractfile(m).read() for m in tar}
    files = {p.relative_to(folder).as_posix(): p for p in folder.rglob("*") if p.is_file()}
    assert content == {name: path.read_bytes() for name, path in files.items()}
    assert list(content) == sorted(content)
    assert packed.files == len(content)


def test_the_tar_command_reads_it(folder, packed, tmp_path):
    (tmp_path / "by-tar").mkdir()
    subprocess.run(["tar", "-xzf", packed.path, "-C", tmp_path / "by-tar"], check=True)
    assert artifact_folder.checksums(tmp_path / "by-tar") == artifact_folder.checksums(folder)


def test_it_says_the_size_and_sum_of_what_it_wrote(packed):
    content = packed.path.read_bytes()
    assert packed.sha256 == hashlib.sha256(content).hexdigest()
    assert packed.size_bytes == len(content)


def test_the_same_files_give_the_same_bytes_whoever_owns_them_and_whenever(
    folder, packed, tmp_path
):
    other = artifact_folder.copy(folder, tmp_path / "other")
    for path in other.rglob("*"):
        os.utime(path, (1, 1))
        path.chmod(0o700)
    again = archive.pack(other, tmp_path / "other-name.tgz")
    assert again.sha256 == packed.sha256


def test_one_changed_byte_changes_the_sum(folder, packed, tmp_path):
    (folder / "README.md").write_text("another")
    assert archive.pack(folder, tmp_path / "b.tar.gz").sha256 != packed.sha256


def test_nothing_of_the_maker_stands_in_it(packed):
    assert packed.path.read_bytes()[4:8] == b"\0\0\0\0", "time of the gzip header"
    with tarfile.open(packed.path, "r:gz") as tar:
        said = {(m.uid, m.gid, m.uname, m.gname, m.mtime, m.mode) for m in tar}
    assert said == {(0, 0, "", "", 0, 0o644)}


def test_packing_twice_is_packing_once(folder, packed):
    before = packed.path.stat().st_ino
    assert archive.pack(folder, packed.path) == packed
    assert packed.path.stat().st_ino == before


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_what_stands_at_the_target_is_never_overwritten(folder, tmp_path, kind):
    target = tmp_path / "x.tar.gz"
    if kind == "file":
        target.write_text("mine")
    else:
        target.mkdir()
    with pytest.raises(ConflictError):
        archive.pack(folder, target)
    assert target.is_dir() if kind == "folder" else target.read_text() == "mine"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["artifact", "x.tar.gz"]


def test_it_is_not_written_into_the_folder_it_is_made_of(folder):
    with pytest.raises(ConflictError):
        archive.pack(folder, folder / "adapter.tar.gz")


@pytest.mark.parametrize("kind", ["link", "dangling", "link to a folder", "pipe"])
def test_a_folder_with_anything_but_files_leaves_no_archive(folder, tmp_path, kind):
    path = folder / "odd"
    if kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to({"link": folder / "README.md", "dangling": "nowhere"}.get(kind, tmp_path))
    with pytest.raises(ArtifactError, match="odd") as caught:
        archive.pack(folder, tmp_path / "out" / "x.tar.gz")
    assert caught.value.code == "copy_failed"
    assert list((tmp_path / "out").iterdir()) == []


def test_an_empty_folder_is_no_artifact(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ArtifactError) as caught:
        archive.pack(tmp_path / "empty", tmp_path / "x.tar.gz")
    assert caught.value.code == "artifact_incomplete"


def test_a_target_below_a_file_is_refused(folder, tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(ArtifactError) as caught:
        archive.pack(folder, tmp_path / "file" / "x.tar.gz")
    assert caught.value.code == "copy_failed"


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from podtune.core.errors import ArtifactError
from podtune.storage import archive
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, resource.RLIM_INFINITY))
try:
    archive.pack(Path(sys.argv[1]), Path(sys.argv[2]))
except ArtifactError as error:
    print(error.code)
"""


def test_a_disk_that_fills_up_leaves_nothing(folder, tmp_path):
    target = tmp_path / "out" / "x.tar.gz"
    said = subprocess.run([sys.executable, "-c", FULL_DISK, folder, target],
        capture_output=True, text=True, check=True)  # fmt: skip
    assert said.stdout.strip() == "copy_failed", said.stderr
    assert list(target.parent.iterdir()) == []


PEAK = """
import sys, tracemalloc
from pathlib import Path
from podtune.storage import archive
tracemalloc.start()
archive.pack(Path(sys.argv[1]), Path(sys.argv[2]))
packing = tracemalloc.get_traced_memory()[1]
tracemalloc.reset_peak()
archive.unpack(Path(sys.argv[2]), Path(sys.argv[3]))
print(max(packing, tracemalloc.get_traced_memory()[1]))
"""


def test_memory_is_flat_for_files_much_larger_than_it(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "weights").write_bytes(os.urandom(1024) * 48 * 1024)
    said = subprocess.run(
        [sys.executable, "-c", PEAK, tmp_path / "a", tmp_path / "a.tar.gz", tmp_path / "b"],
        capture_output=True, text=True, check=True)  # fmt: skip
    assert int(said.stdout) < 12 * 1024**2, "48 MiB went through it"


def test_unpacking_gives_the_folder_back(folder, packed, tmp_path):
    names = archive.unpack(packed.path, tmp_path / "deep" / "back", sha256=packed.sha256)
    back = tmp_path / "deep" / "back"
    assert artifact_folder.checksums(back) == artifact_folder.checksums(folder)
    assert (back / "receipt.json").read_text() == "{}"
    assert sorted(names) == sorted(
        p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()
    )
    assert [p.name for p in (tmp_path / "deep").iterdir()] == ["back"]


def test_an_archive_made_by_tar_is_taken(folder, tmp_path):
    path = tmp_path / "x.tar.gz"
    subprocess.run(["tar", "-czf", path, "-C", folder, "."], check=True)
    archive.unpack(path, tmp_path / "back")
    assert artifact_folder.checksums(tmp_path / "back") == artifact_folder.checksums(folder)


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_long_names_of_either_kind_are_read(tmp_path, form):
    name = "/".join(["folder" * 5] * 6) + "/x"
    with tarfile.open(tmp_path / "x.tar.gz", "w:gz", format=form) as tar:
        header = tarfile.TarInfo(name)
        header.size = 3
        tar.addfile(header, io.BytesIO(b"abc"))
    assert archive.unpack(tmp_path / "x.tar.gz", tmp_path / "back") == (name,)
    assert (tmp_path / "back" / name).read_bytes() == b"abc"


def test_an_empty_folder_is_filled_and_a_full_one_refused(packed, tmp_path):
    (tmp_path / "empty").mkdir()
    archive.unpack(packed.path, tmp_path / "empty")
    assert (tmp_path / "empty" / "README.md").is_file()
    with pytest.raises(ConflictError):
        archive.unpack(packed.path, tmp_path / "empty")


def test_another_archive_than_the_promised_one_is_refused(packed, tmp_path):
    with pytest.raises(ArtifactError) as caught:
        archive.unpack(packed.path, tmp_path / "back", sha256="0" * 64)
    assert caught.value.code == "integrity_mismatch"
    assert not (tmp_path / "back").exists()


@pytest.mark.parametrize(
    "name",
    ["/etc/x", "../x", "a/../../x", "a\\..\\x", "c:x", "C:\\x", ".", "a\nb", "..", "\x1b[2J",
     "\u202egnp"],
)  # fmt: skip
def test_a_name_that_leads_elsewhere_or_hides_is_refused(tmp_path, name):
    path = made(tmp_path / "x.tar.gz", ("good", b"1"), (name, b"bad"))
    with pytest.raises(ArtifactError) as caught:
        archive.unpack(path, tmp_path / "back")
    assert caught.value.code == "archive_unsafe"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["x.tar.gz"]


@pytest.mark.parametrize(
    "kind",
    [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE],
)
def test_links_and_devices_are_refused(tmp_path, kind):
    path = made(tmp_path / "x.tar.gz", (of_kind(kind), b""), ("x/passwd", b"bad"))
    with pytest.raises(ArtifactError, match="plain file") as caught:
        archive.unpack(path, tmp_path / "back")
    assert caught.value.code == "archive_unsafe"
    assert not (tmp_path / "back").exists()


@pytest.mark.parametrize("names", [("a", "a"), ("a", "./a"), ("README.md", "readme.MD")])
def test_two_files_of_one_name_are_refused(tmp_path, names):
    path = made(tmp_path / "x.tar.gz", *((n, b"1") for n in names))
    with pytest.raises(ArtifactError, match="twice"):
        archive.unpack(path, tmp_path / "back")


def test_a_file_where_a_folder_must_be_is_refused(tmp_path):
    path = made(tmp_path / "x.tar.gz", ("a", b"1"), ("a/b", b"2"))
    with pytest.raises(ArtifactError):
        archive.unpack(path, tmp_path / "back")
    assert not (tmp_path / "back").exists()


def test_more_files_than_allowed_are_refused(tmp_path):
    path = made(tmp_path / "x.tar.gz", *((f"f{n}", b"") for n in range(11)))
    assert len(archive.unpack(path, tmp_path / "all", max_files=11)) == 11
    with pytest.raises(ArtifactError, match="over 10 files") as caught:
        archive.unpack(path, tmp_path / "back", max_files=10)
    assert caught.value.code == "archive_too_large"


@pytest.mark.parametrize("where", ["a file", "behind the end"])
def test_a_bomb_is_refused_before_it_fills_the_disk(tmp_path, where):
    zeros = b"\0" * 8_000_000
    content, end = (zeros, b"") if where == "a file" else (b"1", zeros)
    path = made(tmp_path / "x.tar.gz", ("f", content), end=b"\0" * 1024 + end)
    assert path.stat().st_size < 100_000
    with pytest.raises(ArtifactError) as caught:
        archive.unpack(path, tmp_path / "back", max_bytes=1_000_000)
    assert caught.value.code == "archive_too_large"
    assert not (tmp_path / "back").exists()


@pytest.mark.parametrize("kind", [tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE, tarfile.XGLTYPE])
def test_an_extended_header_of_gigabytes_is_not_read(tmp_path, kind):
    header = of_kind(kind)
    header.size = 40 * 1024**3
    path = made(tmp_path / "x.tar.gz", (header, b"path=x\n"), ("f", b"1"))
    with pytest.raises(ArtifactError) as caught:
        archive.unpack(path, tmp_path / "back")
    assert caught.value.code == "archive_damaged"


def test_a_chain_of_extended_headers_is_a_typed_error(tmp_path):
    header = of_kind(tarfile.XHDTYPE)
    header.size = 9
    path = made(tmp_path / "x.tar.gz", *[(header, b"9 path=x\n")] * 3_000, ("f", b"1"))
    with pytest.raises(ArtifactError) as caught:
        archive.unpack(path, tmp_path / "back")
    assert caught.value.code == "archive_damaged"


@pytest.mark.parametrize(
    "content", [b"", b"not gzip", gzip.compress(b"", mtime=0), gzip.compress(b"text", mtime=0)]
)
def test_what_is_no_archive_is_a_typed_error(tmp_path, content):
    (tmp_path / "x.tar.gz").write_bytes(content)
    with pytest.raises(ArtifactError) as caught:
        archive.unpack(tmp_path / "x.tar.gz", tmp_path / "back")
    assert caught.value.code == "archive_damaged"


def test_an_archive_that_is_not_there_is_a_typed_error(tmp_path):
    with pytest.raises(ArtifactError):
        archive.unpack(tmp_path / "x.tar.gz", tmp_path / "back")


def test_something_behind_the_end_is_refused(tmp_path):
    path = made(tmp_path / "x.tar.gz", ("f", b"1"), end=b"\0" * 1024 + b"more")
    with pytest.raises(ArtifactError, match="behind its end"):
        archive.unpack(path, tmp_path / "back")


@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.9, 0.9999])
def test_an_archive_cut_short_is_refused(packed, tmp_path, share):
    content = packed.path.read_bytes()
    (tmp_path / "cut.tar.gz").write_bytes(content[: int(len(content) * share)])
    with pytest.raises(ArtifactError) as caught:
        archive.unpack(tmp_path / "cut.tar.gz", tmp_path / "back")
    assert caught.value.code == "archive_damaged"
    assert not (tmp_path / "back").exists()


@given(st.lists(st.tuples(st.integers(0, 2047), st.integers(1, 255)), min_size=1, max_size=8))
def test_a_damaged_tar_never_ends_in_anything_but_a_typed_error(tmp_path_factory, changes):
    folder = tmp_path_factory.mktemp("damaged")
    plain = bytearray(gzip.decompress(made(folder / "x", ("f", b"1"), ("g", b"2")).read_bytes()))
    for place, change in changes:
        plain[place] ^= change
    (folder / "x").write_bytes(gzip.compress(bytes(plain), 1))
    try:
        names = archive.unpack(folder / "x", folder / "back")
    except ArtifactError:
        assert not (folder / "back").exists()
    else:
        assert all((folder / "back" / name).is_file() for name in names)
    assert {p.name for p in folder.iterdir()} <= {"x", "back"}


@pytest.mark.parametrize(
    ("name", "is_one"),
    [("a.tar.gz", True), ("A.TGZ", True), ("a.gz", False), ("out", False), ("a.tar", False)],
)
def test_the_name_tells_whether_an_archive_is_wanted(tmp_path, name, is_one):
    assert archive.is_archive(tmp_path / name) is is_one


def test_a_plain_tar_is_unpacked_where_that_is_said(tmp_path):
    (tmp_path / "rows.jsonl").write_text("{}\n")
    packed = tmp_path / "bundle.tar"
    with tarfile.open(packed, "w") as tar:
        tar.add(tmp_path / "rows.jsonl", "job/data/rows.jsonl")
    assert archive.unpack(packed, tmp_path / "out", compressed=False) == ("job/data/rows.jsonl",)
    with pytest.raises(ArtifactError):
        archive.unpack(packed, tmp_path / "other")
    assert not (tmp_path / "other").exists()
