"""What a batch of packed rows looks like."""

import torch

from packed_rows import collate, documents_of, lay_end_to_end, lay_out
from podtune.data.masks import IGNORED, Example

DOCUMENTS = [
    Example((5, 6, 7), (IGNORED, 6, 7), 1),
    Example((8, 9, 10, 11), (8, 9, 10, 11), 2),
    Example((12, 13), (IGNORED, 13), 3),
]


def test_the_first_token_of_a_document_is_never_trained():
    row = lay_out(DOCUMENTS, [[0, 1]])[0]
    assert row.input_ids == [5, 6, 7, 8, 9, 10, 11]
    assert row.labels == [IGNORED, 6, 7, IGNORED, 9, 10, 11]
    assert row.lengths == [3, 4]


def test_bounds_positions_and_lengths_agree():
    batch = collate(lay_out(DOCUMENTS, [[0, 1], [2]]))
    assert batch["input_ids"].tolist() == [[5, 6, 7, 8, 9, 10, 11, 12, 13]]
    assert batch["position_ids"].tolist() == [[0, 1, 2, 0, 1, 2, 3, 0, 1]]
    assert batch["cu_seq_lens_q"].tolist() == batch["cu_seq_lens_k"].tolist() == [0, 3, 7, 9]
    assert batch["cu_seq_lens_q"].dtype == torch.int32
    assert batch["max_length_q"] == batch["max_length_k"] == 4
    assert batch["trained_positions"].tolist() == [0, 1, 3, 4, 5, 7]
    assert "attention_mask" not in batch
    assert "seq_idx" not in batch


def test_hybrid_models_are_told_each_tokens_document():
    batch = collate(lay_out(DOCUMENTS, [[0, 1], [2]]), sequence_index=True)
    assert batch["seq_idx"].tolist() == [[0, 0, 0, 1, 1, 1, 1, 2, 2]]
    assert batch["seq_idx"].dtype == torch.int32


def test_one_document_is_an_ordinary_sequence():
    batch = collate([lay_end_to_end(DOCUMENTS[:1])], sequence_index=True)
    assert set(batch) == {"input_ids", "labels", "position_ids", "trained_positions"}


def test_a_batch_comes_apart_into_its_documents():
    together = collate(lay_out(DOCUMENTS, [[0, 1, 2]]))
    apart = list(documents_of(together))
    for document, part in zip(DOCUMENTS, apart, strict=True):
        alone = collate([lay_end_to_end([document])])
        assert set(part) == set(alone)
        assert all(torch.equal(part[name], alone[name]) for name in alone)
    assert list(documents_of(apart[0])) == [apart[0]]
