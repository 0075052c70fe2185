from collections import Counter

import torch
from hypothesis import given
from hypothesis import strategies as st

import packed_rows
import row_dealing
from packed_rows import PackedRow
from podtune.data.masks import IGNORED
from row_dealing import Deal, DealtRows, StepBatches
from support import tiny_trainings

deals = st.builds(
    Deal,
    rows=st.integers(1, 60),
    micro_batch=st.integers(1, 4),
    accumulation=st.integers(1, 4),
    world=st.integers(1, 5),
    seed=st.integers(0, 9),
)


def steps(deal, epoch=0):
    """Of each optimizer step: rank -> its micro-batches."""
    batches = []
    for rank in range(deal.world):
        dealt = StepBatches(deal._replace(rank=rank))
        dealt.set_epoch(epoch)
        assert len(list(dealt)) == len(dealt)
        batches.append(list(dealt))
    count = len(batches[0])
    assert {len(b) for b in batches} == {count}
    return [
        [rank[start : start + deal.accumulation] for rank in batches]
        for start in range(0, count, deal.accumulation)
    ]


@given(deals)
def test_every_row_is_dealt_once(deal):
    dealt = [row for step in steps(deal) for rank in step for batch in rank for row in batch]
    assert Counter(dealt) == Counter(range(deal.rows))


@given(deals)
def test_each_step_has_the_rows_it_has_in_one_process(deal):
    alone = deal._replace(world=1, accumulation=deal.accumulation * deal.world)

    def rows(of):
        return [{r for rank in step for batch in rank for r in batch} for step in steps(of, 3)]

    assert rows(deal) == rows(alone)


@given(deals)
def test_no_micro_batch_is_larger_than_asked(deal):
    for step in steps(deal):
        for rank in step:
            assert len(rank) <= deal.accumulation
            assert all(len(batch) <= deal.micro_batch for batch in rank)


def test_each_epoch_has_its_order_and_each_seed():
    dealt = StepBatches(Deal(rows=20, micro_batch=1, accumulation=1, seed=3))
    first = list(dealt)
    assert list(dealt) == first
    dealt.set_epoch(1)
    assert list(dealt) != first
    assert list(StepBatches(Deal(rows=20, micro_batch=1, accumulation=1, seed=4))) != first


def test_where_a_step_has_too_few_rows_a_blank_batch_trains_nothing():
    rows = tiny_trainings.rows("sft", 3)
    loaders = [
        DealtRows(
            rows,
            Deal(rows=3, micro_batch=1, accumulation=1, world=2, rank=rank),
            packed_rows.collate,
            row_dealing.blank(rows),
        )
        for rank in (0, 1)
    ]
    first, second = (list(loader) for loader in loaders)
    assert [row_dealing.is_blank(batch) for batch in first] == [False, False]
    assert [row_dealing.is_blank(batch) for batch in second] == [False, True]
    blank = second[1]
    assert torch.equal(blank["labels"], torch.full_like(blank["labels"], IGNORED))
    assert blank["input_ids"].numel() == min(len(row.input_ids) for row in rows)


def test_the_loader_follows_the_epoch():
    rows = tiny_trainings.rows("sft", 6)
    deal = Deal(rows=6, micro_batch=1, accumulation=1)
    loader = DealtRows(rows, deal, packed_rows.collate, row_dealing.blank(rows))

    def ids():
        return [batch["input_ids"].tolist() for batch in loader]

    before = ids()
    loader.set_epoch(1)
    assert ids() != before
    assert sorted(ids()) == sorted(before)


def test_only_what_a_model_needs_goes_into_a_blank_pass():
    row = PackedRow([1, 2, 3, 4], [IGNORED, 2, IGNORED, 4], [2, 2])
    batch = packed_rows.collate([row], sequence_index=True)
    assert row_dealing.plain({**batch, "good": torch.ones(2)}).keys() == batch.keys()
