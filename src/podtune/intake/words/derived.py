"""Values that follow from other words than a number: `alpha twice the rank`, `no dropout`."""

from collections.abc import Container, Sequence
from itertools import pairwise
from typing import Final

from podtune.intake.words.candidates import Candidate
from podtune.intake.words.lexicon import Concept
from podtune.intake.words.tokens import Token

_SO_MUCH: Final = frozenset(["=", ":", "is", "that", "of", "it", "as", "much", "high", "large", "so", "hoch", "viel", "gross", "davon", "de", "cela", "ca", "eso", "ello", "di", "questo", "disso", "isso"])  # fmt: skip


def multiples(
    tokens: Sequence[Token], found: Sequence[Candidate], taken: Container[int]
) -> list[Candidate]:
    """`alpha twice the rank`: computed from the rank that was stated.

    Args:
        tokens: The request.
        found: What was read of it; the rank is among it or nothing can be computed.
        taken: Field words that belong to a number already.
    """
    ranks = [c.value for c in found if c.field == "lora_rank"]
    rank = ranks[-1] if ranks else None
    if not isinstance(rank, int | float):
        return []
    computed: list[Candidate] = []
    for at, token in enumerate(tokens):
        if token.concept is not Concept.ALPHA or at in taken:
            continue
        factor, last = _factor(tokens, at)
        if factor is not None:
            value = rank * factor
            whole = int(value) if value == int(value) else value
            computed.append(Candidate("lora_alpha", whole, token.start, last))
    return computed


def declined(tokens: Sequence[Token], taken: Container[int]) -> list[Candidate]:
    """`no dropout`, `without weight decay`: nought of it."""
    return [
        Candidate(str(token.concept), 0, before.start, token.end)
        for at, (before, token) in enumerate(pairwise(tokens), 1)
        if token.concept in (Concept.DROPOUT, Concept.DECAY)
        and at not in taken
        and before.concept is Concept.NOT
    ]


def _factor(tokens: Sequence[Token], at: int) -> tuple[float | None, int]:
    """How many times the rank, and where the words end."""
    factor: float | None = None
    for token in tokens[at + 1 : at + 9]:
        if token.is_break:
            break
        if token.text in ("=", ":") and factor is None:
            factor = 1.0  # `alpha=rank`
        elif token.concept is Concept.TWICE:
            factor = 2.0
        elif token.concept is Concept.SAME_AS:
            factor = 1.0
        elif token.number is not None:
            factor = token.number.value
        elif token.concept is Concept.RANK:
            return factor, token.end
    return _said_alone(tokens, at)


def _said_alone(tokens: Sequence[Token], at: int) -> tuple[float | None, int]:
    """`rank 32, alpha twice that`, `Alpha doppelt so hoch`: of the rank, where no other thing is named."""
    rest = tokens[at + 1 : at + 7]
    end = next((n for n, token in enumerate(rest) if token.is_break), len(rest))
    said = [token for token in rest[:end] if token.text not in _SO_MUCH]
    is_double = len(said) == 1 and said[0].concept is Concept.TWICE
    return (2.0, rest[end - 1].end) if is_double else (None, tokens[at].end)
