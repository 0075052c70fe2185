"""How long the examples are in tokens: counted, or estimated while there is no tokenizer yet."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from podtune.core.dataset import Conversation
from podtune.data.masks import Example

CHARACTERS_PER_TOKEN: Final = 3.93
"""English support chats with SmolLM2's tokenizer: `bench/tokens.py`, 2026-11-22."""

TOKENS_PER_MESSAGE: Final = 5
"""Markup round a message in ChatML: start, role, newline, end, newline."""

TOKENS_PER_CONVERSATION: Final = 19
"""The default system turn that several templates put first."""


class Lengths(NamedTuple):
    """Tokens of each training and validation example, and how many of them are trained on."""

    exact: bool
    train: tuple[int, ...]
    trained: tuple[int, ...]
    validation: tuple[int, ...]


def counted(train: Sequence[Example], validation: Sequence[Example]) -> Lengths:
    """Lengths of tokenised examples."""
    return Lengths(
        exact=True,
        train=tuple(len(e.input_ids) for e in train),
        trained=tuple(e.trained for e in train),
        validation=tuple(len(e.input_ids) for e in validation),
    )


def estimated(train: Sequence[Conversation], validation: Sequence[Conversation]) -> Lengths:
    """Lengths guessed from characters."""
    return Lengths(
        exact=False,
        train=tuple(_tokens(c) for c in train),
        trained=tuple(_tokens(c, "assistant") for c in train),
        validation=tuple(_tokens(c) for c in validation),
    )


def _tokens(conversation: Conversation, role: str | None = None) -> int:
    messages = [m for m in conversation.messages if role in (None, m.role)]
    characters = sum(len(m.content) for m in messages)
    if role is not None:
        return round(characters / CHARACTERS_PER_TOKEN) + len(messages)
    system = 0 if messages[0].role == "system" else TOKENS_PER_CONVERSATION
    return round(characters / CHARACTERS_PER_TOKEN) + TOKENS_PER_MESSAGE * len(messages) + system
