"""Conversations as Intercom exports them: a first message and its parts.

Contacts ask, teammates answer. Notes never leave this module. Knows no files.

Source: Intercom's API reference, conversation and conversation part, versions 1.0 to 2.14 (2026).
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Final, NamedTuple

from podtune.core.units import plural
from podtune.data.formats.fields import in_time_order, items, joined, mapping, objects, plain, text
from podtune.data.formats.quoting import without_quotes
from podtune.data.record import Problem

NAME: Final = "intercom"

_ASKING: Final = frozenset({"user", "lead", "contact", "visitor"})
_ANSWERING: Final = frozenset({"admin", "teammate"})
"""Kinds of authors; bots, teams and whatever comes later are neither."""

_SAID: Final = frozenset({"", "comment", "message", "quick_reply", "open", "close"})
"""Kinds of parts whose text the contact reads. A reply that opens or closes bears the change's name."""

_AUTOMATED: Final = frozenset({"automated", "operator_initiated"})
"""How a first message was delivered that no person wrote."""

Note = Callable[[Problem], None]


class _Part(NamedTuple):
    """A part with text: who speaks (`user`, `assistant`, `note`, `bot`), and what."""

    kind: str
    body: str


def fits(value: Mapping[str, object]) -> bool:
    """Whether a record is a conversation: parts, and a first message or parts of the right form."""
    if "conversation_parts" not in value:
        first = mapping(value.get("source"))
        return (
            text(value.get("type")) == "conversation"
            and "body" in first
            and isinstance(first.get("author"), Mapping)
        )
    if _first(value):
        return True
    if text(value.get("type")).startswith("conversation"):
        return True
    return any("part_type" in part and "body" in part for part in _parts(value))


def turns(value: Mapping[str, object], note: Note) -> list[dict[str, object]]:
    """What contact and teammates said to each other, in order.

    Args:
        value: One conversation.
        note: Told what was left out, with its count.
    """
    parts = list(_told(value))
    notes = sum(part.kind == "note" for part in parts)
    bots = sum(part.kind == "bot" for part in parts)
    if notes:
        note(Problem("internal_notes_dropped", plural(notes, "note")))
    if bots:
        note(Problem("bot_messages_dropped", plural(bots, "message")))
    by_mail = text(_first(value).get("type")) == "email"
    return joined(
        (part.kind, _clean(part.body, by_mail, note))
        for part in parts
        if part.kind in {"user", "assistant"}
    )


def _first(value: Mapping[str, object]) -> Mapping[str, object]:
    """The first message; `conversation_message` in version 1 of the API."""
    return mapping(value.get("source")) or mapping(value.get("conversation_message"))


def _parts(value: Mapping[str, object]) -> list[Mapping[str, object]]:
    """The parts: a list, or a list inside its envelope."""
    held = value.get("conversation_parts")
    inner = items(held) or items(mapping(held).get("conversation_parts"))
    return objects(inner)


def _told(value: Mapping[str, object]) -> Iterator[_Part]:
    """Everything with text, in order; what was withdrawn and what is only an event is not there."""
    first = _first(value)
    if text(first.get("body")) and first.get("redacted") is not True:
        automated = text(first.get("delivered_as")) in _AUTOMATED
        speaker = "bot" if automated and _speaker(first) != "user" else _speaker(first)
        yield _Part(speaker, text(first.get("body")))
    for part in in_time_order(_parts(value), "created_at"):
        if text(part.get("body")) and part.get("redacted") is not True:
            yield _Part(_kind(part), text(part.get("body")))


def _kind(part: Mapping[str, object]) -> str:
    """Who speaks in a part; `note` where the contact may never have read it."""
    kind = text(part.get("part_type")).lower()
    speaker = _speaker(part)
    if "note" in kind:
        return "note"
    if speaker == "assistant" and kind not in _SAID:
        return "note"  # what a teammate writes on assigning or snoozing is mostly for colleagues
    return speaker


def _speaker(part: Mapping[str, object]) -> str:
    author = mapping(part.get("author"))
    kind = text(author.get("type")).lower()
    if author.get("from_ai_agent") is True or author.get("is_ai_answer") is True:
        return "bot"
    if kind in _ASKING:
        return "user"
    return "assistant" if kind in _ANSWERING else "bot"


def _clean(body: str, by_mail: bool, note: Note) -> str:
    said = plain(body, note)
    if not by_mail:
        return said
    said, stripped = without_quotes(said)
    if stripped:
        note(Problem("quoted_text_stripped"))
    return said
