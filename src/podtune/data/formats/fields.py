"""Looks into values that nobody has checked: a part of the wanted kind, or nothing of it.

Takes what JSON decoders give. Knows no format.
"""

import html
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import cast

from podtune.data.quality.markup import has_html, strip_html
from podtune.data.record import Problem


def mapping(value: object) -> Mapping[str, object]:
    """The object, or an empty one."""
    return cast("Mapping[str, object]", value) if isinstance(value, Mapping) else {}


def items(value: object) -> Sequence[object]:
    """The list, or an empty one."""
    return cast("Sequence[object]", value) if isinstance(value, list | tuple) else ()


def objects(value: object) -> list[Mapping[str, object]]:
    """The objects of a list; what else it holds is left out."""
    return [
        cast("Mapping[str, object]", item) for item in items(value) if isinstance(item, Mapping)
    ]


def text(value: object) -> str:
    """The text without blanks around it, or an empty one."""
    return value.strip() if isinstance(value, str) else ""


def identity(value: object) -> str:
    """An id as text: numbers and texts alike, so that 7 and "7" are one; empty for anything else."""
    if isinstance(value, bool):
        return ""
    return str(value) if isinstance(value, int) else text(value)


def moment(value: object) -> float | None:
    """Seconds since 1970 of an ISO time, a number or a number as text; None where it is neither."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _finite(value)
    if not isinstance(value, str) or not 0 < len(value) <= 64:
        return None
    try:
        return _finite(float(value))
    except ValueError:
        pass
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        return None
    aware = found if found.tzinfo else found.replace(tzinfo=UTC)
    try:
        return aware.timestamp()
    except (OverflowError, ValueError):
        return None


def in_time_order(
    entries: Sequence[Mapping[str, object]], key: str
) -> Sequence[Mapping[str, object]]:
    """Entries by their time, where every one has it; else as they stand."""
    times = [moment(entry.get(key)) for entry in entries]
    known = [time for time in times if time is not None]
    if len(known) != len(times):
        return entries
    order = sorted(range(len(entries)), key=known.__getitem__)
    return [entries[at] for at in order]


def plain(value: str, note: Callable[[Problem], None] | None = None) -> str:
    """Text of what may be HTML.

    Args:
        value: HTML or text.
        note: Told `html_stripped` when there was HTML.
    """
    if not has_html(value):
        return html.unescape(value).strip() if "&nbsp;" in value else value.strip()
    if note is not None:
        note(Problem("html_stripped"))
    return strip_html(value).strip()


def joined(
    turns: Iterable[tuple[str | None, str]], separator: str = "\n\n"
) -> list[dict[str, object]]:
    """Messages of turns; neighbours of one speaker become one, empty ones go.

    A turn without a role stays without one, so that the shared rules can say so.
    """
    runs: list[tuple[str | None, list[str]]] = []
    for role, content in turns:
        if not content:
            continue
        if runs and runs[-1][0] == role:
            runs[-1][1].append(content)
        else:
            runs.append((role, [content]))
    return [
        {"content": separator.join(texts)}
        if role is None
        else {"role": role, "content": separator.join(texts)}
        for role, texts in runs
    ]


def _finite(number: float) -> float | None:
    try:
        seconds = float(number)
    except OverflowError:
        return None
    return seconds if math.isfinite(seconds) else None
