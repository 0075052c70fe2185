"""Ratings beside answers: which values are one, and what becomes of the row."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podtune.core.dataset import Message
from podtune.data.formats import rated
from podtune.data.record import Converted

ROW = Converted((Message("user", "Why?"), Message("assistant", "So.")))


def labelled(fields, *, wanted=None, is_asked=False):
    return rated.labelled(ROW, fields, wanted=wanted, is_asked=is_asked)


@pytest.mark.parametrize(
    ("value", "expected"),
    [(True, True), (False, False), ("up", True), (" Down ", False), ("TRUE", True), ("false", False),
     ("Thumbs_Up", True), ("thumbs down", False), ("\U0001f44d", True), ("\U0001f44e", False),
     ("good", True), ("Bad", False), ("-1", False), (-1, False), ("+1", True)],
)  # fmt: skip
def test_values_that_are_a_rating_anywhere(value, expected):
    assert rated.of_value(value, loosely=False) is expected
    assert rated.of_value(value, loosely=True) is expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [(1, True), (0, False), ("1", True), ("0", False), (1.0, True), (0.0, False), ("yes", True), ("No", False)],
)  # fmt: skip
def test_values_that_are_one_where_ratings_are_asked_for(value, expected):
    assert rated.of_value(value, loosely=False) is None
    assert rated.of_value(value, loosely=True) is expected


@pytest.mark.parametrize("value", [None, "", 5, 4.5, "3", "billing", [], {}, [True], "so-so"])
def test_values_that_are_none(value):
    assert rated.of_value(value, loosely=True) is None


@pytest.mark.parametrize("key", rated.KEYS)
def test_every_key_is_found_however_it_is_spelled(key):
    assert rated.key_of({"x": 1, f" {key.upper()} ": True}) == f" {key.upper()} "
    assert rated.fits({key: "good"})
    assert rated.key_of({"x": 1}) is None
    assert not rated.fits({"x": "good"})


@pytest.mark.parametrize("key", rated.THUMBS)
def test_a_thumb_may_be_a_number(key):
    assert rated.fits({key: 0})
    assert labelled({key: 1}).label is True


def test_a_class_or_a_number_of_stars_is_no_rating():
    for fields in ({"label": 1}, {"label": "billing"}, {"rating": 5}, {"rating": 1}):
        assert not rated.fits(fields)
        assert labelled(fields) == ROW


def test_a_rating_stands_beside_the_conversation():
    assert labelled({"label": False}) == ROW._replace(label=False)
    assert labelled({"other": False}) == ROW


def test_a_key_that_somebody_named_goes_first_and_is_taken_at_its_word():
    fields = {"label": True, "was ok": "no"}
    assert labelled(fields, wanted="was ok").label is False
    assert labelled({"label": True}, wanted="was ok").label is None


@pytest.mark.parametrize("empty", [None, ""])
def test_a_row_that_nobody_rated_stays_unrated(empty):
    assert labelled({"label": empty}, is_asked=True).label is None


@pytest.mark.parametrize("asking", [{"is_asked": True}, {"wanted": "rating"}])
def test_a_rating_that_cannot_be_read_keeps_the_row_out_where_it_is_asked_for(asking):
    found = labelled({"rating": 4}, **asking)
    assert found.messages == ()
    assert [p.code for p in found.problems] == ["bad_label"]
    assert "4" not in str(found.problems[0].detail)


def test_a_row_that_is_refused_already_is_left_alone():
    refused = Converted((), ROW.problems)
    assert rated.labelled(refused, {"label": True}, wanted=None, is_asked=True) == refused


@given(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.booleans())
)
def test_any_value_is_good_bad_or_neither(value):
    strict, loose = (rated.of_value(value, loosely=loosely) for loosely in (False, True))
    assert strict in (True, False, None)
    assert strict is None or strict is loose
