import hashlib
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podtune.app import hosted_bytes
from podtune.app.hosted_bytes import safe_name, written
from podtune.core.errors import PodtuneError

ROWS = b'{"prompt": "a", "completion": "b"}\n' * 40


@given(st.text(max_size=300))
def test_any_name_is_one_of_a_plain_file_in_its_folder(name):
    kept = safe_name(name)
    assert 0 < len(kept) <= 120
    assert kept.isascii()
    assert not set(kept) & set("/\\\0 ")
    assert kept[0] not in ".-"


@pytest.mark.parametrize(
    ("name", "kept"),
    [("../../etc/passwd", "passwd"), ("C:\\rows.csv", "rows.csv"), ("..", "data.jsonl")],
)
def test_what_a_name_becomes(name, kept):
    assert safe_name(name) == kept


def test_bytes_are_written_and_summed(tmp_path, monkeypatch):
    monkeypatch.setattr(hosted_bytes, "_BLOCK", 100)
    path = tmp_path / "rows"
    assert written(io.BytesIO(ROWS), path, len(ROWS)) == (
        len(ROWS),
        hashlib.sha256(ROWS).hexdigest(),
    )
    assert path.read_bytes() == ROWS


def test_limits_are_kept_while_it_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr(hosted_bytes, "_BLOCK", 100)
    for number, (left, most, code) in enumerate(
        [(len(ROWS) - 1, 2**40, "files_quota"), (None, len(ROWS) - 1, "file_too_large")]
    ):
        monkeypatch.setattr(hosted_bytes, "MAX_BYTES", most)
        with pytest.raises(PodtuneError) as caught:
            written(io.BytesIO(ROWS), tmp_path / f"rows{number}", left)
        assert caught.value.code == code


def test_a_file_that_is_there_is_left_alone(tmp_path):
    path = tmp_path / "rows"
    path.write_bytes(b"another's")
    with pytest.raises(PodtuneError) as caught:
        written(io.BytesIO(ROWS), path, None)
    assert caught.value.code == "cannot_write"
    assert path.read_bytes() == b"another's"
