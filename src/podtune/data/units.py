"""Canonical rows -> the units that a method trains on: examples, pairs, rated answers, pieces.

The plan and the worker both call this, so that what was counted is what is trained. A unit never
straddles two training rows.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from types import MappingProxyType
from typing import NamedTuple

from podtune.core.dataset import Conversation, Finding
from podtune.core.errors import DatasetError
from podtune.core.spec import Method
from podtune.data import masks, preferences, text_pieces
from podtune.data.masks import Example, LongRows
from podtune.data.preferences import Pair, Rated
from podtune.data.template import TokenizerFolder

Unit = Example | Pair | Rated


class Units(NamedTuple):
    """All units in the rows' order, what kept rows out, and what was done to rows that are in."""

    units: tuple[Unit, ...]
    findings: tuple[Finding, ...]
    """One for each row that is left out."""
    notes: tuple[Finding, ...] = ()
    """Of rows that are in: shortened, divided, closed with a stop token; the first of each code."""
    counts: Mapping[str, int] = MappingProxyType({})
    """Code of a note -> how many rows (of pairs: answers) it concerns."""
    tokens_left_out: int = 0
    """Tokens that shortened rows lost."""


def encode(
    method: Method,
    rows: Sequence[Conversation],
    folder: TokenizerFolder,
    *,
    system_prompt: str | None = None,
    max_length: int | None = None,
    long_rows: LongRows = "refuse",
) -> Units:
    """Tokenise rows for a method.

    Args:
        method: Of the training.
        rows: Canonical rows that fit the method.
        folder: The base model's tokenizer and template.
        system_prompt: Put before conversations without a system message; not before texts.
        max_length: Tokens of a training row. A longer text is divided, a longer unit of another
            kind becomes a finding.
        long_rows: For sft, as in `masks.encode`; an answer that is weighed is never cut.

    Returns:
        Examples for sft and cpt, pairs for dpo and orpo, rated answers for kto.
    """
    if method is Method.CPT:
        return Units(*text_pieces.encode_texts(rows, folder, max_length=max_length))
    if method in (Method.DPO, Method.ORPO):
        pairs = preferences.encode_pairs(
            rows, folder, system_prompt=system_prompt, max_length=max_length
        )
        return Units(*pairs)
    if method is Method.KTO:
        rated = preferences.encode_rated(
            rows, folder, system_prompt=system_prompt, max_length=max_length
        )
        return Units(*rated)
    return Units(
        *masks.encode(
            rows,
            folder,
            system_prompt=system_prompt,
            max_length=max_length,
            long_rows=long_rows,
        )
    )


def joined(parts: Iterable[Units]) -> Units:
    """The units of several parts of a data set, in their order."""
    held = list(parts)
    counts = Counter[str]()
    for part in held:
        counts.update(part.counts)
    return Units(
        tuple(chain.from_iterable(part.units for part in held)),
        tuple(chain.from_iterable(part.findings for part in held)),
        tuple(dict.fromkeys(chain.from_iterable(part.notes for part in held))),
        dict(counts),
        sum(part.tokens_left_out for part in held),
    )


def documents(unit: Unit) -> tuple[Example, ...]:
    """The documents of a unit: two of a pair, else one."""
    if isinstance(unit, Pair):
        return unit.chosen, unit.rejected
    return (unit.example,) if isinstance(unit, Rated) else (unit,)


def tokens(unit: Unit) -> int:
    """Tokens of a unit's documents together: what it takes of a training row."""
    return sum(len(document.input_ids) for document in documents(unit))


def trained(unit: Unit) -> int:
    """Tokens of a unit that carry a loss."""
    return sum(document.trained for document in documents(unit))


def refuse_one_sided(method: Method, units: Sequence[Unit]) -> None:
    """Raise where answers are all good or all bad: nothing tells them apart.

    Raises:
        DatasetError: `one_sided_ratings`.
    """
    if method is not Method.KTO:
        return
    sides = {unit.good for unit in units if isinstance(unit, Rated)}
    if len(sides) == 1:
        words = "good" if sides == {True} else "bad"
        raise DatasetError(
            f"every answer is rated {words}: kto learns from what tells good and bad apart",
            code="one_sided_ratings",
            hint="add answers of the other kind, or train on good ones with --set method=sft",
        )
