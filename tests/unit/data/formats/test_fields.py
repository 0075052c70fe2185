import pytest
from hypothesis import given
from hypothesis import strategies as st

from podtune.data.formats import fields

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@pytest.mark.parametrize(
    ("value", "expected"),
    [(7, "7"), ("7", "7"), (" a ", "a"), (True, ""), (None, ""), (1.5, ""), ([], "")],
)
def test_ids_are_compared_as_text(value, expected):
    assert fields.identity(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0, 0.0),
        ("1612345678.000200", 1612345678.0002),
        ("1970-01-01T00:01:00Z", 60.0),
        ("1970-01-01T01:01:00+01:00", 60.0),
        ("1970-01-01 00:01:00", 60.0),
        (True, None),
        ("inf", None),
        (10**400, None),
        ("yesterday", None),
        (None, None),
        ("9" * 5000, None),
    ],
)
def test_moments_in_every_spelling(value, expected):
    assert fields.moment(value) == expected


def test_entries_are_sorted_only_when_every_time_is_known():
    later, sooner, timeless = {"at": 2}, {"at": 1}, {}
    assert fields.in_time_order([later, sooner], "at") == [sooner, later]
    assert fields.in_time_order([later, sooner, timeless], "at") == [later, sooner, timeless]


def test_neighbours_of_one_speaker_become_one_turn():
    turns = [("user", "a"), ("user", ""), ("user", "b"), (None, "c"), ("assistant", "d")]
    assert fields.joined(turns) == [
        {"role": "user", "content": "a\n\nb"},
        {"content": "c"},
        {"role": "assistant", "content": "d"},
    ]


def test_html_is_noted_once_a_text():
    notes = []
    assert fields.plain("<p>Tea &amp; cake</p>", notes.append) == "Tea & cake"
    assert [n.code for n in notes] == ["html_stripped"]
    assert fields.plain("a < b", notes.append) == "a < b"
    assert fields.plain("one&nbsp;two", notes.append) == "one\xa0two"
    assert len(notes) == 1


@given(ANYTHING)
def test_whatever_comes_the_kind_is_kept(value):
    assert isinstance(fields.text(value), str)
    assert isinstance(fields.identity(value), str)
    assert all(isinstance(part, dict) for part in fields.objects(value))
    assert fields.moment(value) is None or isinstance(fields.moment(value), float)
    fields.mapping(value).get("x")
