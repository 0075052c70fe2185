"""Messages with roles -> canonical messages, by the rules every conversation obeys.

Also ShareGPT's spelling of the same. Takes decoded values, knows nothing of files and lines.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from podtune.core.dataset import Message, Severity
from podtune.data.findings import CODES
from podtune.data.formats import tools as tool_use
from podtune.data.record import Converted, Problem, refused

ROLES: Final = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "tool": "tool",
    "function": "tool",
    "function_call": "assistant",
    "observation": "tool",
    "function_response": "tool",
    "tool_response": "tool",
    "tool_call": "assistant",
    "chatgpt": "assistant",
    "bing": "assistant",
    "bard": "assistant",
}
"""Spelling of a role -> ours: OpenAI's, ShareGPT's and LLaMA-Factory's."""

MEANT: Final = {
    "bot": "assistant", "ai": "assistant", "model": "assistant", "agent": "assistant",
    "support": "assistant", "assistent": "assistant", "asistente": "assistant",
    "assistente": "assistant", "chatbot": "assistant", "claude": "assistant", "response": "assistant",
    "answer": "assistant", "completion": "assistant", "assisstant": "assistant", "asistant": "assistant",
    "customer": "user", "client": "user", "visitor": "user", "caller": "user", "question": "user",
    "prompt": "user", "kunde": "user", "usuario": "user", "utilisateur": "user", "usr": "user",
    "instructions": "system", "sys": "system",
}  # fmt: skip
"""Other names of roles, offered as the repair `role-names`."""

REASONING_KEYS: Final = ("reasoning_content", "reasoning", "thinking")
"""Where exports keep what the assistant thought."""

WEIGHT_KEYS: Final = ("weight", "train", "trainable")
"""Where it stands whether a turn is trained on: OpenAI's, and those of other trainers."""

_WEIGHTS: Final = {
    **dict.fromkeys(("0", "0.0", "false"), 0),
    **dict.fromkeys(("1", "1.0", "true"), 1),
}
"""Numbers, truth values and texts that say whether a turn is trained on."""

_MEDIA: Final = frozenset(
    {"image", "image_url", "input_image", "audio", "input_audio", "video", "file", "input_file"}
)


def converted(
    value: object, tools: object = None, system: object = None, *, speaker: str = "role", text: str = "content"
) -> Converted:  # fmt: skip
    """A list of messages as a conversation.

    Args:
        value: The list; anything else is refused.
        tools: The record's tools, as a list or as JSON text.
        system: A system text that stands beside the list.
        speaker: Key of the role (`from` in ShareGPT).
        text: Key of the content (`value` in ShareGPT).
    """
    if not isinstance(value, list) or not value:
        kind = "an empty list" if value == [] else kind_of(cast("object", value))
        return refused(Problem("no_messages", f"the messages are {kind}"))
    problems: list[Problem] = []
    messages: list[Message] = []
    for index, entry in enumerate(cast("list[object]", value), start=1):
        message = _message(entry, index, problems, speaker, text)
        if message is not None:
            messages.append(message)
    declared = tool_use.declared(tools, problems)
    tool_use.match_calls(messages, problems)
    if isinstance(system, str) and system.strip():
        messages.insert(0, Message("system", system.strip()))
    return checked(messages, problems, declared)


def sharegpt(fields: Mapping[str, object]) -> Converted:
    """A ShareGPT record: `conversations` of `from` and `value`."""
    key = next((k for k in ("conversations", "conversation", "messages") if k in fields), "")
    return converted(
        fields.get(key), fields.get("tools"), fields.get("system"), speaker="from", text="value"
    )


def _message(
    entry: object, index: int, problems: list[Problem], speaker: str, text: str
) -> Message | None:
    if not isinstance(entry, dict):
        problems.append(Problem("not_text", f"message {index} is {kind_of(entry)}"))
        return None
    fields = cast("dict[str, Any]", entry)
    role = _role(fields, index, problems, speaker)
    content = fields.get(text)
    is_call = _plain(fields.get(speaker)) in ("function_call", "tool_call")
    if type(content) is str:
        content = content.strip()
        if len(fields) == 2 and not is_call:
            return Message(role, content) if role else None
    if is_call:
        calls, content = tool_use.from_text(content, index, problems), ""
    else:
        calls = tool_use.calls_of(fields, role, index, problems)
    if not isinstance(content, str):
        content = _parts(content, index, problems, may_lack=bool(calls))
    if role is None:
        return None
    return Message(
        role,
        content or (None if calls else content),
        calls,
        _text_or_none(fields.get("tool_call_id")),
        _text_or_none(fields.get("name")),
        next((r for k in REASONING_KEYS if (r := _text_or_none(fields.get(k)))), None)
        if role == "assistant"
        else None,
        _weight(fields, role, index, problems),
    )


