"""Separators that end every prompt, and stop marks that end every answer.

They were needed before chat templates (OpenAI's guide of 2021); now the model would learn to say
them.
"""

import re
from collections.abc import Mapping
from typing import Final

from podtune.core.dataset import Message

FEWEST: Final = 3
"""Rows that must agree; two may by chance."""

_MARK: Final = re.compile(
    r"\s*(?:[#\-=>|*~_:+]{2,}|-+>|=+>|<[^<>\s]{1,24}>|\[?[A-Z]{3,12}\]?|#+\s*[A-Z]{2,12})\s*"
)
"""Signs without words, a tag, or a word in capitals."""

_LONGEST: Final = 40


class Suffixes:
    """What all questions, and all answers, end in so far."""

    def __init__(self) -> None:
        """Nothing was seen."""
        self._seen = 0
        self._ends: dict[str, str | None] = {"user": None, "assistant": None}

    def see(self, messages: tuple[Message, ...]) -> None:
        """Take a row's last question and answer into account."""
        self._seen += 1
        if self._seen > 1 and not any(self._ends.values()):
            return
        for role in ("user", "assistant"):
            text = next((m.content for m in reversed(messages) if m.role == role), None) or ""
            self._ends[role] = _common(self._ends[role], text[-_LONGEST:])

    def found(self) -> list[tuple[str, str]]:
        """Code and suffix of what every row has in common."""
        codes = {"user": "common_prompt_suffix", "assistant": "common_completion_suffix"}
        return [(codes[role], mark) for role, mark in self.marks().items()]

    def marks(self) -> dict[str, str]:
        """Role -> the mark its texts end in, where there is one."""
        if self._seen < FEWEST:
            return {}
        return {role: mark for role in self._ends if (mark := self._mark(role))}

    def _mark(self, role: str) -> str:
        end = self._ends[role] or ""
        # The common end may reach into words that happen to be alike; the mark is what is left.
        for at in range(len(end)):
            mark = end[at:]
            boundary = (
                mark[:1].isspace() or not mark[:1].isalnum() or (at and end[at - 1].isspace())
            )
            if boundary and _MARK.fullmatch(mark) and len(mark.strip()) > 1:
                return mark.strip()
        return ""


def _common(known: str | None, text: str) -> str:
    if known is None:
        return text
    size = 0
    for left, right in zip(reversed(known), reversed(text), strict=False):
        if left != right:
            break
        size += 1
    return known[len(known) - size :] if size > 1 else ""  # a full stop is no mark


def stripped(messages: tuple[Message, ...], marks: Mapping[str, str]) -> tuple[Message, ...]:
    """A row without the marks its texts end in; a text that is nothing else stays."""
    return tuple(
        m._replace(content=m.content.removesuffix(marks[m.role]).rstrip() or m.content)
        if m.content and m.role in marks
        else m
        for m in messages
    )
