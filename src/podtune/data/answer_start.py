"""Where the last answer of a conversation begins in its rendered text.

It begins where the prompt ends, if the finished text goes on from the prompt. Some templates write
the finished text otherwise: without a `<think>` that the prompt opens, or with another history.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from podtune.data.template import ChatTemplate, TemplateRefusedError

_Messages = Sequence[Mapping[str, Any]]

STAND_IN: Final = "\ue000content\ue001"
"""A content of private-use characters, which no template looks for."""

_THOUGHTS: Final = ("reasoning_content", "thinking")
"""The names under which templates are given the reasoning of an answer."""


def find(
    template: ChatTemplate, messages: _Messages, tools: Sequence[Mapping[str, Any]] = ()
) -> tuple[str, int, bool]:
    """The text of a conversation that ends with an answer, and where that begins.

    Args:
        template: The base model's.
        messages: As the template takes them, up to and with the answer.
        tools: Functions that may be called.

    Returns:
        The text, the place in it, and whether the text goes on from the prompt.

    Raises:
        TemplateRefusedError: the template refuses the conversation.
    """
    asked = template.render(messages[:-1], open_answer=True, tools=tools)
    answered = template.render(messages, tools=tools)
    if answered.startswith(asked):
        return answered, len(asked), True
    # Where the two part, the answer begins: the prompt opened a `<think>` that the finished turn
    # lacks. Its own words may share letters with that, and then begin earlier.
    parted = _common_prefix(asked, answered)
    words = _own_words(template, messages, tools, answered)
    if parted >= _end_of_question(template, messages, tools, answered):
        return answered, min(parted, words), False
    # They part in the history, so that says nothing of the answer.
    opening = _opening(template, messages[-1], tools)
    return answered, words - len(opening) * answered.endswith(opening, 0, words), False


def wordless(message: Mapping[str, Any]) -> dict[str, Any]:
    """A message whose words are stand-ins, without its thoughts."""
    kept = {key: value for key, value in message.items() if key not in _THOUGHTS}
    return {**kept, "content": STAND_IN} if message["content"] else kept


def _own_words(
    template: ChatTemplate,
    messages: _Messages,
    tools: Sequence[Mapping[str, Any]],
    answered: str,
) -> int:
    """Where a text begins to depend on what its last message says."""
    *before, answer = messages
    try:
        other = template.render([*before, _otherwise(answer, ("content",))], tools=tools)
    except TemplateRefusedError:  # gpt-oss takes no content beside a thought and a call
        other = template.render([*before, _otherwise(answer)], tools=tools)
    return _common_prefix(answered, other)


def _end_of_question(
    template: ChatTemplate,
    messages: _Messages,
    tools: Sequence[Mapping[str, Any]],
    answered: str,
) -> int:
    """Where a text ceases to depend on what the last message but one says."""
    if len(messages) < 2 or answered.startswith(template.render(messages[:-1], tools=tools)):
        return 0
    *before, question, answer = messages
    other = template.render([*before, _otherwise(question), answer], tools=tools)
    return len(answered) - _common_prefix(answered[::-1], other[::-1])


def _otherwise(message: Mapping[str, Any], given: Sequence[str] = ()) -> dict[str, Any]:
    """A message of which every word is another one; what is `given` it has in any case."""
    changed: dict[str, Any] = dict(message)
    for key in ("content", *_THOUGHTS):
        if key in given or message.get(key):
            changed[key] = STAND_IN
    if "tool_calls" in message:
        changed["tool_calls"] = [
            {**call, "function": {**call["function"], "name": STAND_IN}}
            for call in message["tool_calls"]
        ]
    return changed


def _opening(
    template: ChatTemplate, answer: Mapping[str, Any], tools: Sequence[Mapping[str, Any]]
) -> str:
    """What a template writes between the prompt's end and the answer's own words."""
    question = [{"role": "user", "content": STAND_IN}]
    asked = template.render(question, open_answer=True, tools=tools)
    answered = template.render([*question, answer], tools=tools)
    words = _own_words(template, [*question, answer], tools, answered)
    return answered[_common_prefix(asked, answered) : words]


def _common_prefix(left: str, right: str) -> int:
    """How many characters two texts share from the start."""
    limit = min(len(left), len(right))
    return next((i for i in range(limit) if left[i] != right[i]), limit)
