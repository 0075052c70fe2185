import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from podtune.data.containers import json_elements, json_text, json_wrapping, streams
from podtune.data.record import Problem

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(max_size=12),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=8,
)
objects = st.dictionaries(st.text(max_size=6), values, max_size=4)


def document(text, size=None):
    """Records of a document that comes in blocks of `size` bytes."""
    raw = text.encode()
    size = size or max(1, len(raw))
    chunks = [raw[at : at + size] for at in range(0, len(raw), size)]
    return list(json_text.from_document(chunks, text, lambda problem, line: None))


def found(records):
    return [(record.line, record.value if record.problem is None else record.problem.code) for record in records]  # fmt: skip


def test_lines_are_records_at_their_lines():
    lines = [b'{"a": 1}', b"", b"  ", b"{", b' {"b": 2} ']
    assert found(json_text.from_lines(lines)) == [
        (1, {"a": 1}),
        (2, "empty_line"),
        (3, "empty_line"),
        (4, "bad_json"),
        (5, {"b": 2}),
    ]


def test_a_record_keeps_its_bytes_for_those_who_mend_it():
    record = json_text.decode(b"{'a': 1}", 7)
    assert (record.line, record.raw, record.value) == (7, b"{'a': 1}", None)


@pytest.mark.parametrize(
    "raw",
    [b"nonsense", b'{"a": NaN}', b"{'a': 1}", b'{"a": "\\ud800"}', b'{"a": 1e999999}', b'{"a": "\xff"}',
     b"[" * 5000, b'{"a":' * 50_000, b"1" * 5000, b'{"a": "tab\tinside"}', b""],
    ids=lambda raw: repr(raw[:12]),
)  # fmt: skip
def test_what_is_no_json_is_a_problem_and_no_exception(raw):
    problem = json_text.decode(raw, 3).problem
    assert problem is not None
    assert problem.code == "bad_json"


@settings(deadline=None)
@given(st.text(max_size=40))
def test_a_reason_never_quotes_the_row(text):
    marker = f"Mx93kQ{text}"
    problem = json_text.decode(f'{{"a": {marker}'.encode(errors="replace"), 1).problem
    assert "Mx93kQ" not in (problem.detail or "")


def test_a_record_beyond_the_bound_is_not_decoded(monkeypatch):
    monkeypatch.setattr(json_text, "MAX_LINE", 1 << 20)
    assert json_text.decode(b'"' + b"x" * (1 << 20) + b'"', 1).problem == Problem("bad_json", "longer than 1 MiB")  # fmt: skip


@pytest.mark.parametrize(
    ("head", "shape"),
    [
        ('{"a": 1}\n{"a": 2}\n', "jsonl"),
        ('{"a": 1},\n{"a": 2},\n', "jsonl"),
        ('{"a": \n{"a": 2}\n{"a": 3}\n', "jsonl"),
        ("{\"a\": 1, 'b'}\n", "jsonl"),
        ('{"a": 1}\n', "json"),
        ('{"data": [{"a": 1}]}', "json"),
        ('{\n "a": 1\n}\n', "json"),
        ('{\n "a": 1\n}\n{\n "a": 2\n}\n', "json_stream"),
        ('[{"a": 1}]', "json"),
        ("[\n {}\n]", "json"),
        ("[1]\n[2]\n", "jsonl"),
    ],
)
def test_the_shape_is_told_by_the_beginning(head, shape):
    assert json_text.shape(head) == shape


@settings(deadline=None)
@given(st.lists(objects, max_size=6), st.integers(1, 40), st.sampled_from([None, 1, "\t"]))
def test_an_array_in_blocks_of_any_size_gives_its_elements_at_their_lines(rows, size, indent):
    text = json.dumps(rows, indent=indent, ensure_ascii=False)
    records = document(text, size)
    assert [record.value for record in records] == rows
    lines, at = [], 1
    for row in rows:  # each element is indented as a whole, so its lines can be counted
        at += indent is not None
        lines.append(at)
        at += json.dumps(row, indent=indent).count("\n")
    assert [record.line for record in records] == lines


@settings(deadline=None)
@given(st.lists(objects, min_size=1, max_size=6), st.integers(1, 40))
def test_objects_side_by_side_in_blocks_of_any_size(rows, size):
    parts = [json.dumps(row, indent=2, ensure_ascii=False) for row in rows]
    records = document("\n".join(parts), size)
    starts = [1 + sum(part.count("\n") + 1 for part in parts[:n]) for n in range(len(parts))]
    if json_wrapping.wrapped(rows[0]).depth == 0:
        assert [(record.line, record.value) for record in records] == list(zip(starts, rows, strict=True))  # fmt: skip


@settings(deadline=None)
@given(st.lists(objects, min_size=1, max_size=6), st.integers(1, 40))
def test_an_array_under_a_key(rows, size):
    text = json.dumps({"version": 2, "data": rows, "notes": [[{"a": "]}"}]]}, indent=1)
    records = document(text, size)
    assert [record.value for record in records] == rows
    assert records[0].line == 4


def test_the_sides_of_a_split_are_told_and_the_rest_is_left_out():
    text = json.dumps({"info": {"rows": [{"z": 1}]}, "train": [{"a": 1}], "validation": [{"b": 1}]})
    assert [(r.value, r.split) for r in document(text)] == [
        ({"a": 1}, "train"),
        ({"b": 1}, "validation"),
    ]


def test_one_bad_element_costs_one_row():
    text = '[\n{"a": 1},\n{"a": nope},\n{"a": 3}\n]'
    assert found(document(text)) == [(2, {"a": 1}), (3, "bad_json"), (4, {"a": 3})]


def test_text_between_the_elements_is_one_bad_row():
    text = '[\n{"a": 1},\n nonsense,\n{"a": 3}\n]'
    assert found(document(text)) == [(2, {"a": 1}), (3, "bad_json"), (4, {"a": 3})]


def test_an_element_that_never_closes_is_said():
    assert found(document('[\n{"a": 1},\n{"a": [\n')) == [(2, {"a": 1}), (3, "bad_json")]


def test_brackets_and_escapes_in_texts_are_no_brackets():
    rows = [{"a": '}]"\\'}, {"a": "[{"}, {"b": '\\"'}]
    for size in (1, 2, 3, 1000):
        assert [record.value for record in document(json.dumps(rows), size)] == rows


def test_record_separators_stand_between_texts():
    assert found(document('\x1e{"a": 1}\n\x1e{"a": 2}\n')) == [(1, {"a": 1}), (2, {"a": 2})]


@pytest.mark.parametrize("text", ['{"a": "' + "x" * 500, "[" + '{"a": [' * 200])
def test_an_element_beyond_the_bound_ends_the_document_with_one_bad_row(monkeypatch, text):
    monkeypatch.setattr(json_text, "MAX_LINE", 100)
    monkeypatch.setattr(json_elements, "MAX_LINE", 100)
    records = document(text, 50)
    assert [record.problem.code for record in records] == ["bad_json"]


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet='{}[]",:\\ \nab1', max_size=60), st.integers(1, 20))
def test_any_text_gives_records_with_rising_lines(text, size):
    records = document(text, size)
    lines = [record.line for record in records]
    assert lines == sorted(lines)
    assert all(1 <= line <= text.count("\n") + 1 for line in lines)
    assert document(text) == records or json_text.shape(text) == "jsonl"


def test_the_bound_is_that_of_lines():
    assert json_text.MAX_LINE == streams.MAX_LINE
