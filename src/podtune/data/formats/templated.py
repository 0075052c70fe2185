"""Text that was rendered already: by a chat template, or with Human: and Assistant: before turns.

Takes a text, or the numbered lines of a file. Knows nothing of tokenizers.

Source: chat templates of the model families named below, as their tokenizers ship them (2026).
"""

# ruff: noqa: RUF001 (letters and marks of other scripts are meant)
import itertools
import re
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from podtune.data.formats import labelled
from podtune.data.record import Problem, Reading, Record

CHATML: Final = "chatml_text"
LABELLED: Final = "human_assistant_text"
NAMES: Final = (CHATML, LABELLED)

MAX_TURNS: Final = labelled.MAX_HEADS
"""Turns of one text."""

LOOK: Final = 2_000
"""Lines of a file held to tell how its conversations are parted."""

_SHOWN: Final = 200
"""Characters of a line in which a turn's label is looked for."""

_CODE_LINES: Final = 200
"""Lines after which a block of code that is not closed is none."""

ROUNDS: Final = 20
"""Questions in one conversation; people seldom ask as often without a pause."""


class _Style(NamedTuple):
    """How a family marks turns."""

    head: re.Pattern[str]
    """Begins a turn; its first group names who speaks."""
    end: re.Pattern[str]
    """Where a turn's text ends before the next head; the rest is no text."""


def _style(head: str, end: str) -> _Style:
    return _Style(re.compile(head, re.IGNORECASE), re.compile(end, re.IGNORECASE))


_STYLES: Final = (
    _style(r"<\|im_start\|>[ ]?(\w{1,20})(?: name=\w{1,64})?[ ]?\n?", r"<\|im_end\|>"),
    _style(
        r"<\|start_header_id\|>(\w{1,20})<\|end_header_id\|>\n{0,2}",
        r"<\|eot_id\|>|<\|eom_id\|>|<\|end_of_text\|>",
    ),
    _style(
        r"<\|header_start\|>(\w{1,20})<\|header_end\|>\n{0,2}",
        r"<\|eot\|>|<\|eom\|>|<\|end_of_text\|>",
    ),
    _style(r"<start_of_turn>(\w{1,20})\n?", r"<end_of_turn>"),
    _style(r"<\|start_of_role\|>(\w{1,20})<\|end_of_role\|>", r"<\|end_of_text\|>"),
    _style(
        r"<[|｜](system|user|assistant|tool|observation)[|｜]>\n?",
        r"</s>|<\|end\|>|<\|endoftext\|>|<｜end▁of▁sentence｜>",
    ),
)
"""ChatML, Llama 3, Llama 4, Gemma, Granite, Zephyr with Phi 3, GLM and DeepSeek."""

_SYSTEM_MARKS: Final = (("<<SYS>>", "<</SYS>>"), ("[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]"))

_END: Final = re.compile(r"</s>|<\|endoftext\|>")

_STARTS: Final = ("<s>", "<bos>", "<|begin_of_text|>", "<｜begin▁of▁sentence｜>", "[gMASK]")
"""Marks that begin a whole text."""

_FINISH: Final = ("</s>", "<eos>", "<|endoftext|>", "<|end_of_text|>", *_STARTS)
"""Marks that stand behind a turn; where one conversation follows another, also those that begin it."""

_AROUND: Final = re.compile(
    r"\s*(?:<s>|</s>|<bos>|<eos>|<\|begin_of_text\|>|<\|end_of_text\|>|<\|endoftext\|>|<｜begin▁of▁sentence｜>"
    r"|<｜end▁of▁sentence｜>|\[gMASK\]|<sop>)\s*"
)
"""Marks at the ends of a text that no turn holds."""

_BOILERPLATE: Final = ("below is an instruction that describes a task", "a chat between a curious")
"""Openings of templates that say nothing of the task; a model's own template has its own."""

_BOUND: Final = re.compile(r"\s*(?:[-=*_#]{3,40}|<\|endoftext\|>|<\|end_of_text\|>|</s>)\s*")
"""Lines between two conversations of a file."""


