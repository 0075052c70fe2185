"""Logs of model APIs: a request and its response in one record.

Chat completions, completions, responses and batches of OpenAI and its likes; messages of
Anthropic. Knows no files, and leaves the check of roles and empty texts to the shared rules.

Source: API references of OpenAI (chat, responses, batch) and Anthropic (messages), 2026.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple, cast

import msgspec

from podtune.data.formats.api_blocks import blocks_as_messages, tools_of
from podtune.data.formats.fields import items, mapping, objects, text
from podtune.data.record import Problem

NAME: Final = "api_log"

_ASKED: Final = ("request", "request_body", "input", "body")
_ANSWERED: Final = ("response", "response_body", "output")
"""Keys under which request and response stand side by side, the plainest first."""

_CUT: Final = frozenset(
    {"length", "max_tokens", "max_output_tokens", "content_filter", "model_context_window_exceeded"}
)
"""Reasons to stop that leave an answer unfinished."""

_KEPT: Final = (
    "role",
    "content",
    "tool_calls",
    "tool_call_id",
    "name",
    "reasoning_content",
    "function_call",
)
"""Keys of a message that mean something for training."""

_MAX_JSON: Final = 16 * 1024**2
"""Characters of a body that was logged as text."""

_NOTHING: Final[Mapping[str, object]] = {}

Note = Callable[[Problem], None]


class _Call(NamedTuple):
    """One request and its response."""

    request: Mapping[str, object]
    response: Mapping[str, object]
    failed: bool


def fits(value: Mapping[str, object]) -> bool:
    """Whether a record is a logged call: a request with messages, or a response of an API."""
    call = _call(value)
    if call is None:
        return False
    asks = any(key in call.request for key in ("messages", "input", "prompt", "contents"))
    if asks and (_answers(call.response) or call.failed):
        return True
    return "custom_id" in value and (asks or bool(call.response) or call.failed)


def turns(
    value: Mapping[str, object], note: Note
) -> tuple[list[dict[str, object]], list[Mapping[str, object]]]:
    """Messages of a call with the answer at their end, and the tools it could use.

    A failed call gives no assistant's turn at all, nor does one whose request is not logged.

    Args:
        value: One logged call.
        note: Told when the answer was cut off.
    """
    call = _call(value)
    if call is None:
        return [], []
    asked = _asked(call.request)
    if not asked:
        return [], []
    answer, reason = _answer(call.response)
    tools = tools_of(call.request)
    if call.failed or not answer:
        return [message for message in asked if message.get("role") != "assistant"], tools
    if reason in _CUT:
        note(Problem("truncated_answer", "the log says that it was cut off"))
    return [*asked, *answer], tools


def _call(value: Mapping[str, object]) -> _Call | None:
    """Request and response of a record, whatever they are called; None where it has neither."""
    if not any(key in value for key in (*_ASKED, *_ANSWERED, "choices")):
        return None
    request = next((body for key in _ASKED if (body := _request(value.get(key)))), _NOTHING)
    if not request and "messages" in value:
        request = value  # as gateways log it: the messages, and the response beside them
    has_messages = isinstance(request.get("messages"), list)
    response = next(
        (body for key in _ANSWERED if (body := _response(value.get(key), has_messages))), _NOTHING
    )
    if not response and "choices" in value:
        response = value
    if not request and "prompt" in value and _answers(response):
        request = value
    logged = any(key in value for key in (*_ANSWERED, "choices")) and (
        has_messages or _answers(response)
    )
    if logged or ("custom_id" in value and (request or response)):
        return _Call(request, response, _failed(value, response))
    return None


def _request(part: object) -> Mapping[str, object]:
    return {"messages": part} if _are_messages(part) else _body(part)


def _response(part: object, has_messages: bool) -> Mapping[str, object]:
    """The response; text and lists are one only beside messages, else they are a table's cells."""
    return _body(part) or (_output(part) if has_messages else {})


def _are_messages(part: object) -> bool:
    """Whether a list holds messages, and not texts or rows of something else."""
    entries = objects(part)
    return bool(entries) and all("role" in entry or "type" in entry for entry in entries)


