"""Tickets as Zendesk exports them: a ticket with its comments, one by one.

The requester asks, agents answer. Internal notes never leave this module. Knows no files.

Source: Zendesk's account export in JSON and its Support API (ticket, ticket comments), 2026.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from podtune.core.units import plural
from podtune.data.formats.fields import (
    identity,
    in_time_order,
    items,
    joined,
    mapping,
    objects,
    plain,
    text,
)
from podtune.data.formats.quoting import without_quoted_html, without_quotes
from podtune.data.quality.markup import page_text
from podtune.data.record import Problem

NAME: Final = "zendesk"

_BODIES: Final = ("plain_body", "html_body", "body")
"""Where a comment's text stands, the cleanest first."""

_ASKING: Final = frozenset({"end-user", "end_user", "enduser", "requester", "customer", "user"})
_ANSWERING: Final = frozenset({"agent", "admin", "owner", "light_agent", "staff"})
"""Roles of people in Zendesk."""

_AUTOMATIC: Final = frozenset({"rule", "system", "trigger", "automation"})
"""Channels by which the system itself writes."""

_SYSTEM_USER: Final = "-1"
"""Author of what Zendesk writes itself."""

_HIDES: Final = ("private", "is_private", "internal", "is_internal")
_SHOWS: Final = ("public", "is_public", "visibility")
"""Keys of a comment that say who may read it, also of tools that pass exports on."""

_YES: Final = frozenset({"true", "1", "public", "all", "everyone"})
_NO: Final = frozenset({"false", "0", ""})

_SHARED: Final = 0.6
"""Share of a description's words from which on it is the comment that has them: layout, links and
signatures differ between the two, and taking an internal note for a question would leak it."""

Note = Callable[[Problem], None]


def fits(value: Mapping[str, object]) -> bool:
    """Whether a record is a ticket: comments with an author or a visibility, or a requester."""
    ticket = _ticket(value)
    comments = objects(ticket.get("comments"))
    if not comments:
        return (
            "requester_id" in ticket
            and ("description" in ticket or "comments" in ticket)
            and any(key in ticket for key in ("subject", "submitter_id", "assignee_id", "via"))
        )
    return any(
        any(isinstance(comment.get(key), str) for key in _BODIES)
        and ("author_id" in comment or isinstance(comment.get("public"), bool))
        for comment in comments
    )


def turns(value: Mapping[str, object], note: Note) -> list[dict[str, object]]:
    """What requester and agents said to each other, in order.

    Args:
        value: One ticket.
        note: Told what was left out, with its count.
    """
    ticket = _ticket(value)
    comments = in_time_order(objects(ticket.get("comments")), "created_at")
    public = [comment for comment in comments if _is_public(comment)]
    spoken = [comment for comment in public if not _is_automatic(comment)]
    if len(public) < len(comments):
        note(Problem("internal_notes_dropped", plural(len(comments) - len(public), "note")))
    if len(spoken) < len(public):
        note(Problem("bot_messages_dropped", plural(len(public) - len(spoken), "message")))
    requester = _requester(ticket, spoken)
    told = [(_role(comment, ticket, requester), _body(comment, note)) for comment in spoken]
    told = [turn for turn in told if turn[1]]
    opening = _opening(ticket, comments, told, note)
    return joined([*opening, *told])


def _ticket(value: Mapping[str, object]) -> Mapping[str, object]:
    """The ticket, also where it stands under its name beside its comments."""
    inner = mapping(value.get("ticket"))
    return (
        {**inner, **{key: part for key, part in value.items() if key != "ticket"}}
        if inner
        else value
    )


def _is_public(comment: Mapping[str, object]) -> bool:
    """Whether the requester could read it. What is said to be anything else is internal."""
    hidden = any(_word(comment[key]) not in _NO for key in _HIDES if key in comment)
    shown = all(_word(comment[key]) in _YES for key in _SHOWS if key in comment)
    kind = text(comment.get("type")).lower().replace("_", "").replace(" ", "")
    return (
        shown and not hidden and "internal" not in kind and kind not in {"note", "privatecomment"}
    )


