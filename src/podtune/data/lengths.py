"""How long the examples are in tokens: counted, or estimated while there is no tokenizer yet."""

from array import array
from collections.abc import Sequence
from typing import Final, NamedTuple

from podtune.core.dataset import Conversation
from podtune.data.masks import Example, encode
from podtune.data.sizes import Sizes
from podtune.data.template import TokenizerFolder

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
    characters = sum(len(m.text) + len(m.reasoning_content or "") for m in messages)
    if role is not None:
        return round(characters / CHARACTERS_PER_TOKEN) + len(messages)
    system = 0 if messages[0].role == "system" else TOKENS_PER_CONVERSATION
    return round(characters / CHARACTERS_PER_TOKEN) + TOKENS_PER_MESSAGE * len(messages) + system


class Estimate(NamedTuple):
    """Tokens of every good row, counted or guessed."""

    exact: bool
    basis: str
    """How they were told."""
    rows: Sequence[int]
    """Tokens of each row."""
    trained: int
    """Tokens of all answers together."""


def estimate(
    sizes: Sequence[Sizes], sample: Sequence[Conversation], folder: TokenizerFolder | None
) -> Estimate:
    """Tokens of every row from its characters; from a tokenizer's own count where one is at hand.

    Args:
        sizes: Characters and messages of every good row, by file.
        sample: The first rows; all of them make the count exact.
        folder: A base model's tokenizer and template.
    """
    guessed = array("I")
    answered = 0
    for size in sizes:
        guessed.extend(map(_guess, size.characters, size.messages, size.bare))
        answered += round(sum(size.answered) / CHARACTERS_PER_TOKEN) + sum(size.messages) // 2
    if folder is None:
        basis = f"{CHARACTERS_PER_TOKEN} characters a token, as in English"
        return Estimate(False, basis, guessed, answered)
    encoded = encode(sample, folder)
    name = folder.folder.name
    if len(sample) == len(guessed):
        counts = array("I", (len(e.input_ids) for e in encoded.examples))
        trained = sum(e.trained for e in encoded.examples)
        return Estimate(not encoded.findings, f"counted with {name}", counts, trained)
    measured = sum(len(e.input_ids) for e in encoded.examples)
    factor = measured / max(1, sum(guessed[: len(sample)]))
    share = sum(e.trained for e in encoded.examples) / max(1, measured)
    scaled = array("I", (round(g * factor) for g in guessed))
    basis = f"from the first {len(sample)} rows, counted with {name}"
    return Estimate(False, basis, scaled, round(sum(scaled) * share))


def _guess(characters: int, messages: int, bare: int) -> int:
    system = TOKENS_PER_CONVERSATION if bare else 0
    return round(characters / CHARACTERS_PER_TOKEN) + TOKENS_PER_MESSAGE * messages + system
