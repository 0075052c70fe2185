"""What is wrong with a form, in words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from podtune.core.form_faults import SHOWN, faults_of, is_plain, kind_of, shown


class Inner(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

    rate: float = Field(default=0.5, gt=0, lt=1)
    count: int = Field(default=1, ge=1, le=9)
    name: str = Field(default="x", min_length=1, max_length=3)


class Outer(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    id: str
    inner: Inner
    secret: int = 1


KNOWN = {(): tuple(Outer.model_fields), ("inner",): tuple(Inner.model_fields)}


def faults(body):
    with pytest.raises(ValidationError) as caught:
        Outer.model_validate(body)
    return faults_of(caught.value, KNOWN, {"secret"})


@pytest.mark.parametrize(
    ("inner", "expected"),
    [
        ({"rate": "8"}, "inner.rate: must be a number, not the text 8"),
        ({"rate": True}, "inner.rate: must be a number, not true or false"),
        ({"rate": float("nan")}, "inner.rate: must be a number that is finite (got nan)"),
        ({"rate": 10**400}, "inner.rate: must be a number (got a huge number)"),
        ({"rate": 0}, "inner.rate: must be over 0 (got 0)"),
        ({"rate": 1}, "inner.rate: must be under 1 (got 1)"),
        ({"count": 0}, "inner.count: must be at least 1 (got 0)"),
        ({"count": 10**20}, "inner.count: must be at most 9 (got a huge number)"),
        ({"count": 1.5}, "inner.count: must be a whole number (got 1.5)"),
        ({"count": [1]}, "inner.count: must be a whole number, not a list"),
        ({"name": ""}, "inner.name: must not be empty (got '')"),
        ({"name": "abcd"}, "inner.name: must have at most 3 characters (got abcd)"),
        ({"name": {}}, "inner.name: must be text, not an object"),
        ({"name": None}, "inner.name: is missing"),
        ({"nmae": 1}, "inner.nmae: unknown, did you mean name?"),
        ({"id": 1}, "inner.id: unknown here, it belongs to the top"),
        ({"zzz": 1}, "inner.zzz: unknown"),
    ],
)
def test_a_fault_in_words(inner, expected):
    assert faults({"id": "a", "inner": inner}) == [expected]


def test_all_faults_at_once_in_the_order_of_the_fields():
    assert faults({"inner": {"rate": 2, "count": "x"}, "rate": 1}) == [
        "id: is missing",
        "inner.rate: must be under 1 (got 2)",
        "inner.count: must be a whole number, not the text x",
        "rate: unknown here, it belongs into inner",
    ]


def test_values_that_may_be_secret_are_not_shown():
    (told,) = faults({"id": "a", "inner": {}, "secret": "hush"})
    assert told == "secret: must be a whole number, not the text"


def test_a_section_that_is_none():
    assert faults({"id": "a", "inner": [1]}) == ["inner: must be a JSON object, not a list"]


def test_a_name_that_is_no_unicode():
    assert faults({"id": "a", "inner": {}, "\ud800": 1}) == ["must be valid Unicode"]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a_b-c.1", "a_b-c.1"),
        ("a b", "'a b'"),
        ("", "''"),
        ("x" * 100, ascii("x" * (SHOWN - 3) + "...").strip("'")),
        ("https://x.example/a?token=secret", "'https://x.example/a'"),
        ("hf_abcdefghijklmnop", "'***'"),
        ("\ud800\x00", "'\\ud800\\x00'"),
        (float("inf"), "inf"),
        (2e-4, "0.0002"),
    ],
)
def test_how_a_value_is_shown(value, expected):
    assert shown(value) == expected


def test_a_number_that_cannot_even_be_printed():
    assert shown(10**5000) == "a huge number"


@given(st.text())
def test_what_is_shown_is_short_and_printable(text):
    assert len(shown(text)) <= 10 * SHOWN
    assert shown(text).isprintable()
    shown(text).encode("ascii")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "null"), (True, "true or false"), ("", "the text"), (1.5, "a number"),
        (float("nan"), "NaN"), (1, "a number"), ([], "a list"), ({}, "an object"),
        (object(), "something else"),
    ],
)  # fmt: skip
def test_what_json_calls_a_value(value, expected):
    assert kind_of(value) == expected


def test_plain_text():
    assert is_plain("aZ9_", "_")
    assert not is_plain("a b", "_")
    assert not is_plain("²", "_")