def _body(part: object) -> Mapping[str, object]:
    """What was sent: a batch puts it under `body`, some loggers write it as JSON text."""
    if isinstance(part, str) and part.lstrip().startswith("{") and len(part) <= _MAX_JSON:
        try:
            part = cast("object", msgspec.json.decode(part))
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            return {}
    outer = mapping(part)
    inner = outer.get("body")
    if isinstance(inner, Mapping):
        return {
            **{k: v for k, v in outer.items() if k in {"status_code", "error"}},
            **mapping(cast("object", inner)),
        }
    return outer


def _output(part: object) -> Mapping[str, object]:
    """The answer where only it was logged: a text, or a list of messages or output items."""
    if isinstance(part, str):
        return {"choices": [{"message": {"role": "assistant", "content": part}}]}
    found = objects(part)
    return {"output": found} if found else {}


def _failed(value: Mapping[str, object], response: Mapping[str, object]) -> bool:
    """Whether the log says that the call came to nothing."""
    if any(bool(part.get("error")) for part in (value, response, mapping(value.get("response")))):
        return True
    status = response.get("status_code", value.get("status_code"))
    if isinstance(status, int) and status >= 400:
        return True
    return response.get("type") == "error" or response.get("status") in {"failed", "cancelled"}


def _answers(response: Mapping[str, object]) -> bool:
    """Whether a response has the form of one of the APIs."""
    if any(isinstance(response.get(key), list) for key in ("choices", "output")):
        return True
    if response.get("role") == "assistant" and "content" in response:
        return True
    return isinstance(response.get("content"), list) and "stop_reason" in response


def _asked(request: Mapping[str, object]) -> list[dict[str, object]]:
    """The messages of a request, its system text first."""
    found: list[dict[str, object]] = []
    system = request.get("system") or request.get("instructions")
    if isinstance(system, list):
        system = "\n\n".join(text(part.get("text")) for part in objects(cast("object", system)))
    if text(system):
        found.append({"role": "system", "content": text(system)})
    for key in ("messages", "input", "prompt"):
        part = request.get(key)
        if isinstance(part, str) and part.strip():
            return [*found, {"role": "user", "content": part.strip()}]
        if items(part):
            return [*found, *_messages(objects(part))]
    return found


def _messages(entries: Sequence[Mapping[str, object]]) -> list[dict[str, object]]:
    """Messages with the keys that mean something; blocks of tools become calls and results."""
    found: list[dict[str, object]] = []
    for entry in entries:
        found.extend(blocks_as_messages(entry) or [_kept(entry)])
    return found


def _kept(entry: Mapping[str, object]) -> dict[str, object]:
    kept = {key: entry[key] for key in _KEPT if entry.get(key) is not None}
    return {**kept, "content": entry.get("content")}


def _answer(response: Mapping[str, object]) -> tuple[list[dict[str, object]], str]:
    """The assistant's messages of a response, and why it stopped."""
    choices = objects(response.get("choices"))
    if choices:
        return _of_choice(choices[0])
    if items(response.get("output")):
        return _of_output(response)
    if "content" in response:
        entry = {**response, "role": "assistant"}
        return _messages([entry]), text(response.get("stop_reason"))
    return [], ""


def _of_choice(choice: Mapping[str, object]) -> tuple[list[dict[str, object]], str]:
    """Of several choices the first counts: it is the one people were shown."""
    reason = text(choice.get("finish_reason"))
    message = mapping(choice.get("message"))
    if not message and isinstance(choice.get("text"), str):
        message = {"role": "assistant", "content": choice["text"]}
    return (_messages([{**message, "role": "assistant"}]) if message else []), reason


def _of_output(response: Mapping[str, object]) -> tuple[list[dict[str, object]], str]:
    """The responses API, or messages that a logger wrote as the output."""
    reason = text(mapping(response.get("incomplete_details")).get("reason"))
    entries = [
        entry
        for entry in objects(response.get("output"))
        if entry.get("role") == "assistant" or entry.get("type") == "function_call"
    ]
    return _messages(entries), reason
