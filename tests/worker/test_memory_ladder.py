import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import memory_ladder
from memory_ladder import MemoryLadder, Rung, lowest, next_rung, split
from packed_rows import collate
from support import trainings


def climb(rows, documents, rung=None):
    """Every rung below one."""
    rung, down = rung or Rung(), []
    while (rung := next_rung(rung, rows, documents)) is not None:
        down.append(tuple(rung))
    return down


def test_the_order_is_micro_batch_then_checkpointing_then_documents():
    assert climb(rows=4, documents=9) == [
        (2, False), (4, False), (4, True), (8, True), (9, True),
    ]  # fmt: skip


def test_one_row_of_one_document_has_checkpointing_only():
    assert climb(rows=1, documents=1) == [(1, True)]
    assert climb(rows=1, documents=1, rung=Rung(checkpointing=True)) == []


@given(st.integers(1, 64), st.integers(1, 300))
def test_every_rung_needs_less_and_the_ladder_ends(rows, documents):
    down = climb(rows, documents)
    assert len(down) <= 12
    assert sorted(down) == down
    assert len(set(down)) == len(down)
    assert down[-1][1]


def test_the_lowest_of_several_processes_rungs():
    assert lowest([Rung(4, False), Rung(2, True)]) == Rung(4, True)


@given(st.lists(st.integers(2, 30), min_size=1, max_size=12), st.integers(1, 14))
def test_parts_are_the_documents_in_their_order(lengths, passes):
    total = sum(lengths)
    batch = {
        "input_ids": torch.arange(total)[None],
        "labels": torch.arange(total)[None] * 10,
        "cu_seq_lens_q": torch.tensor([0, *lengths]).cumsum(0),
    }
    parts = split(batch, passes)
    assert len(parts) == min(passes, len(lengths))
    assert [n for part in parts for n in part.lengths] == lengths
    assert [i for part in parts for i in part.input_ids] == list(range(total))
    assert [i for part in parts for i in part.labels] == list(range(0, 10 * total, 10))
    assert all(len(part.input_ids) == sum(part.lengths) > 0 for part in parts)


def test_parts_have_about_the_same_size():
    batch = {
        "input_ids": torch.zeros(1, 80, dtype=torch.long),
        "labels": torch.zeros(1, 80, dtype=torch.long),
        "cu_seq_lens_q": torch.tensor([0, 30, 40, 44, 80]),
    }
    assert [sum(part.lengths) for part in split(batch, 2)] == [40, 40]
    assert [sum(part.lengths) for part in split(batch, 3)] == [30, 14, 36]


def test_a_document_alone_is_one_part():
    batch = collate([trainings.rows()[0]._replace(lengths=[64])])
    assert memory_ladder.lengths_of(batch) == [batch["input_ids"].shape[1]]
    assert len(split(batch, 8)) == 1


def test_the_rung_is_remembered(tmp_path):
    ladder = MemoryLadder(tmp_path / "work")
    assert ladder.descend(step=3, rows=2, documents=5)
    assert ladder.descend(step=7, rows=2, documents=5)
    again = MemoryLadder(tmp_path / "work")
    assert again.rung == Rung(2, True)
    assert again.steps == [
        {"step": 3, "passes": 2, "checkpointing": False},
        {"step": 7, "passes": 2, "checkpointing": True},
    ]
    assert again.words() == "each micro-batch in 2 passes and gradient checkpointing"


def test_no_rung_left_changes_nothing(tmp_path):
    ladder = MemoryLadder(tmp_path, checkpointing=True)
    assert not ladder.descend(step=1, rows=1, documents=1)
    assert ladder.steps == []
    assert not (tmp_path / memory_ladder.FILE).exists()


@pytest.mark.parametrize("kind", ["lora", "dora"])
def test_checkpointing_keeps_loss_and_gradient(tiny, kind):
    batch = collate(trainings.rows()[:1])

    def gradient(checkpointing):
        model = trainings.adapted(tiny, kind=kind).train()
        if checkpointing:
            memory_ladder.keep_inputs_only(model)
        from token_scores import TokenScorer

        loss = -TokenScorer().score(model, batch).log_probs.sum()
        loss.backward()
        return loss.detach(), [p.grad for p in model.parameters() if p.grad is not None]

    plain, expected = gradient(checkpointing=False)
    saved, found = gradient(checkpointing=True)
    assert torch.equal(plain, saved)
    assert all(torch.equal(a, b) for a, b in zip(expected, found, strict=True))
    assert expected
