"""Content blocks and tools of model APIs in the OpenAI form of chat messages.

Takes one message or one request. Knows nothing of logs.
"""

from collections.abc import Mapping
from typing import cast

import msgspec

from podtune.data.formats.fields import mapping, objects, text


def blocks_as_messages(entry: Mapping[str, object]) -> list[dict[str, object]]:
    """A message whose content is in blocks, or an item of the responses API, as chat messages.

    Returns:
        Nothing where the message needs no translation.
    """
    kind = entry.get("type")
    if kind == "function_call":
        call = _call(
            entry.get("call_id") or entry.get("id"), entry.get("name"), entry.get("arguments")
        )
        return [{"role": "assistant", "content": None, "tool_calls": [call]}]
    if kind == "function_call_output":
        return [_result(entry.get("call_id"), entry.get("output"))]
    blocks = objects(entry.get("content"))
    kinds = {text(block.get("type")) for block in blocks}
    if entry.get("role") == "assistant":
        return _spoken(blocks) if kinds & {"text", "output_text", "tool_use", "thinking"} else []
    if "tool_result" in kinds:
        return _results(blocks)
    if kinds and kinds <= {"input_text"}:
        return [{"role": entry.get("role"), "content": _texts(blocks, "\n\n")}]
    return []


def tools_of(request: Mapping[str, object]) -> list[Mapping[str, object]]:
    """The functions a request offers, in the OpenAI form."""
    found: list[Mapping[str, object]] = []
    for tool in objects(request.get("tools")) or objects(request.get("functions")):
        if isinstance(tool.get("function"), Mapping):
            found.append(tool)
        elif isinstance(tool.get("name"), str):
            function = {"name": tool["name"]}
            if isinstance(tool.get("description"), str):
                function["description"] = tool["description"]
            schema = tool.get("parameters") or tool.get("input_schema")
            if isinstance(schema, Mapping):
                function["parameters"] = cast("object", schema)
            found.append({"type": "function", "function": function})
    return found


def _spoken(blocks: list[Mapping[str, object]]) -> list[dict[str, object]]:
    """An assistant's blocks: its texts are pieces of one text, its calls and thoughts stand beside."""
    message: dict[str, object] = {"role": "assistant", "content": _texts(blocks, "") or None}
    calls = [
        _call(block.get("id"), block.get("name"), block.get("input"))
        for block in blocks
        if block.get("type") == "tool_use"
    ]
    thoughts = [text(block.get("thinking")) for block in blocks if block.get("type") == "thinking"]
    if calls:
        message["tool_calls"] = calls
    if any(thoughts):
        message["reasoning_content"] = "\n\n".join(filter(None, thoughts))
    return [message]


def _results(blocks: list[Mapping[str, object]]) -> list[dict[str, object]]:
    """Results of tools, and what the user says beside them."""
    found = [
        _result(block.get("tool_use_id"), block.get("content"))
        for block in blocks
        if block.get("type") == "tool_result"
    ]
    said = _texts(blocks, "\n\n")
    return [*found, {"role": "user", "content": said}] if said else found


def _result(call: object, content: object) -> dict[str, object]:
    shown = content if isinstance(content, str) else _texts(objects(content), "\n\n")
    return {"role": "tool", "tool_call_id": call, "content": shown}


def _call(number: object, name: object, arguments: object) -> dict[str, object]:
    """A call in the OpenAI form, its arguments as JSON text."""
    if not isinstance(arguments, str):
        arguments = msgspec.json.encode(mapping(arguments)).decode()
    return {"id": number, "type": "function", "function": {"name": name, "arguments": arguments}}


def _texts(blocks: list[Mapping[str, object]], separator: str) -> str:
    """The texts of blocks; only those at the ends lose their blanks."""
    parts = [block["text"] for block in blocks if isinstance(block.get("text"), str)]
    return separator.join(cast("list[str]", parts)).strip()
