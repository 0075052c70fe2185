"""Conversations as canonical JSON lines: what `convert` writes, and what a job trains on.

Same conversations, same bytes: keys in a fixed order, UTF-8, one object a line.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import msgspec

from podtune.core.dataset import Conversation, Message
from podtune.core.errors import DatasetError


def line_of(conversation: Conversation) -> bytes:
    """A conversation as users and other tools read it: `messages`, a preference pair, or `text`.

    A row that the source holds out says so; `podtune` and the `datasets` loader leave it out.
    """
    value = conversation.as_json()
    if conversation.split == "validation":
        value["split"] = "validation"
    return msgspec.json.encode(value) + b"\n"


def job_line(conversation: Conversation) -> bytes:
    """A conversation as a job keeps it: with the line of the user's file it came from."""
    value: dict[str, Any] = {"line": conversation.line, "row": conversation.row}
    if conversation.split is not None:
        value["split"] = conversation.split
    value["messages"] = [m.as_json() for m in conversation.messages]
    if conversation.tools:
        value["tools"] = list(conversation.tools)
    if conversation.rejected:
        value["rejected"] = [m.as_json() for m in conversation.rejected]
    # what most rows lack is left out, so that their sum stays what it was
    if conversation.label is not None:
        value["label"] = conversation.label
    if conversation.shared:
        value["shared"] = conversation.shared
    if conversation.continues:
        value["continues"] = True
    return msgspec.json.encode(value) + b"\n"


def digest(conversations: Iterable[Conversation]) -> str:
    """sha256 of what a job would train on."""
    summed = hashlib.sha256()
    for conversation in conversations:
        summed.update(job_line(conversation))
    return summed.hexdigest()


def write(conversations: Iterable[Conversation], path: Path) -> str:
    """Write a job's rows; returns their sha256, the same as `digest`."""
    summed = hashlib.sha256()
    with path.open("wb") as stream:
        for conversation in conversations:
            line = job_line(conversation)
            summed.update(line)
            stream.write(line)
    return summed.hexdigest()


def read(path: Path) -> Iterator[Conversation]:
    """The rows of a job.

    Raises:
        DatasetError: it is no such file.
    """
    decode = msgspec.json.Decoder().decode
    with path.open("rb") as stream:
        for number, line in enumerate(stream, start=1):
            try:
                yield _conversation(cast("Mapping[str, Any]", decode(line)))
            except (msgspec.DecodeError, KeyError, TypeError, ValueError, AttributeError) as error:
                raise DatasetError(
                    f"{path.name}, line {number}, is no row of a job",
                    code="data_changed",
                    hint="plan again",
                ) from error


def _conversation(value: Mapping[str, Any]) -> Conversation:
    return Conversation(
        messages=tuple(_message(m) for m in value["messages"]),
        line=int(value["line"]),
        tools=tuple(value.get("tools", ())),
        row=int(value["row"]),
        rejected=tuple(_message(m) for m in value.get("rejected", ())),
        split=value.get("split"),
        label=value.get("label"),
        shared=int(value.get("shared", 0)),
        continues=bool(value.get("continues", False)),
    )


def _message(value: Mapping[str, Any]) -> Message:
    return Message(
        role=value["role"],
        content=value["content"],
        tool_calls=tuple(value.get("tool_calls", ())),
        tool_call_id=value.get("tool_call_id"),
        name=value.get("name"),
        reasoning_content=value.get("reasoning_content"),
        weight=value.get("weight"),
    )