def fits_text(head: str) -> bool:
    """Whether a text file begins with a rendered conversation."""
    return split_text(head[:65_536]) is not None


def split_text(
    text: str, labels: labelled.Labels | None = None
) -> tuple[str, list[dict[str, object]]] | None:
    """A rendered conversation as its format and messages; None where it is none.

    Args:
        text: The whole of it.
        labels: Of the file it stands in; a text without them has its own.

    A format other than `human_assistant_text` has a template's real markers: who converts it notes
    `already_templated`.
    """
    found = _marked(text) or _instructions(text)
    if found:
        return CHATML, found
    for own in (labels, labelled.labels_of(text)):
        found = _labelled(text, own) if own is not None else []
        if own is not None and found:
            return (CHATML if own.is_alpaca else LABELLED), found
    return None


def gather_text(lines: Iterable[tuple[int, str]], reading: Reading) -> Iterator[Record]:
    """One record for every conversation of a text file.

    A rule or an end mark on a line of its own parts conversations; so does a wider gap before a
    question than before the answers, and a new system text. A file with none of these and more than
    `ROUNDS` questions is a list of pairs.
    """
    stream = iter(lines)
    held = list(itertools.islice(stream, LOOK))
    labels = labelled.labels_of("\n".join(line[:_SHOWN] for _, line in held))
    asked = sum(_role_at(line, labels) == "user" for _, line in held)
    parted = sum(bool(block.strip()) for _, block in _Bounds(labels).blocks(held)) > 1
    bounds = _Bounds(labels, every_question=asked > ROUNDS and not parted)
    noted = False
    for number, block in bounds.blocks(itertools.chain(held, stream)):
        found = split_text(block, labels)
        if found is None:
            if block.strip():
                yield Record(number, {"text": block})
            continue
        if found[0] == CHATML and not noted:
            reading.note(Problem("already_templated"), number)
            noted = True
        yield Record(number, {"messages": found[1]})


class _Bounds:
    """Where one conversation of a file ends and the next begins."""

    def __init__(self, labels: labelled.Labels | None, *, every_question: bool = False) -> None:
        self.labels = labels
        self.every_question = every_question
        """Whether each question begins a conversation."""
        self.held: list[str] = []
        self.answered = False
        self.blank = 0
        """Empty lines right above."""
        self.gap = 0
        """The widest gap before an answer."""
        self.coded = 0
        """Lines since a block of code began; none outside of one."""

    def blocks(self, lines: Iterable[tuple[int, str]]) -> Iterator[tuple[int, str]]:
        """First line and text of every conversation."""
        first = 0
        for number, line in lines:
            parts = len(line) <= 80 and not self.coded and _BOUND.fullmatch(line) is not None
            if parts or self._begins(line):
                yield first, "\n".join(self.held)
                self.held, self.answered, self.gap = [], False, 0
            if not self.held:
                first = number
            if not parts and (self.held or line.strip()):
                self.held.append(line)
            self._look(line)
        yield first, "\n".join(self.held)

    def _begins(self, line: str) -> bool:
        if line.startswith(_STARTS):
            return bool(self.held)
        if self.coded or not self.answered:
            return False
        role = _role_at(line, self.labels)
        if role == "system":
            return self.blank >= self.gap  # closer than turns stand, it is a word of the answer
        return role == "user" and (self.every_question or self.blank > self.gap)

    def _look(self, line: str) -> None:
        if not self.coded and _role_at(line, self.labels) == "assistant":
            self.answered, self.gap = True, max(self.gap, self.blank)
        self.blank = 0 if line.strip() else self.blank + 1
        if line.startswith("```"):
            self.coded = not self.coded
        elif self.coded:
            self.coded = (self.coded + 1) % _CODE_LINES


def _role_at(line: str, labels: labelled.Labels | None) -> str | None:
    """Whose turn begins on a line."""
    start = line[:_SHOWN]
    for style in _STYLES:
        match = style.head.match(start)
        if match is not None:
            return labelled.ROLES.get(match[1].lower())
    if "[INST]" in start:
        return "user"
    return labels.role_at(start) if labels is not None else None


