"""Held-out rows, chosen by what they ask and not by where they stand.

The hash of the normalised first user turn decides, so the same question is never on both sides
and the split does not move when rows are added or reordered.
"""

import hashlib
import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

from podtune.core.dataset import Conversation


class Split(NamedTuple):
    """Training rows and held-out rows, each in the file's order."""

    train: tuple[Conversation, ...]
    validation: tuple[Conversation, ...]


def normalise(text: str) -> str:
    """Case, width, blanks and closing punctuation do not make another question.

    >>> normalise("  How do I RESET it? ") == normalise("how do i reset it")
    True
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(folded.split()).rstrip(" ?!.")


def by_question(conversations: Sequence[Conversation], share: float) -> Split:
    """Hold out about `share` of the rows; at least one when share > 0 and two questions differ.

    Args:
        conversations: All good rows.
        share: 0 <= share < 0.5.
    """
    if share <= 0:
        return Split(tuple(conversations), ())
    scores = [_score(c) for c in conversations]
    limit, different = share, sorted(set(scores))
    if len(different) > 1:  # at least one question on each side
        limit = min(limit if different[0] < limit else different[1], different[-1])
    held = tuple(c for c, score in zip(conversations, scores, strict=True) if score < limit)
    kept = tuple(c for c, score in zip(conversations, scores, strict=True) if score >= limit)
    return Split(kept, held) if kept else Split(held, ())  # one question only


def sides(conversations: Sequence[Conversation], share: float) -> Split:
    """Training and held-out rows: as the source itself says, else by question."""
    held = tuple(c for c in conversations if c.split == "validation")
    if not held or len(held) == len(conversations):
        return by_question(conversations, share)
    return Split(tuple(c for c in conversations if c.split != "validation"), held)


def leaking_lines(train: Sequence[Conversation], validation: Sequence[Conversation]) -> list[int]:
    """Lines of validation rows whose first question is also trained on."""
    asked = {normalise(c.first_user_turn()) for c in train}
    return [c.line for c in validation if normalise(c.first_user_turn()) in asked]


def _score(conversation: Conversation) -> float:
    """A number in [0, 1) from the first 8 bytes of the question's sha256."""
    digest = hashlib.sha256(normalise(conversation.first_user_turn()).encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64
