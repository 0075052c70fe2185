"""One record -> one canonical conversation, or the findings that keep it out.

Takes decoded values (a JSON object, or a table's cells), knows nothing of files and lines.
"""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple, cast

from podtune.core.dataset import Message

ROLES: Final = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "gpt": "assistant",
}
"""Spelling of a role -> ours."""

PROMPT_NAMES: Final = (
    "prompt",
    "question",
    "user",
    "input",
    "instruction",
    "customer_message",
    "query",
)
COMPLETION_NAMES: Final = (
    "completion",
    "answer",
    "assistant",
    "output",
    "response",
    "reply",
    "agent_reply",
)
SYSTEM_NAMES: Final = ("system", "system_prompt")


class Problem(NamedTuple):
    """A finding's code and facts, before it has a line."""

    code: str
    detail: str | None = None


class Converted(NamedTuple):
    """What became of a record: its messages and what was noticed; no messages when unusable."""

    messages: tuple[Message, ...]
    problems: tuple[Problem, ...]
    is_pair: bool = False
    """Whether it was written as a prompt and its completion."""


def from_object(record: object) -> Converted:
    """A JSON record in messages or prompt/completion form."""
    if not isinstance(record, dict):
        return _refused(Problem("not_one_object_per_line", f"it is {_kind(record)}"))
    fields = cast(Mapping[str, object], record)
    if "messages" in fields:
        return _from_messages(fields["messages"])
    if "prompt" in fields and "completion" in fields:
        pair = from_pair(fields["prompt"], fields["completion"], fields.get("system"))
        return pair._replace(is_pair=True)
    return _refused(Problem("no_messages", _named_keys(fields)))


def from_pair(prompt: object, completion: object, system: object = None) -> Converted:
    """A question and its answer, with an optional system text."""
    problems: list[Problem] = []
    for name, value in (("prompt", prompt), ("completion", completion)):
        if not isinstance(value, str):
            problems.append(Problem("not_text", f"{name} is {_kind(value)}"))
    if problems:
        return _refused(*problems)
    messages = [
        Message(role="user", content=str(prompt).strip()),
        Message(role="assistant", content=str(completion).strip()),
    ]
    if isinstance(system, str) and system.strip():
        messages.insert(0, Message(role="system", content=system.strip()))
    return _checked(messages, problems)


def columns_of(header: Sequence[str], wanted: Mapping[str, str]) -> dict[str, str]:
    """Which column plays which role: what was asked for, then the names people use.

    Returns role -> column; a role that no column plays is absent.
    """
    by_name = {name.strip().lower(): name for name in header}
    found: dict[str, str] = {}
    tables = (("prompt", PROMPT_NAMES), ("completion", COMPLETION_NAMES), ("system", SYSTEM_NAMES))
    for role, names in tables:
        if role in wanted:
            candidate = by_name.get(wanted[role].strip().lower())
        else:
            candidate = next((by_name[n] for n in names if n in by_name), None)
        if candidate is not None:
            found[role] = candidate
    return found


def _from_messages(value: object) -> Converted:
    if not isinstance(value, list) or not value:
        kind = "an empty list" if value == [] else _kind(cast(object, value))
        return _refused(Problem("no_messages", f"`messages` is {kind}"))
    problems: list[Problem] = []
    messages: list[Message] = []
    for index, entry in enumerate(cast(Sequence[object], value), start=1):
        problem, message = _from_message(entry, index)
        if problem:
            problems.append(problem)
        if message:
            messages.append(message)
    if problems:
        return _refused(*problems)
    return _checked(messages, problems)


def _from_message(entry: object, index: int) -> tuple[Problem | None, Message | None]:
    if not isinstance(entry, dict):
        return Problem("not_text", f"message {index} is {_kind(entry)}"), None
    fields = cast(Mapping[str, object], entry)
    role = fields.get("role")
    if role is None:
        return Problem("missing_role", f"message {index}"), None
    known = ROLES.get(role.strip().lower()) if isinstance(role, str) else None
    if known is None:
        return Problem("bad_role", f"message {index}"), None
    content = fields.get("content")
    if not isinstance(content, str):
        return Problem("not_text", f"message {index} is {_kind(content)}"), None
    return None, Message(role=known, content=content.strip())


def _checked(messages: list[Message], problems: list[Problem]) -> Converted:
    """The rules every conversation obeys, however it was written."""
    answers = [m for m in messages if m.role == "assistant"]
    if not answers:
        return _refused(*problems, Problem("no_assistant"))
    if any(not m.content for m in answers):
        return _refused(*problems, Problem("empty_answer"))
    if any(m.role == "user" and not m.content for m in messages):
        return _refused(*problems, Problem("empty_question"))
    if messages[-1].role == "user":
        problems.append(Problem("trailing_user_turn"))
        while messages[-1].role == "user":
            messages.pop()
    return Converted(tuple(messages), tuple(problems))


def _refused(*problems: Problem) -> Converted:
    return Converted((), problems)


def _kind(value: object) -> str:
    """What a value is, without saying what it holds."""
    names = {"dict": "an object", "list": "a list", "str": "text", "bool": "true or false"}
    if value is None:
        return "missing or null"
    return names.get(type(value).__name__, "a number")


def _named_keys(fields: Mapping[str, object]) -> str:
    names = ", ".join(repr(key)[:30] for key in list(fields)[:5])
    return f"its keys: {names}" if names else "it has no keys"
