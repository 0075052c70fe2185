"""Tools in conversations: what may be called, the calls, and whose answer is whose.

The canonical form is OpenAI's: `arguments` is JSON text, answers carry the id of their call.
Arguments that are JSON text stay as they are written. Those that are an object become the shortest
text of the same numbers: integers of any length are exact, `1.10` becomes `1.1` and `1e3` `1000.0`.
"""

import json
from collections.abc import Mapping
from typing import Any, cast

import msgspec

from podtune.core.dataset import Message
from podtune.data import repairs
from podtune.data.record import Problem


def declared(value: object, problems: list[Problem]) -> tuple[Mapping[str, Any], ...]:
    """The functions a record declares; a list, or the same as JSON text."""
    if isinstance(value, str) and value.strip():
        try:
            value = msgspec.json.decode(value.encode())
        except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
            problems.append(Problem("bad_tool_arguments", "`tools` is not JSON"))
            return ()
    if not isinstance(value, list):
        return ()
    entries = cast("list[object]", value)
    return tuple(
        cast("Mapping[str, Any]", e) if "function" in e else {"type": "function", "function": e}
        for e in entries
        if isinstance(e, dict)
    )


def calls_of(
    fields: Mapping[str, Any], role: str | None, index: int, problems: list[Problem]
) -> tuple[Mapping[str, Any], ...]:
    """The calls of an assistant's message, also in the older `function_call` form."""
    if role != "assistant":
        return ()
    value: object = fields.get("tool_calls")
    if value is None and isinstance(fields.get("function_call"), dict):
        value = [{"type": "function", "function": fields["function_call"]}]
    if not isinstance(value, list):
        return ()
    return tuple(
        call
        for entry in cast("list[object]", value)
        if (call := _call(entry, index, problems)) is not None
    )


def from_text(
    content: object, index: int, problems: list[Problem]
) -> tuple[Mapping[str, Any], ...]:
    """A call that stands as JSON text in a turn of its own (ShareGPT's `function_call`)."""
    try:
        value: object = msgspec.json.decode(content.encode()) if isinstance(content, str) else None
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        value = None
    entries = cast("list[object]", value if isinstance(value, list) else [value])
    found = [cast("dict[str, Any]", e) for e in entries if isinstance(e, dict)]
    calls = [_call({"function": e}, index, problems) for e in found]
    if not calls:
        problems.append(Problem("bad_tool_arguments", f"message {index}"))
    return tuple(c for c in calls if c is not None)


def _call(entry: object, index: int, problems: list[Problem]) -> Mapping[str, Any] | None:
    if not isinstance(entry, dict):
        problems.append(Problem("bad_tool_arguments", f"message {index}: a call is no object"))
        return None
    fields = cast("dict[str, Any]", entry)
    function = fields.get("function", fields)
    if not isinstance(function, dict) or not isinstance(
        cast("dict[str, Any]", function).get("name"), str
    ):
        problems.append(Problem("bad_tool_arguments", f"message {index}: a call without a name"))
        return None
    named = cast("dict[str, Any]", function)
    arguments = _arguments(named.get("arguments", named.get("parameters", {})), index, problems)
    call: dict[str, Any] = {
        "type": "function",
        "function": {"name": named["name"], "arguments": arguments},
    }
    return {"id": fields["id"], **call} if isinstance(fields.get("id"), str) else call


def _arguments(value: object, index: int, problems: list[Problem]) -> str:
    """Arguments as JSON text; text that is not an object is a problem, mendable or not."""
    if isinstance(value, dict):
        return json.dumps(cast("dict[str, Any]", value), ensure_ascii=False)
    if value is None or value == "":
        return "{}"
    text = value if isinstance(value, str) else ""
    if is_object(text):
        return text
    mended = repairs.mend_json(text.encode("utf-8", errors="replace"))
    if mended is not None and isinstance(mended.value, dict):
        problems.append(Problem("bad_tool_arguments", f"message {index}", "tool-arguments"))
        return json.dumps(cast("dict[str, Any]", mended.value), ensure_ascii=False)
    problems.append(Problem("bad_tool_arguments", f"message {index}"))
    return text


def is_object(text: str) -> bool:
    """Whether a text is a JSON object."""
    try:
        return isinstance(msgspec.json.decode(text.encode()), dict)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return False


def match_calls(messages: list[Message], problems: list[Problem]) -> None:
    """Find the call of every tool's answer; an answer to no call is a problem."""
    if not any(m.role == "tool" for m in messages):
        return
    open_ids: list[str | None] = []
    for index, message in enumerate(messages, start=1):
        if message.tool_calls:
            open_ids = [call.get("id") for call in message.tool_calls]
        elif message.role == "tool" and not _answers(message, open_ids):
            problems.append(Problem("tool_call_id_mismatch", f"message {index}"))
            return


def _answers(message: Message, open_ids: list[str | None]) -> bool:
    """Whether a tool's message answers an open call, which is then closed."""
    wanted = message.tool_call_id
    if wanted in open_ids:
        open_ids.remove(wanted)
        return True
    # Without ids on one side, calls are answered in their order.
    if open_ids and (wanted is None or all(i is None for i in open_ids)):
        open_ids.pop(0)
        return True
    return False
