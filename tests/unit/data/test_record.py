import pytest
from pydantic import ValidationError

from podtune.core.spec import Method
from podtune.data.record import Converted, Problem, Reading, ReadOptions, Record, refused


def test_a_record_needs_no_more_than_its_line():
    assert Record(3) == (3, None, None, b"", None)


def test_a_refused_record_has_no_messages():
    one, other = Problem("bad_role"), Problem("not_text", "message 2")
    assert refused(one, other) == Converted(messages=(), problems=(one, other))


def test_nothing_is_chosen_by_default():
    assert ReadOptions().model_dump() == {
        "columns": {}, "speaker": None, "sheet": None, "member": None, "format": None, "fixes": frozenset(),
        "method": Method.SFT,
    }  # fmt: skip


@pytest.mark.parametrize("method", Method)
def test_only_continued_pre_training_reads_plain_text(method):
    assert ReadOptions(method=method).as_text is (method is Method.CPT)


def test_options_are_frozen_and_refuse_unknown_ones():
    with pytest.raises(ValidationError):
        ReadOptions.model_validate({"surprise": 1})
    with pytest.raises(ValidationError):
        ReadOptions().speaker = "Ann"


@pytest.mark.parametrize(
    ("fixes", "consents"),
    [((), False), (("mojibake",), True), (("role-names",), False), (("all",), True)],
)
def test_a_repair_is_consented_to_by_name_or_with_all(fixes, consents):
    assert ReadOptions(fixes=frozenset(fixes)).consents("mojibake") is consents


def test_a_reading_gathers_choices_of_its_own():
    first, second = (Reading(ReadOptions(), lambda problem, line: None, {}) for _ in range(2))
    assert first.choices is not second.choices


def test_what_was_said_in_one_word_stands_under_its_option():
    said = ReadOptions(speaker="Jo", format="slack", columns={"prompt": "q"})
    assert said.named() == {"speaker": "Jo", "format": "slack"}
    assert ReadOptions().named() == {}
