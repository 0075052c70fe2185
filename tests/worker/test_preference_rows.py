"""Pairs and rated answers in rows, and out of them again."""

import pytest
import torch

import preference_rows
from podtune.data.masks import IGNORED, Example
from podtune.data.packing import best_fit_decreasing
from podtune.data.preferences import Pair, Rated
from preference_rows import collate_preferences, lay_out_pairs, lay_out_rated, units_of


def document(prompt, answer, line=1):
    return Example((*prompt, *answer), (*(IGNORED,) * len(prompt), *answer), line)


PAIRS = [
    Pair(document([1, 2], [3, 4]), document([1, 2], [5]), 1),
    Pair(document([6], [7]), document([6], [8, 9]), 2),
]
RATED = [
    Rated(document([1, 2], [3, 4], 1), True, 1),
    Rated(document([1, 2], [5], 1), False, 1),
    Rated(document([6], [7, 8, 9, 10, 11], 2), True, 2),
]


def test_a_pair_is_two_documents_side_by_side():
    (row,) = lay_out_pairs(PAIRS, [[1, 0]])
    assert row.input_ids == [6, 7, 6, 8, 9, 1, 2, 3, 4, 1, 2, 5]
    assert row.lengths == [2, 3, 4, 3]
    assert row.good == (True, False, True, False)
    assert preference_rows.pair_lengths(PAIRS) == [7, 5]


def test_pairs_are_packed_whole():
    lengths = preference_rows.pair_lengths(PAIRS * 10)
    rows = lay_out_pairs(PAIRS * 10, best_fit_decreasing(lengths, 17))
    assert max(sum(row.lengths) for row in rows) <= 17
    assert sum(len(row.lengths) for row in rows) == 40
    assert all(row.good == (True, False) * (len(row.good) // 2) for row in rows)


def test_each_prompt_gets_an_answer_to_another_one():
    (row,) = lay_out_rated(RATED, [[0, 1, 2]])
    assert row.good == (True, False, True)
    others = [row.unrelated.input_ids[s:e] for s, e in ((0, 6), (6, 12), (12, 14))]
    assert others[0] == [1, 2, 7, 8, 9, 10]  # cut: none is longer than those trained on
    assert others[1] == [1, 2, 7, 8, 9, 10]  # not its own line's other answer
    assert others[2] == [6, 5]
    assert row.unrelated.lengths == [6, 6, 2]
    assert row.unrelated.labels == [IGNORED, IGNORED, 7, 8, 9, 10] * 2 + [IGNORED, 5]


def test_prompts_are_told_apart_by_their_text_and_not_by_their_line():
    on_one_line = [rated._replace(line=1) for rated in RATED]
    assert lay_out_rated(on_one_line, [[0, 1, 2]])[0].unrelated == (
        lay_out_rated(RATED, [[0, 1, 2]])[0].unrelated
    )


def test_rows_know_their_reference_in_the_batch():
    rows = lay_out_pairs(PAIRS, [[0], [1]])
    assert "reference" not in collate_preferences(rows)
    known = [r._replace(reference=(-1.5, -2.5)) for r in rows]
    batch = collate_preferences(known)
    assert batch["reference"].tolist() == [-1.5, -2.5, -1.5, -2.5]
    assert batch["good"].tolist() == [True, False, True, False]
    assert batch["cu_seq_lens_q"].tolist() == [0, 4, 7, 9, 12]


@pytest.mark.parametrize("documents", [2, 1], ids=["pairs", "rated"])
def test_a_batch_comes_apart_into_its_units_and_together_again(documents):
    if documents == 2:
        rows = [
            r._replace(reference=(-1.0, -2.0, -3.0, -4.0)) for r in lay_out_pairs(PAIRS, [[0, 1]])
        ]
    else:
        rows = [
            r._replace(reference=(-1.0, -2.0, -3.0), unrelated_reference=(-4.0, -5.0, -6.0))
            for r in lay_out_rated(RATED, [[0, 1, 2]])
        ]
    batch = collate_preferences(rows)
    again = collate_preferences(units_of(batch, documents))
    assert set(again) == set(batch)
    for name in set(batch) - {"unrelated"}:
        assert torch.equal(torch.as_tensor(again[name]), torch.as_tensor(batch[name])), name
    for name in batch.get("unrelated", {}):
        left, right = again["unrelated"][name], batch["unrelated"][name]
        assert torch.equal(torch.as_tensor(left), torch.as_tensor(right)), name
