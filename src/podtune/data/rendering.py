"""Conversations -> rendered documents, and where the answers stand in them.

A conversation is rendered once; where its answers are is known from the same conversation with
other contents (its skeleton), and holds because the text is compared whole. A template that
rewrites history (so that a prefix is no prefix) gives one document for each answer instead, which
is also what inference sees.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from podtune.core.dataset import Conversation
from podtune.data import answer_start
from podtune.data.answer_start import STAND_IN
from podtune.data.template import TemplateRefusedError, TokenizerFolder

Messages = list[dict[str, Any]]


class Text(NamedTuple):
    """A rendered document and the character spans of the answers in it."""

    text: str
    spans: tuple[tuple[int, int], ...]
    grew: bool = True
    """Whether every prefix rendered by itself is a prefix of the text."""
    turns: int = 0
    """How many of the conversation's messages it shows."""
    compared: bool = False
    """Whether every content was found in the text, letter for letter."""
    closings: tuple[int, ...] = ()
    """Of each span, how many characters at its end are known to be the template's own."""

    @property
    def is_one_answer(self) -> bool:
        """Whether it trains one answer and ends with it."""
        return len(self.spans) == 1 and self.spans[0][1] == len(self.text)


class Renderer:
    """Renders the conversations of a data set under one template."""

    def __init__(self, folder: TokenizerFolder, system_prompt: str | None = None) -> None:
        """`system_prompt` is put before conversations without one of their own."""
        self._folder = folder
        self._system_prompt = system_prompt
        self._skeletons: dict[tuple[object, ...], tuple[_Skeleton, ...]] = {}
        self._next_turns: dict[tuple[object, ...], str] = {}

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
            self._skeletons[key] = _skeletons(conversation, messages, self._folder)
        return self._placed(messages, self._skeletons[key]) or _slowly(
            conversation, messages, self._folder
        )

    def _placed(self, messages: Messages, skeletons: Sequence["_Skeleton"]) -> list[Text]:
        """The documents by their skeletons; empty where one does not fit."""
        contents: list[str] = [m["content"] for m in messages]
        documents: list[Text] = []
        for skeleton in skeletons:
            turns = skeleton.turns
            text = self._folder.template.render(messages[:turns])
            found = skeleton.placed(text, contents[:turns])
            if found is None:
                return []
            documents.append(found)
        return documents

    def one_each(self, conversation: Conversation) -> list[Text]:
        """One document for each answer, which ends with it.

        Raises:
            TemplateRefusedError: the template refuses the conversation.
        """
        messages = template_messages(conversation, self._system_prompt)
        return [
            _single(conversation, messages[: index + 1], self._folder)
            for index in trained_answers(conversation, messages)
        ]

    def next_turn(self, conversation: Conversation, turns: int) -> str:
        """What the template writes between an answer and the next turn's words.

        After calls of tools a tool speaks next, else the user. Empty where the template refuses
        that. All words are stand-ins: they decide nothing here.

        Args:
            conversation: A row.
            turns: How many of the template's messages come up to and with the answer.
        """
        shown = template_messages(conversation, self._system_prompt)[:turns]
        if conversation.tools or any(len(message) > 2 for message in shown):
            return self._between(shown, conversation.tools)
        key = tuple((m["role"], not m["content"]) for m in shown)
        if key not in self._next_turns:
            self._next_turns[key] = self._between(shown, ())
        return self._next_turns[key]

    def _between(self, shown: Messages, tools: Sequence[Mapping[str, Any]]) -> str:
        neutral = [answer_start.wordless(message) for message in shown]
        following: dict[str, Any] = {"role": "user", "content": STAND_IN}
        if calls := neutral[-1].get("tool_calls"):
            name = calls[0]["function"]["name"]
            following = {"role": "tool", "content": STAND_IN, "name": name}
            following["tool_call_id"] = calls[0].get("id", "")
        render = self._folder.template.render
        try:
            ended = render(neutral, tools=tools)
            text = render([*neutral, following], tools=tools)
        except TemplateRefusedError:
            return ""
        return text.removeprefix(ended) if text.startswith(ended) else ""


