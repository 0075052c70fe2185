"""Conversations as ChatGPT exports them: a tree of messages, of which one branch was shown last.

The branch is the path from `current_node` up to the root; answers that were made again and questions
that were rewritten stand beside it and are left out. So are system and tool messages, what the
assistant wrote to a tool and not to the person, its thoughts, hidden messages and those of no weight.
Of the parts of a message only texts are kept (also of what was spoken); a question that was nothing
but a picture or a file is left out with its answer. Marks of citations go. Knows no files.

Source: `conversations.json` of OpenAI's data export, 2023 to 2026.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final, NamedTuple

from podtune.core.units import plural
from podtune.data.formats.fields import identity, items, joined, mapping, moment, text
from podtune.data.record import Problem

NAME: Final = "chatgpt_export"

_SPOKEN: Final = frozenset({"text", "multimodal_text"})
"""Kinds of contents that people read; the others are code for tools, their results, and thoughts."""

_CITED: Final = re.compile(
    "\ue200[^\ue200\ue201]{0,500}\ue201|【[^【】]{0,200}†[^【】]{0,200}】|[\ue200-\ue206]"
)
"""What stands where a source is cited: marks of the private use area, or in lenticular brackets."""

Note = Callable[[Problem], None]


class _Said(NamedTuple):
    """A message of the branch: who speaks, its text, and how many parts of it are no text."""

    role: str
    text: str
    media: int


def fits(value: Mapping[str, object]) -> bool:
    """Whether a record is a conversation: a mapping of nodes that hold messages and know their kin."""
    nodes = value.get("mapping")
    if not isinstance(nodes, Mapping):
        return False
    some = [mapping(node) for node in list(mapping(value.get("mapping")).values())[:3]]
    return bool(some) and all("message" in node and "parent" in node for node in some)


def turns(value: Mapping[str, object], note: Note) -> list[dict[str, object]]:
    """What the person and the assistant said to each other in the branch shown last, in order.

    Args:
        value: One conversation.
        note: Told how many pictures and files were left out.
    """
    said = [part for message in _branch(value) if (part := _said(message)) is not None]
    media = sum(part.media for part in said)
    if media:
        note(Problem("attachments_dropped", plural(media, "attachment")))
    return joined((part.role, part.text) for part in _answerable(said))


def _branch(value: Mapping[str, object]) -> list[Mapping[str, object]]:
    """The messages from the root to the current node; a circle ends it."""
    nodes = mapping(value.get("mapping"))
    at = identity(value.get("current_node"))
    if at not in nodes:
        at = _latest_leaf(nodes)
    path: dict[str, Mapping[str, object]] = {}
    while at in nodes and at not in path:
        node = mapping(nodes[at])
        path[at] = mapping(node.get("message"))
        at = identity(node.get("parent"))
    return list(reversed(path.values()))


def _latest_leaf(nodes: Mapping[str, object]) -> str:
    """The end of the branch written last, where no current node is named."""
    leaves = [key for key, node in nodes.items() if not items(mapping(node).get("children"))]
    return max(leaves, key=lambda key: _written(nodes[key]), default="")


def _written(node: object) -> float:
    return moment(mapping(mapping(node).get("message")).get("create_time")) or 0.0


def _said(message: Mapping[str, object]) -> _Said | None:
    """The message as it was read; None where nobody was to read it."""
    role = text(mapping(message.get("author")).get("role"))
    content = mapping(message.get("content"))
    hidden = mapping(message.get("metadata")).get("is_visually_hidden_from_conversation") is True
    if role not in {"user", "assistant"} or hidden or message.get("weight") == 0:
        return None
    if text(message.get("recipient")) not in {"", "all"}:
        return None
    if text(content.get("content_type")) not in _SPOKEN:
        return None
    parts = items(content.get("parts"))
    texts = [text(part) or text(mapping(part).get("text")) for part in parts]
    whole = "\n".join(part for part in texts if part)
    if role == "assistant":
        whole = _CITED.sub("", whole).strip()
    return _Said(role, whole, sum(_is_media(part, whole) for part in parts))


def _is_media(part: object, whole: str) -> bool:
    """Whether a part is a picture, a file, or a sound that the message's text does not spell out."""
    fields = mapping(part)
    is_sound = "audio" in text(fields.get("content_type"))
    return bool(fields) and not text(fields.get("text")) and not (is_sound and whole)


def _answerable(said: list[_Said]) -> Iterator[_Said]:
    """The messages without questions that hold no text at all, and without what answers those."""
    lost = False
    for part in said:
        if part.role == "user":
            lost = not part.text
        if not lost:
            yield part
