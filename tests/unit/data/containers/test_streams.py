import gzip
import io
import os
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from podtune.core.errors import DatasetError, NotFoundError, UnsupportedError
from podtune.data.containers import streams
from support import data_files as make

TEXT = "".join(f"line {i * i}\n" for i in range(2000)).encode()


def write(folder, raw):
    path = folder / "rows.bin"
    path.write_bytes(raw)
    return path


def read(path):
    with streams.opened(path, streams.compression_of(path)) as stream:
        return stream.read()


def lines(raw, codec="utf-8", **options):
    return list(streams.lines(io.BytesIO(raw), codec, **options))


@pytest.mark.parametrize(
    ("pack", "name"), [(bytes, ""), (make.gz, ".gz"), (make.zst, ".zst")], ids=["plain", "gz", "zst"]
)  # fmt: skip
def test_the_bytes_come_out_whatever_the_compression(tmp_path, pack, name):
    path = write(tmp_path, pack(TEXT))
    assert streams.compression_of(path) == name
    assert read(path) == TEXT


@pytest.mark.parametrize("pack", [make.gz, make.zst])
def test_packed_parts_one_after_another_are_one(tmp_path, pack):
    assert read(write(tmp_path, pack(TEXT) + pack(b"end\n"))) == TEXT + b"end\n"


@pytest.mark.parametrize("pack", [make.gz, make.zst])
@pytest.mark.parametrize("damage", [lambda raw: raw[:-9], lambda raw: raw[:40] + b"\0\xff\0\xff" + raw[44:]])  # fmt: skip
def test_damage_is_our_error(tmp_path, pack, damage):
    with pytest.raises(DatasetError) as caught:
        read(write(tmp_path, damage(pack(TEXT))))
    assert caught.value.code == "damaged_file"


@pytest.mark.parametrize("pack", [make.gz, make.zst])
def test_a_bomb_is_stopped_by_its_ratio(tmp_path, pack):
    with pytest.raises(DatasetError) as caught:
        read(write(tmp_path, pack(bytes(32 << 20))))
    assert caught.value.code == "decompression_bound"


def test_a_small_file_may_grow_as_it_likes(tmp_path):
    assert len(read(write(tmp_path, make.gz(bytes(8 << 20))))) == 8 << 20


def test_size_is_bounded_too(tmp_path, monkeypatch):
    monkeypatch.setattr(streams, "MAX_DECODED", 1000)
    with pytest.raises(DatasetError) as caught:
        read(write(tmp_path, make.gz(TEXT)))
    assert caught.value.code == "decompression_bound"


def test_a_missing_file(tmp_path):
    with pytest.raises(NotFoundError) as caught:
        streams.compression_of(tmp_path / "nothing.jsonl")
    assert caught.value.code == "file_not_found"


def test_a_directory_and_a_pipe_are_no_files(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(DatasetError) as caught:
            streams.compression_of(path)
        assert caught.value.code == "is_directory"


def test_zst_without_its_library(tmp_path, monkeypatch):
    path = write(tmp_path, make.zst(TEXT))
    monkeypatch.setitem(sys.modules, "zstandard", None)
    with pytest.raises(UnsupportedError) as caught:
        read(path)
    assert caught.value.code == "library_missing"


@settings(deadline=None)
@given(st.lists(st.binary(max_size=20).map(lambda b: b.replace(b"\n", b"").replace(b"\r", b"")), max_size=8))  # fmt: skip
def test_lines_are_what_stands_between_line_ends(parts):
    expected = [*parts] if not parts or parts[-1] else parts[:-1]
    for end in (b"\n", b"\r\n"):
        assert lines(end.join(parts)) == expected


def test_a_mark_is_left_out_of_the_first_line_only():
    assert lines(b"\xef\xbb\xbfa\n\xef\xbb\xbfb", "utf-8-sig") == [b"a", b"\xef\xbb\xbfb"]


@pytest.mark.parametrize("codec", ["utf-16", "utf-16-le", "utf-32", "cp1252", "shift_jis"])
def test_text_in_other_encodings_becomes_utf8(codec):
    text = "one\r\nzwei\n三\n" if codec not in {"cp1252"} else "one\r\nzwölf\n"
    assert lines(text.encode(codec), codec) == text.encode().replace(b"\r", b"").split(b"\n")[:-1]
    assert b"".join(streams.blocks(io.BytesIO(text.encode(codec)), codec)) == text.encode()


def test_a_bare_return_ends_a_line_where_it_is_said():
    assert lines(b"a\rb\rc", lone_cr=True) == [b"a", b"b", b"c"]
    assert b"".join(streams.blocks(io.BytesIO(b"a\rb"), lone_cr=True)) == b"a\nb"


def test_bytes_that_do_not_decode_are_replaced():
    assert lines(b"a\x00\x00\xd8\n\x00b", "utf-16-le") == ["a\ufffd".encode(), "\ufffd".encode()]


@pytest.mark.parametrize("codec", ["utf-8", "cp1252"])
def test_a_line_beyond_the_bound_comes_cut_and_the_next_is_whole(monkeypatch, codec):
    monkeypatch.setattr(streams, "MAX_LINE", 10)
    first, second = lines(b"x" * 5000 + b"\nnext\n", codec)
    assert (len(first), second) == (11, b"next")


@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("block", [1, 3, 1 << 20])
def test_blocks_are_the_whole_text_without_its_mark(monkeypatch, codec, block):
    monkeypatch.setattr(streams, "BLOCK", max(block, 3))
    text = "é\n" * 20 + "x"
    assert b"".join(streams.blocks(io.BytesIO(text.encode(codec)), codec)) == text.encode()


@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_nothing_gives_nothing(codec):
    assert lines(b"", codec) == []
    assert b"".join(streams.blocks(io.BytesIO(b""), codec)) == b""


def test_lines_left_unread_disturb_nothing(tmp_path):
    path = write(tmp_path, "a\nb\n".encode("utf-16"))
    with streams.opened(path, "") as stream:
        unread = streams.lines(stream, "utf-16")
        assert next(unread) == b"a"
    unread.close()


def test_a_gz_without_content_is_empty(tmp_path):
    assert read(write(tmp_path, gzip.compress(b""))) == b""


def test_nuls_at_the_end_are_no_line():
    assert lines(b"a\nb" + bytes(9)) == [b"a", b"b"]
    assert lines(b"a\n" + bytes(9)) == [b"a"]
    assert lines(b"a\0b\n") == [b"a\0b"]


@pytest.mark.parametrize("end", [b"", b"\n", b"\r", b"\r\n"])
def test_bare_returns_with_another_end_behind_the_last(end):
    assert lines(b"a\rb" + end, lone_cr=True) == [b"a", b"b"]
