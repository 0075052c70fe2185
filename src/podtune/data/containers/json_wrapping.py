"""Where the records of a JSON document are, and which of its lists are not among them."""

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final, NamedTuple, cast

import msgspec

from podtune.data.containers.json_elements import Element, elements
from podtune.data.names import SIDES

LIST_KEYS: Final = (
    "data", "rows", "items", "records", "examples", "samples", "results", "tickets",
    "conversations", "messages", "entries", "logs", "requests", "dataset", "instances",
)  # fmt: skip
"""Keys under which exports keep their list, the likeliest first."""


_OF_A_RECORD: Final = frozenset(
    {"tools", "functions", "metadata", "meta", "tool_calls", "documents", "attachments"}
)
"""Keys whose list belongs to one record and is no list of records."""

NAMED: Final = 5
"""Lists that are not read and are named."""

_decode = msgspec.json.Decoder().decode


class Wrapped(NamedTuple):
    """Where the records of one JSON document are."""

    depth: int
    """Brackets round a record: 0 side by side, 1 in an array, 2 in an array under a key."""
    keys: Mapping[str, str | None]
    """Keys to read at depth 2, and the split each stands for."""

    def reads(self, key: str) -> bool:
        """Whether the list under a key is read; a side of a split also where the head ends before."""
        return key in self.keys or (any(self.keys.values()) and key.lower() in SIDES)

    def split_of(self, key: str) -> str | None:
        """The side that the list under a key stands for."""
        return self.keys[key] if key in self.keys else SIDES.get(key.lower())


def wrapped(value: object) -> Wrapped:
    """Find the records of a decoded document (or of its beginning)."""
    if isinstance(value, list):
        return Wrapped(1, {})
    if not isinstance(value, dict):
        return Wrapped(0, {})
    fields = cast("Mapping[str, object]", value)
    lists = {
        k: cast("list[object]", v)
        for k, v in fields.items()
        if k.lower() not in _OF_A_RECORD and _is_list_of_objects(v)
    }
    splits: dict[str, str | None] = {k: SIDES[k.lower()] for k in lists if k.lower() in SIDES}
    if splits:
        return Wrapped(2, splits)
    if _is_record(fields):
        return Wrapped(0, {})
    for key in LIST_KEYS:
        name = next((k for k in lists if k.lower() == key), None)
        if name is not None:
            return Wrapped(2, {name: None})
    if len(lists) == 1 and len(fields) <= 12:
        return Wrapped(2, dict.fromkeys(lists))
    return Wrapped(0, {})


def _is_list_of_objects(value: object) -> bool:
    return (
        isinstance(value, list)
        and bool(cast("list[object]", value))
        and isinstance(cast("list[object]", value)[0], dict)
    )


_BODIES: Final = frozenset({"body", "plain_body", "html_body"})
"""Keys of a ticket's comment."""


def _is_record(fields: Mapping[str, object]) -> bool:
    """Whether an object with a list in it is one conversation and no wrapper of many."""
    for key in ("messages", "conversations", "comments", "chosen"):
        value = fields.get(key)
        if isinstance(value, list) and value:
            first = cast("list[object]", value)[0]
            names: set[str] = (
                set(cast("dict[str, object]", first)) if isinstance(first, dict) else set()
            )
            if names & {"role", "from"} or (key == "comments" and names & _BODIES):
                return True
    return False


def where(head: str) -> Wrapped:
    """Where the records of a document are, told by its beginning."""
    stripped = head.lstrip()
    if stripped.startswith("["):
        return Wrapped(1, {})
    raw = head.encode("utf-8", errors="replace")
    first = next((e for e in elements([raw], 0) if not e.stray), None)
    if first is None:
        return Wrapped(0, {})
    value = _value_of(first.raw) if first.whole else None
    if value is not None:
        return wrapped(value)
    found: dict[str, list[object]] = {}
    for element in elements([raw], 2):
        if element.key is not None and element.whole and not element.stray:
            value = _value_of(element.raw)
            if value is not None:
                found.setdefault(element.key, []).append(value)
    inside = wrapped(found)
    # A document that is broken already must say by its keys that it wraps others
    sure = not first.whole or any(key.lower() in (*LIST_KEYS, *SIDES) for key in inside.keys)
    return inside if inside.depth == 2 and sure else Wrapped(0, {})


def _value_of(raw: bytes) -> object:
    try:
        return _decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, UnicodeEncodeError, RecursionError):
        return None


class Unread:
    """Counts the records in lists of a document that are not read."""

    def __init__(self) -> None:
        """None yet."""
        self._counts: Counter[str] = Counter()

    @property
    def named(self) -> str:
        """The lists by their keys, with their numbers of records; empty for none."""
        shown = [
            f"{key[:40]}: {count:,} {'record' if count == 1 else 'records'}"
            for key, count in self._counts.most_common(NAMED)
        ]
        more = len(self._counts) - NAMED
        return ", ".join([*shown, f"{more} more"] if more > 0 else shown)

    def see(self, element: Element) -> None:
        """Count an element of such a list, where it looks like a record."""
        key = element.key
        if key is None or element.stray or not element.raw.startswith(b"{"):
            return
        if key in self._counts or _is_record_like(_value_of(element.raw)):
            self._counts[key] += 1


def _is_record_like(value: object) -> bool:
    """Whether an object holds two texts, or a list of objects, as a row of data does."""
    if not isinstance(value, dict):
        return False
    values = cast("dict[str, Any]", value).values()
    return sum(isinstance(v, str) for v in values) > 1 or any(map(_is_list_of_objects, values))
