"""Training rows of several documents laid end to end, and the batch that a model is given.

A batch is one flat row [1, tokens]. Documents are told apart by transformers' own flash-attention
arguments (`cu_seq_lens_q/k`, `max_length_q/k`) and by positions that begin again; there is no
`attention_mask`: with one, transformers would let documents see each other.
"""

from collections.abc import Iterator, Sequence
from itertools import chain, pairwise
from typing import Any, NamedTuple

import torch

from podtune.data.masks import IGNORED, Example


class PackedRow(NamedTuple):
    """One training row: documents laid end to end."""

    input_ids: list[int]
    labels: list[int]
    lengths: list[int]


def lay_out(examples: Sequence[Example], rows: Sequence[Sequence[int]]) -> list[PackedRow]:
    """Documents into rows as the packing says.

    The first label of each document is masked: its prediction would come from the previous one.
    """
    return [lay_end_to_end([examples[index] for index in row]) for row in rows]


def lay_end_to_end(documents: Sequence[Example]) -> PackedRow:
    """One row of these documents."""
    return PackedRow(
        list(chain.from_iterable(d.input_ids for d in documents)),
        list(chain.from_iterable((IGNORED, *d.labels[1:]) for d in documents)),
        [len(d.input_ids) for d in documents],
    )


def collate(rows: Sequence[PackedRow], *, sequence_index: bool = False) -> dict[str, Any]:
    """Rows -> one flat batch.

    A single document carries no bounds: it is an ordinary causal sequence to any model.

    Args:
        rows: Packed rows, laid end to end once more.
        sequence_index: Add `seq_idx` [1, tokens], the document of each token, which the
            convolutions of hybrid models need beside the bounds.

    Returns:
        `input_ids`, `labels`, `position_ids` [1, tokens]; `trained_positions` [trained]: where
        the next token is trained; with several documents their bounds as well.
    """
    lengths = torch.tensor([n for row in rows for n in row.lengths])
    labels = torch.tensor(list(chain.from_iterable(row.labels for row in rows)))
    batch = {
        "input_ids": torch.tensor(list(chain.from_iterable(row.input_ids for row in rows)))[None],
        "labels": labels[None],
        "position_ids": torch.cat([torch.arange(int(n)) for n in lengths])[None],
        "trained_positions": trained_positions(labels),
    }
    if len(lengths) == 1:
        return batch
    bounds = torch.nn.functional.pad(lengths.cumsum(0), (1, 0)).to(torch.int32)
    longest = int(lengths.max())
    batch |= {
        "cu_seq_lens_q": bounds,
        "cu_seq_lens_k": bounds,
        "max_length_q": longest,
        "max_length_k": longest,
    }
    if sequence_index:
        documents = torch.arange(len(lengths), dtype=torch.int32)
        batch["seq_idx"] = documents.repeat_interleave(lengths)[None]
    return batch


def trained_positions(labels: torch.Tensor) -> torch.Tensor:
    """Positions of [tokens] whose next token is trained."""
    return (labels[1:] != IGNORED).nonzero().squeeze(1)


def documents_of(batch: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Each document of a batch as a batch of its own, for models that cannot tell them apart."""
    if "cu_seq_lens_q" not in batch:
        yield batch
        return
    for start, end in pairwise(batch["cu_seq_lens_q"].tolist()):
        labels = batch["labels"][:, start:end]
        yield {
            "input_ids": batch["input_ids"][:, start:end],
            "labels": labels,
            "position_ids": batch["position_ids"][:, start:end],
            "trained_positions": trained_positions(labels[0]),
        }
