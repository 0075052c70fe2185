"""The closed form of a proposal, and when its text means a value."""

import json

import pytest
from pydantic import ValidationError

from podtune.core.errors import PodtuneError
from podtune.intake.proposal import MOST_FIELDS, Proposal, Proposed, same

ONE = {"field": "epochs", "value": "3", "quote": "3 epochs"}


@pytest.mark.parametrize(
    ("value", "text"),
    [(3, "3"), (2e-4, "0.0002"), (True, "true"), (["A100", "H100"], "A100, H100"), ("x", "x")],
)
def test_values_come_as_text(value, text):
    assert Proposed.model_validate({**ONE, "value": value}).value == text


@pytest.mark.parametrize(
    "wrong",
    [
        {"field": "skip_confirmation"}, {"field": "job_id"}, {"field": "max_usd"}, {"quote": ""}, {"quote": "x" * 401}, {"value": "x" * 401}, {"value": {"a": 1}}, {"why": "because"},
    ],
)  # fmt: skip
def test_nothing_else_fits(wrong):
    with pytest.raises(ValidationError):
        Proposed.model_validate({**ONE, **wrong})


def test_there_is_an_end():
    with pytest.raises(ValidationError):
        Proposal.model_validate({"fields": [ONE] * (MOST_FIELDS + 1)})
    assert not issubclass(ValidationError, PodtuneError)
    assert Proposal.model_validate_json(json.dumps({})).fields == ()


@pytest.mark.parametrize(
    ("text", "value", "fits"),
    [
        ("3", 3, True), ("3.0", 3, True), ("2e-4", 0.0002, True), ("three", 3, False), ("true", True, True), ("no", False, True), ("false", True, False), ("nan", 3, False),
        ("h100, A100", ["A100", "H100"], True), ("A100", ["A100", "H100"], False), ("Private", "private", True), ("private", None, False), ("", "", True),
    ],
)  # fmt: skip
def test_same(text, value, fits):
    assert same(text, value) is fits
