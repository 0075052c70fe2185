"""What of a message is text: to look through, to change, to compare."""

from collections.abc import Callable, Mapping
from typing import Any, cast

from podtune.core.dataset import TEXT_ROLE, Message
from podtune.data.quality import sensitive


def private_parts(messages: tuple[Message, ...]) -> dict[str, str]:
    """Code of what is private in a row -> the first of it, masked."""
    found: dict[str, str] = {}
    for message in messages:
        for text in texts(message):
            for hit in sensitive.scan(text):
                in_answer = hit.code == "secret" and message.role in ("assistant", TEXT_ROLE)
                found.setdefault("secret_in_answer" if in_answer else hit.code, hit.masked)
    return found


def whole(message: Message) -> str:
    """All of a message in which two rows may differ; ids of calls are none of it."""
    role, content, calls, _, name, reasoning, weight = message
    if not calls and reasoning is None and weight is None and name is None:
        return f"{role}\t{content}"
    called = [call.get("function") for call in calls]
    return f"{role}\t{content}\t{called}\t{name}\t{reasoning}\t{weight}"


def texts(message: Message) -> list[str]:
    """Every text of a message that could hold something private."""
    texts = [t for t in (message.content, message.reasoning_content, message.name) if t]
    for call in message.tool_calls:
        arguments: object = cast("Mapping[str, Any]", call.get("function", {})).get("arguments")
        if isinstance(arguments, str):
            texts.append(arguments)
    return texts


def with_text(message: Message, change: Callable[[str], str]) -> Message:
    """A message with every text of it changed."""
    calls = tuple(
        {
            **call,
            "function": {**call["function"], "arguments": change(call["function"]["arguments"])},
        }
        for call in message.tool_calls
    )
    return message._replace(
        content=change(message.content) if message.content else message.content,
        name=change(message.name) if message.name else message.name,
        reasoning_content=change(message.reasoning_content)
        if message.reasoning_content
        else message.reasoning_content,
        tool_calls=calls,
    )
