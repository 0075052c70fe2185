"""How long a method's units are in tokens: counted, or estimated without a tokenizer."""

from array import array
from collections.abc import Sequence
from typing import Final, NamedTuple

from podtune.core.dataset import Conversation
from podtune.core.spec import Method
from podtune.data import units
from podtune.data.masks import encode
from podtune.data.sizes import Sizes
from podtune.data.template import TokenizerFolder
from podtune.data.text_pieces import encode_texts
from podtune.data.units import Unit

CHARACTERS_PER_TOKEN: Final = 3.93
"""English support chats with SmolLM2's tokenizer: `bench/tokens.py`, 2026-11-22."""

TOKENS_PER_MESSAGE: Final = 5
"""Markup round a message in ChatML: start, role, newline, end, newline."""

TOKENS_PER_CONVERSATION: Final = 19
"""The default system turn that several templates put first."""


class Lengths(NamedTuple):
    """Tokens of each training and validation unit, and how many of them are trained on.

    A unit is what never straddles two training rows: an example, a piece of text, a rated answer,
    or both documents of a pair.
    """

    exact: bool
    train: tuple[int, ...]
    trained: tuple[int, ...]
    validation: tuple[int, ...]
    longest_document: int = 0
    """Tokens of the longest document: of a pair, each side is one."""


def counted(train: Sequence[Unit], validation: Sequence[Unit]) -> Lengths:
    """Lengths of tokenised units."""
    return Lengths(
        exact=True,
        train=tuple(units.tokens(unit) for unit in train),
        trained=tuple(units.trained(unit) for unit in train),
        validation=tuple(units.tokens(unit) for unit in validation),
        longest_document=max(
            (len(d.input_ids) for unit in (*train, *validation) for d in units.documents(unit)),
            default=0,
        ),
    )


def estimated(
    train: Sequence[Conversation],
    validation: Sequence[Conversation],
    method: Method = Method.SFT,
    max_length: int | None = None,
) -> Lengths:
    """Lengths guessed from characters.

    Args:
        train: Training rows.
        validation: Held-out rows.
        method: It decides what a unit is.
        max_length: Tokens of a piece, where texts are divided.
    """
    guessed = [guess for row in train for guess in _guesses(row, method, max_length)]
    held = [guess for row in validation for guess in _guesses(row, method, max_length)]
    return Lengths(
        exact=False,
        train=tuple(guess.tokens for guess in guessed),
        trained=tuple(guess.trained for guess in guessed),
        validation=tuple(guess.tokens for guess in held),
        longest_document=max((guess.longest for guess in (*guessed, *held)), default=0),
    )


class _Guess(NamedTuple):
    tokens: int
    trained: int
    longest: int
    """Tokens of its longest document."""


def _guesses(row: Conversation, method: Method, max_length: int | None) -> list[_Guess]:
    """The units of a row."""
    if method is Method.CPT:
        tokens = round(len(row.messages[0].text) / CHARACTERS_PER_TOKEN) + 1
        pieces = -(-tokens // max_length) if max_length else 1
        each = max(2, -(-tokens // pieces))
        return [_Guess(each, each - 1, each)] * pieces
    if not method.is_preference:
        tokens = _tokens(row)
        return [_Guess(tokens, _tokens(row, "assistant"), tokens)]
    asked = row.messages[: row.prompt_turns]
    answers = [row.messages[row.prompt_turns :], *([row.rejected] if row.rejected else [])]
    guessed: list[_Guess] = []
    for answer in answers:
        tokens = _tokens(row._replace(messages=(*asked, *answer)))
        trained = _tokens(row._replace(messages=answer), "assistant")
        guessed.append(_Guess(tokens, trained, tokens))
    if method is Method.KTO:
        return guessed
    lengths, trained, longest = zip(*guessed, strict=True)
    return [_Guess(sum(lengths), sum(trained), max(longest))]


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
    sizes: Sequence[Sizes],
    sample: Sequence[Conversation],
    folder: TokenizerFolder | None,
    method: Method = Method.SFT,
) -> Estimate:
    """Tokens of every row from its characters; from a tokenizer's own count where one is at hand.

    Args:
        sizes: Characters and messages of every good row, by file.
        sample: The first rows; all of them make the count exact.
        folder: A base model's tokenizer and template; of texts only the tokenizer is used.
        method: Texts are counted whole; of a pair the better answer's conversation.
    """
    guessed = array("I")
    answered = 0
    for size in sizes:
        guessed.extend(map(_guess, size.characters, size.messages, size.bare))
        answered += round(sum(size.answered) / CHARACTERS_PER_TOKEN) + sum(size.messages) // 2
    if folder is None:
        basis = f"{CHARACTERS_PER_TOKEN} characters a token, as in English"
        return Estimate(False, basis, guessed, answered)
    encoded = encode_texts(sample, folder) if method is Method.CPT else encode(sample, folder)
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
