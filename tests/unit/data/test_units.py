"""What a method trains on, and how long its units are."""

import pytest

from podtune.core.dataset import TEXT_ROLE, Conversation, Message
from podtune.core.errors import DatasetError
from podtune.core.spec import Method
from podtune.data import masks, units
from podtune.data.masks import Example
from podtune.data.preferences import Pair, Rated
from support import build


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return build.tokenizer_folder(tmp_path_factory.mktemp("tokenizer"))


def row(line=1, **more):
    return build.conversation("How do I reset it?", "Hold the key.", line)._replace(**more)


WORSE = (Message("assistant", "No idea."),)
ROWS = {
    Method.SFT: row(),
    Method.DPO: row(rejected=WORSE),
    Method.ORPO: row(rejected=WORSE),
    Method.KTO: row(label=False),
    Method.CPT: Conversation((Message(TEXT_ROLE, "Once upon a time."),), 1),
}
KINDS = {Method.SFT: Example, Method.CPT: Example, Method.KTO: Rated}


@pytest.mark.parametrize("method", Method)
def test_each_method_has_its_own_kind_of_unit(method, folder):
    found = units.encode(method, [ROWS[method]], folder)
    (unit,) = found.units
    assert isinstance(unit, KINDS.get(method, Pair))
    assert found.findings == ()
    assert units.tokens(unit) == sum(len(d.input_ids) for d in units.documents(unit))
    assert 0 < units.trained(unit) < units.tokens(unit)
    assert len(units.documents(unit)) == (2 if isinstance(unit, Pair) else 1)


@pytest.mark.parametrize(
    ("method", "code"), [(Method.DPO, "no_pair"), (Method.ORPO, "no_pair"),
                         (Method.KTO, "not_rated"), (Method.CPT, "not_plain_text")],
)  # fmt: skip
def test_a_row_of_another_method_is_left_out(method, code, folder):
    found = units.encode(method, [row(line=6)], folder)
    assert [(f.code, f.line) for f in found.findings] == [(code, 6)]
    assert found.units == ()


def test_supervised_units_are_those_of_the_masks(folder):
    rows = build.conversations(4)
    found = units.encode(Method.SFT, rows, folder, system_prompt="Be brief.", max_length=300)
    same = masks.encode(rows, folder, system_prompt="Be brief.", max_length=300)
    assert found == tuple(same)


def test_long_rows_are_shortened_where_that_was_asked(folder):
    turns = [m for c in build.conversations(6) for m in c.messages]
    rows = [Conversation(tuple(turns), 1)]
    assert units.encode(Method.SFT, rows, folder, max_length=120).units == ()
    found = units.encode(Method.SFT, rows, folder, max_length=120, long_rows="shorten")
    assert len(found.units) == 1
    assert (found.counts, found.tokens_left_out > 0) == ({"shortened": 1}, True)


def test_parts_are_joined_in_their_order(folder):
    rows = [row(line=n, rejected=WORSE if n != 3 else ()) for n in range(1, 6)]
    whole = units.encode(Method.DPO, rows, folder)
    parts = [units.encode(Method.DPO, rows[:2], folder), units.encode(Method.DPO, rows[2:], folder)]
    assert units.joined(parts) == whole
    assert units.joined([]) == units.Units((), ())


def test_joined_counts_add_up(folder):
    text = Conversation((Message(TEXT_ROLE, "Once upon a time. " * 30),), 1)
    part = units.encode(Method.CPT, [text], folder, max_length=64)
    both = units.joined([part, part])
    assert both.counts == {"text_divided": 2}
    assert len(both.units) == 2 * len(part.units)


@pytest.mark.parametrize(("label", "word"), [(True, "good"), (False, "bad")])
def test_ratings_of_one_kind_tell_nothing(label, word, folder):
    found = units.encode(Method.KTO, [row(label=label)], folder)
    with pytest.raises(DatasetError, match=word) as caught:
        units.refuse_one_sided(Method.KTO, found.units)
    assert caught.value.code == "one_sided_ratings"


def test_ratings_of_both_kinds_and_other_methods_pass(folder):
    found = units.encode(Method.KTO, [row(label=True), row(label=False)], folder)
    units.refuse_one_sided(Method.KTO, found.units)
    units.refuse_one_sided(Method.KTO, ())
    units.refuse_one_sided(Method.SFT, units.encode(Method.SFT, [row()], folder).units)