def _word(value: object) -> str:
    return str(value).strip().lower() if isinstance(value, bool | int | str) else ""


def _is_automatic(comment: Mapping[str, object]) -> bool:
    """Whether the system wrote it: triggers, merges, records of calls."""
    channel = text(mapping(comment.get("via")).get("channel")).lower()
    return (
        channel in _AUTOMATIC
        or _author(comment) == _SYSTEM_USER
        or text(comment.get("type")) == "VoiceComment"
    )


def _author(comment: Mapping[str, object]) -> str:
    return identity(comment.get("author_id")) or identity(mapping(comment.get("author")).get("id"))


def _requester(ticket: Mapping[str, object], spoken: Sequence[Mapping[str, object]]) -> str:
    """Who asks: as the ticket says; else who wrote the first public comment."""
    named = identity(ticket.get("requester_id")) or identity(
        mapping(ticket.get("requester")).get("id")
    )
    asking = (c for c in spoken if _stated_role(c) not in _ANSWERING)
    return named or next((_author(comment) for comment in asking if _author(comment)), "")


def _role(
    comment: Mapping[str, object], ticket: Mapping[str, object], requester: str
) -> str | None:
    """Who speaks; None where the export does not tell."""
    author = _author(comment)
    if author and author == requester:
        return "user"
    stated = _stated_role(comment)
    if stated in _ASKING:
        return "user"
    if stated in _ANSWERING:
        return "assistant"
    if not author or not requester:
        return None
    return "user" if author in _copied(ticket) else "assistant"


def _stated_role(comment: Mapping[str, object]) -> str:
    return text(mapping(comment.get("author")).get("role")).lower()


def _copied(ticket: Mapping[str, object]) -> set[str]:
    """People in copy, who are on the requester's side unless they work on the ticket."""
    copied = {
        identity(person)
        for key in ("email_cc_ids", "collaborator_ids")
        for person in items(ticket.get(key))
    }
    return copied - {identity(ticket.get("assignee_id")), ""}


def _body(comment: Mapping[str, object], note: Note) -> str:
    key = next((key for key in _BODIES if text(comment.get(key))), "")
    bare, had_quotes = without_quoted_html(text(comment.get(key)))
    if key == "html_body":
        page = page_text(bare)
        if page != bare:
            note(Problem("html_stripped"))
    else:
        page = plain(bare, note)
    said, stripped = without_quotes(page)
    if had_quotes or stripped:
        note(Problem("quoted_text_stripped"))
    return said


def _opening(
    ticket: Mapping[str, object],
    comments: Sequence[Mapping[str, object]],
    told: Sequence[tuple[str | None, str]],
    note: Note,
) -> list[tuple[str | None, str]]:
    """The question where no comment holds it: the description, else the subject.

    A description mostly repeats the first comment, and that may be an internal note: what any
    comment says, public or not, is never taken from here.
    """
    if told and told[0][0] != "assistant":
        return []
    description = text(ticket.get("description"))
    if description and not any(_same(description, body) for body in _all_bodies(comments)):
        return [("user", plain(description, note))]
    asked = any(role == "user" for role, _ in told)
    subject = text(ticket.get("subject")) or text(ticket.get("raw_subject"))
    return [("user", subject)] if subject and not asked else []


def _all_bodies(comments: Sequence[Mapping[str, object]]) -> Iterator[str]:
    for comment in comments:
        for key in _BODIES:
            if text(comment.get(key)):
                yield plain(text(comment.get(key)))


def _same(description: str, body: str) -> bool:
    """Whether a comment says what the description says, whatever the layout and the markup."""
    left, right = (re.findall(r"\w+", plain(part).casefold()) for part in (description, body))
    if not left or not right:
        return False
    told = set(right)
    shared = sum(word in told for word in left)
    return shared >= _SHARED * len(left) or "".join(left) in "".join(right)
