"""Bodies of `/v1/plans`: one of three ways to say it, nothing converted, no value in an error."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podtune.core.errors import SpecError
from podtune.gateway import plans_body

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def test_a_sentence_with_answers():
    wish = plans_body.wish_of({"request": "train it", "answers": {"budget": 5}})
    assert wish == ("train it", {}, {"budget": 5}, None)


def test_a_spec_is_taken_by_its_paths():
    spec = {
        "base_model": "org/name",
        "training": {"epochs": 2},
        "data": {"columns": {"prompt": "q"}},
    }
    wish = plans_body.wish_of({"spec": spec, "minutes": 3})
    assert wish.stated == {
        "base_model.name": "org/name", "training.epochs": 2, "data.columns": {"prompt": "q"},
    }  # fmt: skip
    assert wish.minutes == 3


@pytest.mark.parametrize("body", [{}, {"request": "a", "spec": {}}, {"spec": {}, "stated": {}}])
def test_one_way_and_no_other(body):
    with pytest.raises(SpecError, match="one of request, spec and stated"):
        plans_body.wish_of(body)


def test_a_field_that_is_none_is_named():
    with pytest.raises(SpecError) as caught:
        plans_body.wish_of({"spec": {"training": {"epoch": 1}}})
    assert caught.value.code == "unknown_field"


def test_no_token_stands_in_an_error():
    with pytest.raises(SpecError) as caught:
        plans_body.token_of({"token": "ptp_planted" * 30, "more": 1})
    assert "planted" not in str(caught.value.to_json())


@given(JSON)
def test_whatever_comes_is_a_wish_or_an_error_of_ours(data):
    for read in (plans_body.wish_of, plans_body.token_of):
        with contextlib.suppress(SpecError):
            read(data)
