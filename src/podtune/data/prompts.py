"""What the model is asked before and after: the prompts of rows, or the beginnings of texts."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from podtune.core.dataset import Conversation
from podtune.core.spec import Method
from podtune.data.rendering import prompt_text
from podtune.data.template import TokenizerFolder

BEGINNING: Final = 48
"""Tokens of a text that the model is to go on with; of a short one half."""

_LOOKED_AT: Final = 4000
"""Characters of a text from which its beginning and what follows are taken."""


class Asked(NamedTuple):
    """One prompt, and what it should lead to."""

    prompt: str
    """As the model reads it: tokenised without further special tokens."""
    question: str
    """The same for people: the last question, or how the text begins."""
    expected: str
    """The answer that is trained on, or how the text goes on (up to some thousand characters)."""


def asked(
    rows: Sequence[Conversation],
    folder: TokenizerFolder,
    system_prompt: str | None,
    method: Method,
) -> list[Asked]:
    """The prompt of each row, one for one.

    Args:
        rows: Canonical rows that fit the method.
        folder: The base model's tokenizer and template.
        system_prompt: Put before conversations without a system message.
        method: Of the training; for cpt the beginning of a text is the prompt.
    """
    if method is Method.CPT:
        return [_beginning(row.messages[0].text, folder) for row in rows]
    return [_question(row, folder, system_prompt) for row in rows]


def _question(row: Conversation, folder: TokenizerFolder, system_prompt: str | None) -> Asked:
    last = max(i for i, m in enumerate(row.messages) if m.role == "assistant")
    before = row.messages[last - 1].text if last else ""
    return Asked(prompt_text(row, folder, system_prompt), before, row.messages[last].text)


def _beginning(text: str, folder: TokenizerFolder) -> Asked:
    looked = text[:_LOOKED_AT]
    offsets = folder.tokenizer.encode(looked, add_special_tokens=False).offsets
    count = max(1, min(BEGINNING, len(offsets) // 2))
    end = offsets[count - 1][1] if offsets else len(looked)
    begins = _before_text(folder)
    return Asked(begins + looked[:end], looked[:end], looked[end:])


def _before_text(folder: TokenizerFolder) -> str:
    """The tokens that the tokenizer itself puts before a text, as text that gives them again."""
    probe = "x"
    plain = folder.tokenizer.encode(probe, add_special_tokens=False).ids
    whole = folder.tokenizer.encode(probe, add_special_tokens=True).ids
    ahead = next((i for i in range(len(whole)) if whole[i : i + len(plain)] == plain), 0)
    return "".join(folder.tokenizer.id_to_token(token) or "" for token in whole[:ahead])