class _Skeleton(NamedTuple):
    """What a template writes round the contents of conversations with the same roles."""

    pieces: tuple[str, ...]
    """Before, between and behind the contents."""
    spans: tuple[tuple[tuple[int, int], tuple[int, int]], ...]
    """Start and end of each answer: a piece and a place in it."""
    closings: tuple[int, ...]
    turns: int

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
        spans = tuple([(ends[a] + b, ends[c] + d) for (a, b), (c, d) in self.spans])
        return Text(text, spans, True, self.turns, compared=True, closings=self.closings)


def _skeletons(
    conversation: Conversation, messages: Messages, folder: TokenizerFolder
) -> tuple[_Skeleton, ...]:
    """A conversation's documents as skeletons; none where contents are not written as they are.

    Contents are stand-ins of private-use characters, which no template looks for.
    """
    marks = [f"\ue002{index}\ue003" for index in range(len(messages))]
    stand_ins = [{**m, "content": mark} for m, mark in zip(messages, marks, strict=True)]
    try:
        texts = _slowly(conversation, stand_ins, folder)
    except TemplateRefusedError:
        return ()
    found = [_skeleton(text, marks[: text.turns]) for text in texts]
    kept = [skeleton for skeleton in found if skeleton is not None]
    return tuple(kept) if len(kept) == len(texts) else ()


def _skeleton(document: Text, marks: Sequence[str]) -> _Skeleton | None:
    """The skeleton of one document; None where each mark does not stand in it once, in order."""
    if not document.grew or any(document.text.count(mark) != 1 for mark in marks):
        return None
    pieces: list[str] = []
    rest, at, begins = document.text, 0, [0]
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
        for start, end in document.spans
    ]
    known = [(a, b) for a, b in spans if a is not None and b is not None]
    if len(known) < len(spans):
        return None
    closings = tuple(written for _, (_, written) in known)
    return _Skeleton(tuple(pieces), tuple(known), closings, document.turns)


def _place(at: int, begins: Sequence[int], pieces: Sequence[str]) -> tuple[int, int] | None:
    """The piece that holds a place of the text, and where in it; None inside a stand-in."""
    for index, (begin, piece) in enumerate(zip(begins, pieces, strict=True)):
        if begin <= at <= begin + len(piece):
            return index, at - begin
    return None


def _slowly(conversation: Conversation, messages: Messages, folder: TokenizerFolder) -> list[Text]:
    """The same by rendering every prefix that ends before or behind an answer."""
    tools = conversation.tools
    answers = trained_answers(conversation, messages)
    render = folder.template.render
    full = render(messages, tools=tools)
    spans: list[tuple[int, int]] = []
    for index in answers:
        asked = render(messages[:index], open_answer=True, tools=tools)
        last = index == len(messages) - 1
        answered = full if last else render(messages[: index + 1], tools=tools)
        if not (full.startswith(answered) and answered.startswith(asked)):
            return [_single(conversation, messages[: i + 1], folder) for i in answers]
        spans.append((len(asked), len(answered)))
    closings = [
        _closing(full[start:end], messages[index]["content"])
        for (start, end), index in zip(spans, answers, strict=True)
    ]
    return [Text(full, tuple(spans), True, len(messages), closings=tuple(closings))]


def _closing(text: str, content: str) -> int:
    """How much of an answer's text stands behind its last words; 0 where they are not found."""
    for words in (content, content.strip()):
        at = text.rfind(words)
        if words and at >= 0:
            return len(text) - at - len(words)
    return 0


def trained_answers(conversation: Conversation, messages: Messages) -> list[int]:
    """Which of the template's messages are answers that are trained on."""
    ahead = len(messages) - len(conversation.messages)
    return [
        index + ahead
        for index, message in enumerate(conversation.messages)
        if message.role == "assistant" and message.weight != 0
    ]


def _single(conversation: Conversation, messages: Messages, folder: TokenizerFolder) -> Text:
    """A document that trains only its last answer."""
    text, start, grew = answer_start.find(folder.template, messages, conversation.tools)
    closing = _closing(text[start:], messages[-1]["content"])
    return Text(text, ((start, len(text)),), grew, len(messages), closings=(closing,))


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
            # Both names, as transformers gives them: gpt-oss and LFM2.5 read `thinking`.
            turn["reasoning_content"] = turn["thinking"] = reasoning
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
