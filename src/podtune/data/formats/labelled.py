"""Where turns begin in text with labels before them: `Human:`, `### Response:`, `USER:` in a line.

Words such as `Model:` or `Client:` also begin lines of an answer. So a text has one label for who
asks and one for who answers, those of its first question and of the answer to it; all others are
words. Takes text, gives positions. Knows no files and no messages.
"""

# ruff: noqa: RUF001 (letters and marks of other scripts are meant)
import re
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

MAX_HEADS: Final = 10_000
"""Turns of one text."""

ROLES: Final = {
    **dict.fromkeys(("system", "developer"), "system"),
    **dict.fromkeys(
        ("user", "human", "instruction", "input", "question", "prompt", "customer", "prompter", "inst", "client"),
        "user",
    ),
    **dict.fromkeys(
        ("assistant", "model", "ai", "bot", "chatbot", "gpt", "chatgpt", "response", "answer", "output",
         "agent", "ai assistant"),
        "assistant",
    ),
    **dict.fromkeys(("tool", "ipython", "function", "observation", "environment"), "tool"),
}  # fmt: skip
"""Names of speakers in templates and labels -> roles."""

_HASHES: Final = re.compile(
    r"(?:(?:(?<=\n)|\A)[ ]{0,3}#{2,4}[ ]{0,2}"
    r"(system|instruction|input|response|user|human|assistant|question|answer|output|prompt|bot|ai)"
    r"(?: \d{1,3})?|###[ ](human|assistant))[ ]{0,2}:[ ]{0,2}\n?",
    re.IGNORECASE,
)
"""Alpaca and its kin, at the start of a line; Guanaco's two also stand within one."""

_LABEL: Final = re.compile(
    r"(?:\A|\n)[ ]{0,3}\*{0,2}(system|human|user|customer|client|assistant|ai assistant|ai|bot|chatbot|agent|gpt|chatgpt|model)"
    r"\*{0,2}[ ]?[:：]\*{0,2}[ ]?",
    re.IGNORECASE,
)
_INLINE: Final = re.compile(r"(?:\A|[ \n]|</s>)(USER|ASSISTANT):[ ]?")
"""Vicuna: upper case, within the line."""

_ALPACA: Final = frozenset({"instruction", "input", "response", "output"})

_PATTERNS: Final = (_HASHES, _LABEL, _INLINE)

_FENCE: Final = re.compile(r"^[ ]{0,3}(`{3,}|~{3,})([^\n]*)$", re.MULTILINE)
"""The line above a block of code, or below it."""


class Head(NamedTuple):
    """Where a turn begins: its label from `start` to `end`."""

    start: int
    end: int
    role: str


class Labels(NamedTuple):
    """How a text names its two speakers."""

    pattern: re.Pattern[str]
    asks: str
    answers: str

    @property
    def is_alpaca(self) -> bool:
        """Whether instructions are followed, and not people answered."""
        return self.pattern is _HASHES and not _ALPACA.isdisjoint((self.asks, self.answers))

    def role(self, match: re.Match[str]) -> str | None:
        """Whose turn a label begins; None for words that are no label of this text."""
        key = _key(match)
        if key == self.asks or (key == "input" and self.asks == "instruction"):
            return "user"
        if key == self.answers:
            return "assistant"
        return "system" if ROLES.get(key.lstrip("*")) == "system" else None

    def role_at(self, line: str) -> str | None:
        """Whose turn begins on a line."""
        match = self.pattern.match(line)
        return self.role(match) if match is not None else None


def labels_of(text: str) -> Labels | None:
    """The labels of a text: of its first question and of the answer to it; None without both."""
    fences = _fences(text)
    pairs = (_pair(pattern, _spoken(pattern, text, fences)) for pattern in _PATTERNS)
    found = min(filter(None, pairs), key=lambda pair: pair[:2], default=None)
    return None if found is None else found[2]


def heads_of(text: str, labels: Labels) -> list[Head]:
    """Where the turns of a text begin; a system label counts before the first turn only.

    A text with more than `MAX_HEADS` has none.
    """
    heads: list[Head] = []
    told = ""
    for match in _spoken(labels.pattern, text, _fences(text)):
        role = labels.role(match)
        is_late = (role == "system" and told not in {"", "system"}) or (
            told == "assistant" and labels.asks == "instruction" and _key(match) == "input"
        )
        if role is None or is_late:
            continue
        heads.append(Head(match.start(), match.end(), role))
        told = role
        if len(heads) > MAX_HEADS:
            return []
    return heads


def _pair(
    pattern: re.Pattern[str], matches: Iterable[re.Match[str]]
) -> tuple[int, int, Labels] | None:
    """Where the first question and its answer begin, and the labels; to an instruction a response."""
    asked: re.Match[str] | None = None
    answered: re.Match[str] | None = None
    for match in matches:
        role = ROLES.get(_key(match).lstrip("*"))
        if asked is None:
            asked = match if role == "user" else None
        elif role == "assistant" and (answered is None or _key(match) == "response"):
            answered = match
            if _key(asked) not in _ALPACA or _key(match) == "response":
                break
    if asked is None or answered is None:
        return None
    return asked.start(), answered.start(), Labels(pattern, _key(asked), _key(answered))


def _key(match: re.Match[str]) -> str:
    """A label as it is compared: without case, with a star where it stands in bold."""
    name = next(filter(None, match.groups()), "").lower()
    return "*" + name if "*" in match[0] else name


def _fences(text: str) -> Sequence[tuple[int, int]]:
    """Where blocks of code stand; one that is never closed is none."""
    if "```" not in text and "~~~" not in text:
        return ()
    found: list[tuple[int, int]] = []
    opened: re.Match[str] | None = None
    for match in _FENCE.finditer(text):
        if opened is None:
            opened = match
        elif match[1].startswith(opened[1]) and not match[2].strip():
            found.append((opened.start(), match.end()))
            opened = None
    return found


def _spoken(
    pattern: re.Pattern[str], text: str, fences: Sequence[tuple[int, int]]
) -> Iterable[re.Match[str]]:
    """Matches outside of blocks of code."""
    at = 0
    for match in pattern.finditer(text):
        while at < len(fences) and fences[at][1] <= match.start():
            at += 1
        if at == len(fences) or match.end() <= fences[at][0] + 1:
            yield match
