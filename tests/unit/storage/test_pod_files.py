"""Pace and names; fetching itself: test_pod_port.py and tests/worker/pod."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podtune.core.errors import ArtifactError, UnavailableError
from podtune.core.handover import CHUNK_BYTES, RemoteFile
from podtune.storage import pod_files
from podtune.storage.pod_files import FIRST_CHUNK, TRIES, WANTED_CHUNK_S, Pace, safe_name


@given(st.lists(st.floats(1e3, 1e10), max_size=20))
def test_a_piece_stays_within_its_bounds(speeds):
    pace = Pace()
    for speed in speeds:
        length = pace.chunk
        pace.went(length, length / speed)
        assert FIRST_CHUNK <= pace.chunk <= CHUNK_BYTES
        assert pace.chunk <= max(FIRST_CHUNK, speed * WANTED_CHUNK_S)


def test_failures_in_a_row_are_raised():
    slept = []
    pace = Pace(sleep=slept.append)
    error = UnavailableError("no")
    for _ in range(TRIES - 1):
        pace.failed(error)
    with pytest.raises(UnavailableError):
        pace.failed(error)
    assert slept == [1, 2, 3]
    pace.failed(error)
    pace.went(FIRST_CHUNK, 1.0)
    pace.failed(error)
    assert slept == [1, 2, 3, 1, 1]


@given(st.text(max_size=20))
def test_a_safe_name_stays_below_its_folder(name):
    try:
        path = safe_name(name)
    except ArtifactError:
        return
    assert not path.is_absolute()
    assert ".." not in path.parts


def remote(name="a", size=1):
    return RemoteFile(name=name, bytes=size, sha256="0" * 64)


@pytest.mark.parametrize("files", [[remote(str(n)) for n in range(1001)], [remote(size=2**39)]])
def test_a_flood_of_files_is_refused_before_the_first(files):
    with pytest.raises(ArtifactError) as caught:
        pod_files.refuse_flood(files)
    assert caught.value.code == "artifact_too_large"


def test_the_disk_of_this_machine_is_never_filled(tmp_path, monkeypatch):
    """Nothing is asked for: there is no machine behind the wire."""
    usage = pod_files.shutil.disk_usage(tmp_path)
    monkeypatch.setattr(pod_files.shutil, "disk_usage", lambda _: usage._replace(free=2**30 + 5))
    with pytest.raises(UnavailableError) as caught:
        list(pod_files.fetch(None, Pace(), remote(size=6), tmp_path / "a", None))
    assert caught.value.code == "disk_full"
