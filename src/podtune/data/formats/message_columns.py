"""Which columns of a table with one message a row say whose, what, when and in which conversation.

Told by names, then by what stands in the columns. Strict: a table that could as well hold questions
and answers side by side has none. Knows no files and no order of messages.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Final, NamedTuple

from podtune.data.formats import columns
from podtune.data.formats import message_names as names
from podtune.data.formats.speaker import SUPPORT

MAX_SENDERS: Final = 10
"""Different senders that are few in any table; in a long one half as many as messages are."""

_BESIDE_SENDER: Final = frozenset(
    {"name", "id", "message", "msg", "display", "full", "email", "address"}
)
_BESIDE_QUESTIONS: Final = frozenset(
    {"to", "name", "team", "group", "type", "role", "email", "minutes", "seconds"}
)
"""Last words of names such as `reply_to` and `agent_name`, which hold no questions or answers."""


class Columns(NamedTuple):
    """The columns of a table with one message a row."""

    conversation: str
    senders: tuple[str, ...]
    """Columns that may say who speaks, the likeliest by name first."""
    text: str
    times: tuple[str, ...]
    notes: tuple[str, ...]
    """Columns that may say that a message is an internal note."""
    is_mail: bool


def by_names(header: Sequence[str]) -> Columns | None:
    """The columns, as far as names tell; None where one of conversation, sender and text lacks."""
    plain = {name: columns.normalise(name) for name in header}
    conversation = next((n for n in header if _names_conversation(plain[n])), None)
    text = _best(plain, names.TEXT, header)
    senders = sorted(
        (n for n in header if n not in (conversation, text) and _rank_of_sender(plain[n]) is not None),
        key=lambda n: _rank_of_sender(plain[n]) or 0,
    )  # fmt: skip
    if conversation is None or text is None or not senders:
        return None
    times = [n for n in header if n not in senders and plain[n] in names.TIME]
    times.sort(key=lambda n: names.TIME.index(plain[n]))
    marks = names.HIDDEN | names.OPEN | names.KIND
    return Columns(
        conversation,
        tuple(senders),
        text,
        tuple(times),
        tuple(n for n in header if plain[n] in marks),
        any(p in names.SUBJECT for p in plain.values()),
    )


def fits_header(header: Sequence[str]) -> bool:
    """Whether names tell conversation, sender and text, and no question beside its answer."""
    found = by_names(header)
    if found is None:
        return False
    known = {found.conversation, *found.senders, *found.times, *found.notes}
    rest = [
        name
        for name in header
        if name not in known and columns.normalise(name).split(" ")[-1] not in _BESIDE_QUESTIONS
    ]
    return columns.by_names(rest, {}) is None


def by_rows(rows: Sequence[Mapping[str, object]]) -> Columns | None:
    """The columns of rows that are single messages; None where they are not, or not clearly.

    Conversations repeat, few people speak and not only to themselves, and the texts differ.
    """
    header = header_of(rows)
    found = by_names(header)
    sender = sender_of(found, rows) if found is not None else None
    if found is None or sender is None or not fits_header(header):
        return None
    said = [
        (cell(row.get(found.conversation)), cell(row.get(sender)), cell(row.get(found.text)))
        for row in rows
    ]
    said = [part for part in said if all(part)]
    talks = {talk for talk, _, _ in said}
    people = {person for _, person, _ in said}
    texts = {text for _, _, text in said}
    few = 2 <= len(people) <= max(MAX_SENDERS, len(said) // 2)
    together = len({(talk, person) for talk, person, _ in said}) > len(talks)
    spoken = sum(" " in text or not text.isascii() for text in texts) * 3 > len(texts)
    repeat = 3 * len(talks) <= 2 * len(said)
    differ = 3 * len(texts) > len(said)
    return found if few and together and spoken and repeat and differ else None


def header_of(rows: Sequence[Mapping[str, object]]) -> list[str]:
    """The keys that most rows have, in the order they come."""
    counts: dict[str, int] = {}
    for row in rows:
        for key in row:
            counts[key] = counts.get(key, 0) + 1
    return [key for key, count in counts.items() if count * 2 > len(rows)]


def sender_of(found: Columns, rows: Sequence[Mapping[str, object]]) -> str | None:
    """The column that says who speaks: in which most cells are roles, of equals the plainer name.

    None where all cells are alike, or where a mere type is none of a sender.
    """

    def known(name: str) -> int:
        return sum(kind_of(cell(row.get(name))) in ("user", "assistant") for row in rows)

    usable = [name for name in found.senders if len({cell(row.get(name)) for row in rows}) > 1]
    usable = [n for n in usable if known(n) or not columns.normalise(n).endswith("type")]
    return max(usable, key=known, default=None)


def cell(value: object) -> str:
    """A cell as text; numbers as they are, anything deeper is empty."""
    if isinstance(value, bool) or value is None:
        return "" if value is None else str(value).lower()
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).strip() if isinstance(value, str | int | float) else ""


@cache
def kind_of(sender: str) -> str | None:
    """What a sender is: `user`, `assistant`, `bot`, `event` or `note`; None for anybody else.

    >>> kind_of("Kunde"), kind_of("Oakfield Support"), kind_of("Anna")
    ('user', 'assistant', None)
    """
    plain = columns.normalise(sender[:80]).rstrip("0123456789 ")
    kinds = {
        "user": names.USER,
        "assistant": names.ASSISTANT,
        "bot": names.BOT,
        "event": names.EVENT,
        "note": names.NOTE,
    }
    told = next((kind for kind, known in kinds.items() if plain in known), None)
    return told or ("assistant" if SUPPORT.search(sender[:200]) else None)


def is_note(name: str, value: str) -> bool:
    """Whether a column marks a message as internal."""
    column, plain = columns.normalise(name), columns.normalise(value[:40])
    if column in names.OPEN:
        return plain in names.FALSE
    return plain in names.NOTE or (column in names.HIDDEN and plain in names.TRUE)


def _names_conversation(plain: str) -> bool:
    core = " ".join(word for word in plain.split(" ") if word not in names.NUMBER)
    joined = next((s for s in names.JOINED if plain.endswith(s)), "")
    parts = (plain, core, plain.removesuffix(joined))
    return any(part in names.CONVERSATION for part in parts)


def _best(plain: Mapping[str, str], known: Sequence[str], header: Sequence[str]) -> str | None:
    ranked = sorted((known.index(plain[n]), at) for at, n in enumerate(header) if plain[n] in known)
    if ranked:
        return header[ranked[0][1]]
    return next((n for n in header if plain[n].split(" ")[-1] in known), None)


def _rank_of_sender(plain: str) -> int | None:
    if plain in names.SENDER:
        return names.SENDER.index(plain)
    words = plain.split(" ")
    core = " ".join(word for word in words if word not in _BESIDE_SENDER)
    if core not in names.SENDER:
        return None
    return names.SENDER.index(core) + len(names.SENDER) * (2 if "id" in words else 1)