def _role(
    fields: Mapping[str, Any], index: int, problems: list[Problem], speaker: str
) -> str | None:
    role = fields.get(speaker)
    if type(role) is str and (known := ROLES.get(role)):
        return known
    if role is None:
        problems.append(Problem("missing_role", f"message {index}"))
        return None
    plain = _plain(role)
    if plain in ROLES:
        return ROLES[plain]
    meant = MEANT.get(plain)
    problems.append(Problem("bad_role", f"message {index}", "role-names" if meant else None))
    return meant


def _plain(role: object) -> str:
    return role.strip().lower() if isinstance(role, str) else ""


def _parts(content: object, index: int, problems: list[Problem], *, may_lack: bool) -> str | None:
    """Text of a content that is no string: parts are joined, a lacking one is left to its calls."""
    if content is None and may_lack:
        return None
    if isinstance(content, list):
        texts: list[str] = []
        for part in cast("list[object]", content):
            piece = _part(part)
            if piece is None:
                problems.append(Problem("not_text", f"message {index} has a part that is no text"))
                return None
            texts.append(piece)
        problems.append(Problem("content_parts_joined"))
        return "\n".join(t for t in texts if t).strip()
    problems.append(Problem("not_text", f"message {index} is {kind_of(content)}"))
    return None


def _part(part: object) -> str | None:
    if isinstance(part, str):
        return part.strip()
    if not isinstance(part, dict):
        return None
    fields = cast("Mapping[str, object]", part)
    kind = fields.get("type")
    if isinstance(kind, str) and kind in _MEDIA:
        return None
    text = fields.get("text")
    return text.strip() if isinstance(text, str) else None


def _text_or_none(value: object) -> str | None:
    return value.strip() or None if isinstance(value, str) else None


def _weight(
    fields: Mapping[str, Any], role: str, index: int, problems: list[Problem]
) -> int | None:
    """Whether a turn is trained on, as any of `WEIGHT_KEYS` says; 0 goes before 1."""
    found: list[int] = []
    for key in WEIGHT_KEYS:
        value = fields.get(key)
        if value is None:
            continue
        weight = (
            _WEIGHTS.get(str(value).strip().lower())
            if isinstance(value, int | float | str)
            else None
        )
        if weight is not None:
            found.append(weight)
        elif role == "assistant":
            problems.append(Problem("bad_weight", f"`{key}` of message {index}"))
    return min(found, default=None)


def checked(
    messages: list[Message],
    problems: list[Problem],
    tools: tuple[Mapping[str, Any], ...] = (),
) -> Converted:
    """The rules every conversation obeys, however it was written."""
    if any(is_final(p) for p in problems):
        return refused(*problems)
    kept = [m for m in messages if m.content or m.tool_calls or m.role != "system"]
    answers = [m for m in kept if m.role == "assistant"]
    if not answers:
        return refused(*problems, Problem("no_assistant"))
    if any(not m.content and not m.tool_calls for m in answers):
        return refused(*problems, Problem("empty_answer"))
    if any(m.role == "user" and not m.content for m in kept):
        return refused(*problems, Problem("empty_question"))
    _order(kept, problems)
    return Converted(tuple(kept), tuple(problems), tools)


def is_final(problem: Problem) -> bool:
    """Whether a problem keeps the row out whatever is repaired."""
    return problem.repair is None and CODES[problem.code].severity is Severity.ERROR


def _order(messages: list[Message], problems: list[Problem]) -> None:
    """What is odd about who speaks when; turns after the last answer are dropped."""
    if messages[-1].role != "assistant":
        while messages[-1].role != "assistant":
            messages.pop()
        problems.append(Problem("trailing_user_turn"))
    last = ""
    for message in messages:
        role = message.role
        if role == "assistant" and last in ("", "system"):
            problems.append(Problem("assistant_first"))
        elif role == last and role in ("user", "assistant"):
            problems.append(Problem("consecutive_roles"))
        last = role


def kind_of(value: object) -> str:
    """What a value is, without saying what it holds."""
    names = {"dict": "an object", "list": "a list", "str": "text", "bool": "true or false"}
    if value is None:
        return "missing or null"
    return names.get(type(value).__name__, "a number")


def named_keys(fields: Mapping[str, object]) -> str:
    """The first keys of a record, for an error; keys are no row text, but are kept short."""
    names = ", ".join(repr(key)[:30] for key in list(fields)[:5])
    return f"its keys: {names}" if names else "it has no keys"


def has_roles(value: object, keys: Sequence[str]) -> bool:
    """Whether a value is a list of objects the first of which has one of the keys."""
    if not isinstance(value, list):
        return False
    entries = cast("list[object]", value)
    return any(isinstance(e, dict) and any(k in e for k in keys) for e in entries[:3])