def has_marker(text: str) -> bool:
    """Whether any turn of a template begins in a text, answered or not."""
    return any(style.head.search(text) for style in _STYLES) or "[INST]" in text


def _marked(text: str) -> list[dict[str, object]]:
    """Turns between markers that stand for nothing else."""
    for style in _STYLES:
        if style.head.search(text) is not None:
            found = _between(text, style.head, style.end)
            if found:
                return found
    return []


def _instructions(text: str) -> list[dict[str, object]]:
    """Llama 2 and Mistral: questions in [INST], a system text inside the first or before it."""
    if "[INST]" not in text or "[/INST]" not in text:
        return []
    before, *rest = text.split("[INST]", MAX_TURNS)
    told = _with_system("system", before)
    for part in rest:
        question, _, answer = part.partition("[/INST]")
        told += _with_system("user", question)
        told.append(("assistant", _bare(answer)))
    return _checked(told)


def _with_system(role: str, content: str) -> list[tuple[str | None, str]]:
    """A turn, and before it the system text it holds."""
    for opens, closes in _SYSTEM_MARKS:
        before, opened, rest = content.partition(opens)
        system, closed, after = rest.partition(closes)
        if opened and closed:
            return [("system", system.strip()), (role, _bare(before + after))]
    return [(role, _bare(content))]


def _labelled(text: str, labels: labelled.Labels) -> list[dict[str, object]]:
    """Turns behind labels; the first speaker asks, else it is a text that happens to hold labels."""
    heads = labelled.heads_of(text, labels)
    if not heads:
        return []
    told: list[tuple[str | None, str]] = []
    before = _bare(text[: heads[0].start])
    if not before.lower().startswith(_BOILERPLATE):
        told.append(("system", before))
    stops = (*(head.start for head in heads[1:]), len(text))
    for head, stop in zip(heads, stops, strict=True):
        told.append((head.role, _bare(_END.split(text[head.end : stop], maxsplit=1)[0])))
    return _asked_first(_checked(told))


def _between(text: str, head: re.Pattern[str], end: re.Pattern[str]) -> list[dict[str, object]]:
    """Turns from head to head, each cut at its end mark."""
    heads: list[re.Match[str]] = []
    for match in head.finditer(text):
        heads.append(match)
        if len(heads) > MAX_TURNS:
            return []
    told: list[tuple[str | None, str]] = []
    for at, match in enumerate(heads):
        stop = heads[at + 1].start() if at + 1 < len(heads) else len(text)
        content = end.split(text[match.end() : stop], maxsplit=1)[0]
        told.append((labelled.ROLES.get(match[1].lower()), _bare(content)))
    return _checked(told)


def _bare(content: str) -> str:
    """A turn's text without the marks at the ends of the whole."""
    at = 0
    while (match := _AROUND.match(content, at)) is not None:
        at = match.end()
    stripped = content[at:].strip()
    for _ in range(4):
        for mark in _FINISH:
            stripped = stripped.removesuffix(mark).rstrip()
    return stripped


def _checked(told: list[tuple[str | None, str]]) -> list[dict[str, object]]:
    """Messages, where somebody asks and an assistant's turn is there; else nothing.

    Neighbours of one role are one turn. Empty turns stay for the shared rules to judge, but for one
    at the end: there the model was to go on.
    """
    runs: list[tuple[str | None, list[str]]] = []
    for role, content in told:
        if runs and runs[-1][0] == role:
            runs[-1][1].append(content)
        elif content or role in {"user", "assistant"}:
            runs.append((role, [content]))
    merged = [(role, "\n\n".join(filter(None, parts))) for role, parts in runs]
    answers = [content for role, content in merged if role == "assistant"]
    if not answers or "user" not in {role for role, _ in merged}:
        return []
    if merged[-1] == ("assistant", "") and len(answers) > 1:
        merged.pop()
    return [
        {"content": content} if role is None else {"role": role, "content": content}
        for role, content in merged
    ]


def _asked_first(messages: list[dict[str, object]]) -> list[dict[str, object]]:
    """The messages, where a user speaks before the assistant."""
    first = next((m.get("role") for m in messages if m.get("role") != "system"), None)
    return messages if first == "user" else []
