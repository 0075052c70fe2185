"""Conversations -> rendered documents, and where the answers stand in them.

A conversation is rendered once; where its answers are is known from the same conversation with
other contents (its skeleton), and holds because the text is compared whole. A template that
rewrites history (so that a prefix is no prefix) gives one document for each answer instead, which
is also what inference sees.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from podtune.core.dataset import Conversation
from podtune.data.template import TemplateRefusedError, TokenizerFolder

Messages = list[dict[str, Any]]

_STAND_IN: Final = "\ue000content\ue001"
"""A content of private-use characters, which no template looks for."""


class Text(NamedTuple):
    """A rendered document and the character spans of the answers in it."""

    text: str
    spans: tuple[tuple[int, int], ...]
    grew: bool = True
    """Whether every prefix rendered by itself is a prefix of the text."""


class Renderer:
    """Renders the conversations of a data set under one template."""

    def __init__(self, folder: TokenizerFolder, system_prompt: str | None = None) -> None:
        """`system_prompt` is put before conversations without one of their own."""
        self._folder = folder
        self._system_prompt = system_prompt
        self._skeletons: dict[tuple[object, ...], _Skeleton | None] = {}

    def documents(self, conversation: Conversation) -> list[Text]:
        """One document with all answers, or one per answer where the template rewrites history.

        Answers of weight 0 are context only: they have no span.

        Raises:
            TemplateRefusedError: the template refuses the conversation.
        """
        messages = template_messages(conversation, self._system_prompt)
        if conversation.tools or max(map(len, messages)) > 2:
            return _slowly(conversation, messages, self._folder)
        key = (len(messages), *[(m.role, m.weight) for m in conversation.messages])
        if key not in self._skeletons:
            self._skeletons[key] = _skeleton(conversation, messages, self._folder)
        skeleton = self._skeletons[key]
        if skeleton is None:
            return _slowly(conversation, messages, self._folder)
        contents: list[str] = [m["content"] for m in messages]
        text = self._folder.template.render(messages)
        found = skeleton.placed(text, contents)
        return _slowly(conversation, messages, self._folder) if found is None else [found]


class _Skeleton(NamedTuple):
    """What a template writes round the contents of conversations with the same roles."""

    pieces: tuple[str, ...]
    """Before, between and behind the contents."""
    spans: tuple[tuple[tuple[int, int], tuple[int, int]], ...]
    """Start and end of each answer: a piece and a place in it."""

    def placed(self, text: str, contents: Sequence[str]) -> Text | None:
        """The answers of a text, where it is these contents between these pieces and nothing else."""
        at = 0
        ends: list[int] = []
        for content, piece in zip(("", *contents), self.pieces, strict=True):
            at += len(content)
            ends.append(at)
            if not (text.startswith(content, at - len(content)) and text.startswith(piece, at)):
                return None
            at += len(piece)
        if at != len(text):
            return None
        return Text(text, tuple([(ends[a] + b, ends[c] + d) for (a, b), (c, d) in self.spans]))


def _skeleton(
    conversation: Conversation, messages: Messages, folder: TokenizerFolder
) -> _Skeleton | None:
    """The skeleton of a conversation; None where the template does not write contents as they are.

    Contents are stand-ins of private-use characters, which no template looks for.
    """
    marks = [f"\ue000{index}\ue001" for index in range(len(messages))]
    stand_ins = [{**m, "content": mark} for m, mark in zip(messages, marks, strict=True)]
    try:
        texts = _slowly(conversation, stand_ins, folder)
    except TemplateRefusedError:
        return None
    if (
        len(texts) != 1
        or not texts[0].grew
        or any(texts[0].text.count(mark) != 1 for mark in marks)
    ):
        return None
    pieces: list[str] = []
    rest, at, begins = texts[0].text, 0, [0]
    for mark in marks:
        piece, found, rest = rest.partition(mark)
        if not found:
            return None  # contents in another order
        pieces.append(piece)
        at += len(piece) + len(mark)
        begins.append(at)
    pieces.append(rest)
    spans = [
        (_place(start, begins, pieces), _place(end, begins, pieces))
        for start, end in texts[0].spans
    ]
    known = [(a, b) for a, b in spans if a is not None and b is not None]
    return _Skeleton(tuple(pieces), tuple(known)) if len(known) == len(spans) else None


def _place(at: int, begins: Sequence[int], pieces: Sequence[str]) -> tuple[int, int] | None:
    """The piece that holds a place of the text, and where in it; None inside a stand-in."""
    for index, (begin, piece) in enumerate(zip(begins, pieces, strict=True)):
        if begin <= at <= begin + len(piece):
            return index, at - begin
    return None


def _slowly(conversation: Conversation, messages: Messages, folder: TokenizerFolder) -> list[Text]:
    """The same by rendering every prefix that ends before or behind an answer."""
    tools = conversation.tools
    ahead = len(messages) - len(conversation.messages)
    answers = [
        i + ahead
        for i, m in enumerate(conversation.messages)
        if m.role == "assistant" and m.weight != 0
    ]
    render = folder.template.render
    full = render(messages, tools=tools)
    spans: list[tuple[int, int]] = []
    for index in answers:
        asked = render(messages[:index], open_answer=True, tools=tools)
        last = index == len(messages) - 1
        answered = full if last else render(messages[: index + 1], tools=tools)
        if not (full.startswith(answered) and answered.startswith(asked)):
            return [_single(messages[: index + 1], folder, tools) for index in answers]
        spans.append((len(asked), len(answered)))
    return [Text(full, tuple(spans))]


def _single(
    messages: Messages, folder: TokenizerFolder, tools: Sequence[Mapping[str, Any]]
) -> Text:
    """A document that trains only its last answer."""
    asked = folder.template.render(messages[:-1], open_answer=True, tools=tools)
    answered = folder.template.render(messages, tools=tools)
    if not answered.startswith(asked):
        # The prompt opened a `<think>` that the finished turn lacks: the answer begins where the
        # two part, or where its own text begins if they share its first letters.
        start = _common_prefix(asked, answered)
        stand_in = [*messages[:-1], {**messages[-1], "content": _STAND_IN}]
        written = folder.template.render(stand_in, tools=tools).find(_STAND_IN)
        if written >= 0 and answered.startswith(messages[-1]["content"], written):
            start = min(start, written)
        return Text(answered, ((start, len(answered)),), grew=False)
    return Text(answered, ((len(asked), len(answered)),))


def _common_prefix(left: str, right: str) -> int:
    """How many characters two texts share from the start (an opened `<think>` that vanishes)."""
    limit = min(len(left), len(right))
    return next((i for i in range(limit) if left[i] != right[i]), limit)


def template_messages(conversation: Conversation, system_prompt: str | None = None) -> Messages:
    """The messages as chat templates want them: arguments of calls as objects, no empty parts."""
    messages: Messages = []
    for role, content, calls, call_id, name, reasoning, _ in conversation.messages:
        turn: dict[str, Any] = {"role": role, "content": content or ""}
        if calls:
            turn["tool_calls"] = [_call(call) for call in calls]
        if call_id is not None:
            turn["tool_call_id"] = call_id
        if name is not None:
            turn["name"] = name
        if reasoning is not None:
            turn["reasoning_content"] = reasoning
        messages.append(turn)
    if system_prompt and messages[0]["role"] != "system":
        return [{"role": "system", "content": system_prompt}, *messages]
    return messages


def _call(call: Mapping[str, Any]) -> dict[str, Any]:
    function = call["function"]
    return {**call, "function": {**function, "arguments": json.loads(function["arguments"])}}


def prompt_text(
    conversation: Conversation, folder: TokenizerFolder, system_prompt: str | None = None
) -> str:
    """The conversation up to its last answer, as the model is asked it at inference."""
    messages = template_messages(conversation, system_prompt)
    last = max(i for i, m in enumerate(messages) if m["role"] == "assistant")
    return folder.template.render(messages[:last], open_answer=True, tools=conversation.tools)
