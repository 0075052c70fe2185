# ruff: noqa: RUF001 (letters and marks of other scripts are meant)
import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from podtune.core.errors import SpecError
from podtune.data import repairs
from podtune.data.repairs import mend_json, mend_mojibake

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip
objects = st.dictionaries(st.text(max_size=5), values, min_size=1, max_size=3)


@pytest.mark.parametrize(
    ("raw", "value", "repair"),
    [
        ('{"a": 1,}', {"a": 1}, "trailing-comma"),
        ('{"a": [1, 2, ], }', {"a": [1, 2]}, "trailing-comma"),
        ('{"a": 1},', {"a": 1}, "trailing-comma"),
        ('{"a": ",}"},', {"a": ",}"}, "trailing-comma"),
        ('{"a": NaN, "b": -Infinity}', {"a": None, "b": None}, "nan-values"),
        ('{"a": "NaN", "b": NaN,}', {"a": "NaN", "b": None}, "nan-values"),
        ("{'a': 'it is', 'b': None, 'c': True}", {"a": "it is", "b": None, "c": True}, "single-quotes"),
        ("""{'a': "it's"}""", {"a": "it's"}, "single-quotes"),
        ("[{'a': 1}]", [{"a": 1}], "single-quotes"),
        ("{“a”: “b”}", {"a": "b"}, "curly-quotes"),
        ("{„a“: «b»}", {"a": "b"}, "curly-quotes"),
    ],
)  # fmt: skip
def test_what_can_be_mended_and_by_which_repair(raw, value, repair):
    assert mend_json(raw.encode()) == (value, repair)


@pytest.mark.parametrize(
    "raw",
    ["", "{", '{"a": ', '{"a" 1}', "nonsense", "'text'", "{'a': open('x')}", "{'a': __import__('os')}", "{'a': 1 + 1}",
     "[" * 5000, "{'a': " + "[" * 5000, "{'a': '\\ud800'}", '{"a": "b" "c"}', "{'a': 1j}", '{"a": nope}'],
    ids=lambda raw: raw[:20],
)  # fmt: skip
def test_what_cannot_be_mended_without_guessing_stays(raw):
    assert mend_json(raw.encode()) is None


@pytest.mark.filterwarnings("error")
def test_backslashes_that_python_would_warn_of():
    assert mend_json(rb"{'a': 'x\q'}") == ({"a": "x\\q"}, "single-quotes")


@settings(deadline=None)
@given(objects)
def test_a_comma_too_many_changes_no_text(value):
    text = json.dumps(value)
    assert mend_json(f"{text},".encode()) == (value, "trailing-comma")
    assert mend_json(f"{text[:-1]}, }}".encode()) == (value, "trailing-comma")


@settings(deadline=None)
@given(objects)
def test_a_python_dictionary_is_read_as_it_was(value):
    text = repr(value)
    found = mend_json(text.encode(errors="replace"))
    if "'" in text and found is not None and found.repair == "single-quotes":
        assert found.value == value


@settings(deadline=None)
@given(st.text(alphabet="{}[]'\",:\\ abNn1é“", max_size=40))
def test_any_text_is_mended_or_not(text):
    found = mend_json(text.encode())
    assert found is None or found.repair in repairs.REPAIRS


def test_names_are_spelled_as_people_may():
    given_names = frozenset({"Trailing Comma", "role_names", " ALL "})
    assert repairs.checked_names(given_names) == {"trailing-comma", "role-names", "all"}


def test_an_unknown_repair_is_refused_with_the_ones_there_are():
    with pytest.raises(SpecError, match="'magic'") as caught:
        repairs.checked_names(frozenset({"magic", "mojibake"}))
    assert caught.value.code == "unknown_repair"
    assert all(name in caught.value.hint for name in repairs.REPAIRS)


@pytest.mark.parametrize("text", ["Größe für café", "naïve – “quoted”", "Ünï"])
@pytest.mark.parametrize("codec", ["cp1252", "latin-1"])
def test_a_wrong_decoding_is_undone(text, codec):
    damaged = text.encode().decode(codec, errors="ignore")
    if damaged.encode(codec) == text.encode():
        assert mend_mojibake(damaged) == text


@settings(deadline=None)
@given(st.text(alphabet="abc üéß日本", max_size=20))
def test_right_text_is_left_alone(text):
    assert mend_mojibake(text) == text


M = 4 << 20


@pytest.mark.parametrize(
    "raw",
    [
        b'{"a":"' + b'\\"' * (M // 2),
        b'{"a":"' + b'\\"' * (M // 2) + b"\\",
        b'"' * M,
        b'"",' * (M // 3),
        b",}" * (M // 2),
        b"," + b" " * M + b"x",
        b"-nan," * (M // 5),
        b"{'a': NaN, " + b'"' + b"n" * M,
    ],
    ids=["escaped", "backslash", "quotes", "strings", "commas", "blanks", "nans", "text"],
)
def test_four_megabytes_of_nonsense_take_a_second_at_most(raw):
    started = time.process_time()
    mend_json(raw)
    assert time.process_time() - started < 1
