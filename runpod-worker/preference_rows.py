"""Pairs and rated answers as documents of packed rows.

A pair is two documents side by side, the better one first, so that one forward serves both. KTO
needs besides each prompt with an unrelated answer, to measure how far the model has moved.
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import torch

from packed_rows import PackedRow, collate, documents_of, lay_end_to_end
from podtune.data.masks import IGNORED, Example
from podtune.data.preferences import Pair, Rated


class PreferenceRow(NamedTuple):
    """One training row of documents that are weighed; a `PackedRow` with more to it."""

    input_ids: list[int]
    labels: list[int]
    lengths: list[int]
    good: tuple[bool, ...]
    """Of each document, whether it is the better or the well rated one."""
    unrelated: PackedRow | None = None
    """KTO: the prompts, each with another prompt's answer."""
    reference: tuple[float, ...] = ()
    """Log-probability of each document's answer before the training, once it is known."""
    unrelated_reference: tuple[float, ...] = ()

    @property
    def documents(self) -> PackedRow:
        """The documents without what is known of them."""
        return PackedRow(self.input_ids, self.labels, self.lengths)


def pair_lengths(pairs: Sequence[Pair]) -> list[int]:
    """Tokens of each pair: what the packing has to place together."""
    return [len(p.chosen.input_ids) + len(p.rejected.input_ids) for p in pairs]


def rated_lengths(rated: Sequence[Rated]) -> list[int]:
    """Tokens of each rated answer with its prompt."""
    return [len(r.example.input_ids) for r in rated]


def lay_out_pairs(pairs: Sequence[Pair], rows: Sequence[Sequence[int]]) -> list[PreferenceRow]:
    """Pairs into rows as the packing of `pair_lengths` says."""
    return [
        PreferenceRow(
            *lay_end_to_end([side for i in row for side in (pairs[i].chosen, pairs[i].rejected)]),
            good=(True, False) * len(row),
        )
        for row in rows
    ]


def lay_out_rated(rated: Sequence[Rated], rows: Sequence[Sequence[int]]) -> list[PreferenceRow]:
    """Rated answers into rows as the packing of `rated_lengths` says."""
    longest = max(rated_lengths(rated), default=0)
    unrelated = [_unrelated(rated, index, longest) for index in range(len(rated))]
    return [
        PreferenceRow(
            *lay_end_to_end([rated[i].example for i in row]),
            good=tuple(rated[i].good for i in row),
            unrelated=lay_end_to_end([unrelated[i] for i in row]),
        )
        for row in rows
    ]


def _unrelated(rated: Sequence[Rated], index: int, longest: int) -> Example:
    """A prompt with the answer that the nearest row before it got to another prompt.

    A pair used as two ratings has the same prompt twice, so prompts are compared. Answers are cut
    where the document would be longer than any that is trained on; this one is only measured.
    """
    prompt, own = _parts(rated[index].example)
    others = (_parts(rated[index - back].example) for back in range(1, len(rated)))
    answer = next((answer for asked, answer in others if asked != prompt), own)
    room = max(1, longest - len(prompt))
    ids = [token for token, _ in answer[:room]]
    labels = [label for _, label in answer[:room]]
    return Example([*prompt, *ids], [*[IGNORED] * len(prompt), *labels], rated[index].line)


def _parts(example: Example) -> tuple[list[int], list[tuple[int, int]]]:
    """Tokens before the first trained one; tokens and labels from it on."""
    labels = list(example.labels)
    first = next((i for i, label in enumerate(labels) if label != IGNORED), len(labels))
    pairs = list(zip(example.input_ids, labels, strict=True))
    return list(example.input_ids[:first]), pairs[first:]


def collate_preferences(
    rows: Sequence[PreferenceRow], *, sequence_index: bool = False
) -> dict[str, Any]:
    """Rows -> one flat batch, as `packed_rows.collate`, and what is known of its documents.

    Returns:
        The flat batch; `good` [documents] and, where the rows know them, `reference`
        [documents], `unrelated` (a flat batch) and `unrelated_reference` [documents].
    """
    batch = collate([row.documents for row in rows], sequence_index=sequence_index)
    batch["good"] = torch.tensor([good for row in rows for good in row.good])
    others = [row.unrelated for row in rows if row.unrelated is not None]
    if others:
        batch["unrelated"] = collate(others, sequence_index=sequence_index)
    known = {
        "reference": _numbers(row.reference for row in rows),
        "unrelated_reference": _numbers(row.unrelated_reference for row in rows),
    }
    return batch | {name: values for name, values in known.items() if len(values)}


def units_of(batch: dict[str, Any], documents: int) -> list[PreferenceRow]:
    """Each pair (or rated answer) of a flat batch as a row of its own.

    Args:
        batch: As `collate_preferences` made it.
        documents: Of one unit: 2 for pairs, 1 for rated answers.
    """
    own = _documents(batch)
    others = _documents(batch["unrelated"]) if "unrelated" in batch else []
    good = batch["good"].tolist()
    reference = batch["reference"].tolist() if "reference" in batch else []
    unrelated = batch["unrelated_reference"].tolist() if "unrelated_reference" in batch else []
    starts = range(0, len(own), documents)
    return [
        PreferenceRow(
            *lay_end_to_end(own[start : start + documents]),
            good=tuple(good[start : start + documents]),
            unrelated=lay_end_to_end(others[start : start + documents]) if others else None,
            reference=tuple(reference[start : start + documents]),
            unrelated_reference=tuple(unrelated[start : start + documents]),
        )
        for start in starts
    ]


def in_parts(count: int, parts: int) -> list[slice]:
    """So many things cut into parts of about the same size, none empty.

    >>> in_parts(5, 2)
    [slice(0, 2, None), slice(2, 5, None)]
    """
    parts = min(parts, count)
    cuts = [count * part // parts for part in range(parts + 1)]
    return [slice(*cut) for cut in pairwise(cuts)]


def _documents(batch: dict[str, Any]) -> list[Example]:
    return [
        Example(d["input_ids"][0].tolist(), d["labels"][0].tolist(), 0) for d in documents_of(batch)
    ]


def _numbers(rows: Iterable[Sequence[float]]) -> torch.Tensor:
    return torch.tensor([value for row in rows for value in row], dtype=torch.float32)
