import datetime
import decimal
import sys

import pyarrow as arrow
import pytest

from podtune.core.errors import DatasetError, UnsupportedError
from podtune.data.containers import columnar
from support import data_files as make


def read(folder, columns, **options):
    path = folder / "rows.parquet"
    path.write_bytes(make.parquet_file(columns, **options))
    return list(columnar.records(path))


def values(found):
    return [record.value for record in found]


def test_rows_are_records_without_lines(tmp_path):
    found = read(tmp_path, {"prompt": ["a", "b"], "completion": ["x", None]})
    assert values(found) == [{"prompt": "a", "completion": "x"}, {"prompt": "b", "completion": None}]  # fmt: skip
    assert [(record.line, record.problem) for record in found] == [(None, None)] * 2


def test_nested_values_lose_their_nulls(tmp_path):
    turns = [
        {"role": "user", "content": "Hi", "name": None},
        {"role": "assistant", "content": "Yo", "name": "ann"},
    ]
    kind = arrow.list_(arrow.struct([(k, arrow.string()) for k in ("role", "content", "name")]))
    found = read(tmp_path, {"messages": arrow.array([turns], kind)})
    assert values(found) == [{"messages": [{"role": "user", "content": "Hi"}, turns[1]]}]


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (b"caf\xc3\xa9", "café"),
        (b"caf\xe9", "caf\ufffd"),
        (decimal.Decimal("1.50"), "1.50"),
        (datetime.date(2024, 2, 1), "2024-02-01"),
        (datetime.datetime(2024, 2, 1, 8, 30), "2024-02-01T08:30:00"),  # noqa: DTZ001
        (7, 7),
        (True, True),
        (0.5, 0.5),
    ],
)
def test_values_are_as_json_has_them_and_the_rest_as_text(tmp_path, given, text):
    assert values(read(tmp_path, {"a": [given]})) == [{"a": text}]


def test_all_batches_are_read_in_order(tmp_path):
    count = 2 * columnar.BATCH + 3
    found = read(tmp_path, {"n": list(range(count))}, row_group_size=100)
    assert [record.value["n"] for record in found] == list(range(count))


def test_no_rows(tmp_path):
    assert read(tmp_path, {"a": arrow.array([], arrow.string())}) == []


def test_too_many_rows_are_refused_before_they_are_read(tmp_path, monkeypatch):
    monkeypatch.setattr(columnar, "MAX_ROWS", 2)
    with pytest.raises(DatasetError) as caught:
        read(tmp_path, {"n": [1, 2, 3]})
    assert caught.value.code == "too_many_rows"


@pytest.mark.parametrize("cut", [5, 30, 200])
def test_a_damaged_file(tmp_path, cut):
    path = tmp_path / "rows.parquet"
    path.write_bytes(make.parquet_file({"a": ["x"] * 50})[:-cut])
    with pytest.raises(DatasetError) as caught:
        list(columnar.records(path))
    assert caught.value.code == "damaged_file"


def test_text_that_is_no_utf8_is_our_error(tmp_path):
    broken = arrow.StringArray.from_buffers(1, arrow.py_buffer(b"\0\0\0\0\2\0\0\0"), arrow.py_buffer(b"\xff\xfe"))  # fmt: skip
    with pytest.raises(DatasetError):
        read(tmp_path, {"a": broken})


def test_without_the_library_the_hint_names_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UnsupportedError) as caught:
        list(columnar.records(tmp_path / "rows.parquet"))
    assert (caught.value.code, caught.value.hint) == ("library_missing", "pip install 'podtune[files]'")  # fmt: skip
