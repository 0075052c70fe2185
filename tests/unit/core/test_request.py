import pytest
from pydantic import ValidationError

from podtune.core.request import TrainingRequest


def test_nothing_is_stated_unless_somebody_says_so():
    request = TrainingRequest()
    assert request.stated == {}
    assert request.minutes is None


def test_requests_do_not_share_what_was_stated():
    assert TrainingRequest().stated is not TrainingRequest().stated


def test_survives_json():
    request = TrainingRequest(
        stated={"training.epochs": 3, "training.effective_batch": {"tokens": 512}}, minutes=2.5
    )
    assert TrainingRequest.model_validate_json(request.model_dump_json()) == request


@pytest.mark.parametrize("minutes", [0, -1, float("nan"), "soon"])
def test_minutes_are_over_zero(minutes):
    with pytest.raises(ValidationError, match="minutes"):
        TrainingRequest(minutes=minutes)


def test_an_unknown_key_is_refused():
    with pytest.raises(ValidationError, match="epochs"):
        TrainingRequest.model_validate({"epochs": 3})


def test_is_frozen():
    with pytest.raises(ValidationError, match="frozen"):
        TrainingRequest().minutes = 3


def test_words_and_reasons_are_left_out_where_there_are_none():
    assert TrainingRequest(stated={"a": 1}).model_dump_json() == '{"stated":{"a":1},"minutes":null}'


def test_words_and_reasons_survive_json():
    request = TrainingRequest(
        stated={"where.max_usd": 5},
        quotes={"where.max_usd": "under $5"},
        assumed={"base_model.name": "the usual"},
        told=("export: not built",),
    )
    assert TrainingRequest.model_validate_json(request.model_dump_json()) == request


@pytest.mark.parametrize(
    "given",
    [
        {"quotes": {"a": "x" * 201}},
        {"assumed": {"a": "x" * 501}},
        {"told": ["x" * 501]},
        {"quotes": {str(n): "x" for n in range(101)}},
        {"told": ["x"] * 101},
    ],
)
def test_words_and_reasons_are_bounded(given):
    with pytest.raises(ValidationError):
        TrainingRequest(**given)
