"""What a chat template leaves out of a row's answers, though it refuses nothing.

A model would learn from such rows to answer with nothing, or to stop where it should call a tool.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from podtune.core.dataset import Conversation
from podtune.data.rendering import Messages, Text, template_messages, trained_answers
from podtune.data.template import TokenizerFolder


def left_out(
    conversation: Conversation,
    documents: Sequence[Text],
    folder: TokenizerFolder,
    system_prompt: str | None = None,
) -> str | None:
    """The code of what is missing: `answer_lost`, `tool_calls_lost`, `reasoning_left_out`.

    Args:
        conversation: A row.
        documents: What `rendering.Renderer` made of it.
        folder: The base model's tokenizer and template.
        system_prompt: Put before rows without a system message.
    """
    if all(document.compared for document in documents):
        return None
    messages = template_messages(conversation, system_prompt)
    answers = trained_answers(conversation, messages)
    spoken = [d.text[start:end] for d in documents for start, end in d.spans]
    render = folder.template.render
    for index, text in zip(answers, spoken, strict=True):
        if _says(text, messages[index]["content"]):
            continue
        empty = [*messages[:index], {**messages[index], "content": ""}]
        shown = render(messages[: index + 1], tools=conversation.tools)
        if shown == render(empty, tools=conversation.tools):
            return "answer_lost"
    if not _shows_calls(conversation, messages, folder):
        return "tool_calls_lost"
    for index, text in zip(answers, spoken, strict=True):
        if messages[index].get("reasoning_content", "").strip() not in text:
            return "reasoning_left_out"
    return None


def _says(text: str, content: str) -> bool:
    """Whether a text holds a content, as it is or without the thoughts that stand before it."""
    return content.strip() in text or content.rpartition("</think>")[2].strip() in text


def _shows_calls(conversation: Conversation, messages: Messages, folder: TokenizerFolder) -> bool:
    """Whether every call comes through; its name alone may stand in the list of tools too."""
    marked = [_with_marked_calls(message, at) for at, message in enumerate(messages)]
    names = [call["function"]["name"] for m in marked for call in m.get("tool_calls", ())]
    if not names:
        return True
    text = folder.template.render(marked, tools=conversation.tools)
    return all(name in text for name in names)


def _with_marked_calls(message: Mapping[str, Any], at: int) -> dict[str, Any]:
    """A message whose calls have names that stand nowhere else."""
    if "tool_calls" not in message:
        return dict(message)
    calls = [
        {**call, "function": {**call["function"], "name": f"call-7f3a-{at}-{number}"}}
        for number, call in enumerate(message["tool_calls"])
    ]
    return {**message, "tool_calls": calls}
