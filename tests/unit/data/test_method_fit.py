"""Which rows fit which method, row by row and for a source as a whole."""

import pytest

from podtune.core.dataset import TEXT_ROLE, Message
from podtune.core.errors import DatasetError, SpecError
from podtune.core.spec import Method
from podtune.data import method_fit
from podtune.data.findings import CODES
from podtune.data.record import Converted
from support import build

TALK = (Message("user", "Why?"), Message("assistant", "So."))
ROWS = {
    "conversation": Converted(TALK),
    "pair": Converted(TALK, rejected=(Message("assistant", "No."),)),
    "good": Converted(TALK, label=True),
    "bad": Converted(TALK, label=False),
    "text": Converted((Message(TEXT_ROLE, "Once."),)),
}
FITS = {
    ("conversation", "sft"): [], ("pair", "sft"): ["method_mismatch_sft"], ("good", "sft"): [],
    ("bad", "sft"): ["rated_bad"], ("text", "sft"): ["plain_text"],
    ("conversation", "dpo"): ["no_pair"], ("pair", "dpo"): [], ("good", "dpo"): ["no_pair"],
    ("bad", "dpo"): ["no_pair"], ("text", "dpo"): ["plain_text"],
    ("conversation", "kto"): ["not_rated"], ("pair", "kto"): [], ("good", "kto"): [],
    ("bad", "kto"): [], ("text", "kto"): ["plain_text"],
    ("conversation", "cpt"): ["not_plain_text"], ("pair", "cpt"): ["not_plain_text"],
    ("good", "cpt"): ["not_plain_text"], ("bad", "cpt"): ["not_plain_text"], ("text", "cpt"): [],
}  # fmt: skip


@pytest.mark.parametrize(("row", "method"), FITS, ids=str)
def test_each_kind_of_row_for_each_method(row, method):
    found = [p.code for p in method_fit.problems(ROWS[row], Method(method))]
    assert found == FITS[row, method]


@pytest.mark.parametrize("row", ROWS)
def test_orpo_takes_what_dpo_takes(row):
    assert method_fit.problems(ROWS[row], Method.ORPO) == method_fit.problems(ROWS[row], Method.DPO)


def test_only_the_better_answer_of_a_pair_may_be_learnt_with_a_warning():
    severities = {code: CODES[code].severity for codes in FITS.values() for code in codes}
    assert severities.pop("method_mismatch_sft") == "warning"
    assert set(severities.values()) == {"error"}


def test_a_method_is_found_by_its_name():
    assert [method_fit.of_name(method.value) for method in Method] == list(Method)
    with pytest.raises(SpecError, match="grpo") as caught:
        method_fit.of_name("grpo")
    assert (caught.value.code, "dpo" in caught.value.hint) == ("unknown_method", True)


def test_every_method_says_what_it_needs():
    assert set(method_fit.NEEDS) == set(Method)


def test_a_source_of_other_data_is_refused_with_both_sides():
    report = build.report(20, good_rows=0, counts={"no_pair": 20})
    with pytest.raises(DatasetError, match="dpo needs pairs") as caught:
        method_fit.refuse_other_data(report, Method.DPO)
    assert caught.value.code == "method_mismatch"
    assert "chat_messages" in caught.value.message
    assert "method=sft" in caught.value.hint


def test_plain_text_is_refused_with_the_method_that_takes_it():
    report = build.report(0, good_rows=0, counts={"plain_text": 1}, format="unknown")
    with pytest.raises(DatasetError, match="plain text") as caught:
        method_fit.refuse_other_data(report, Method.SFT)
    assert caught.value.code == "method_mismatch"
    assert "method=cpt" in caught.value.hint


@pytest.mark.parametrize(
    "changes",
    [{"good_rows": 3, "counts": {"no_pair": 17}}, {"good_rows": 0, "counts": {"bad_json": 20}},
     {"rows": 0, "good_rows": 0, "counts": {}}],
    ids=str,
)  # fmt: skip
def test_a_source_with_good_rows_or_other_faults_is_left_to_others(changes):
    report = build.report(20, **changes)
    method_fit.refuse_other_data(report, Method.DPO)
    assert method_fit.other_method(report) is None


@pytest.mark.parametrize(
    ("code", "other"),
    [("no_pair", Method.SFT), ("not_rated", Method.SFT), ("not_plain_text", Method.SFT),
     ("plain_text", Method.CPT)],
)  # fmt: skip
def test_another_method_takes_what_one_cannot_use(code, other):
    report = build.report(20, good_rows=0, counts={code: 20})
    assert method_fit.other_method(report) is other
