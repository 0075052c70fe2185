"""Lists as the fine-tuning API pages them: `{object, data, has_more}`, going on behind the id `after`.

Without `has_more` the SDK asks again until a page is empty (peers.md 3a, measured 2026-11), so it is always there.
"""

import itertools
from collections.abc import Callable, Iterator, Sequence
from http import HTTPStatus
from typing import Any

from podtune.core.errors import NotFoundError
from podtune.gateway.errors import OpenAIErrorBody

Item = dict[str, Any]


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The error answers of a route besides those of every route, for the OpenAPI document."""
    return {
        status: {"model": OpenAIErrorBody, "description": HTTPStatus(status).phrase}
        for status in statuses
    }


def page(
    found: Sequence[Item], *, limit: int, after: str | None, ends: bool = False
) -> dict[str, Any]:
    """One page of what there is, in its order.

    Args:
        found: All of it.
        limit: Items of a page.
        after: The id of the last item of the page before.
        ends: Whether the ids of the first and the last item are told too.

    Raises:
        NotFoundError: there is no item `after`.
    """
    start = 0
    if after is not None:
        ids = [one["id"] for one in found]
        if after not in ids:
            raise _unknown(after)
        start = ids.index(after) + 1
    return told(found[start : start + limit], has_more=start + limit < len(found), ends=ends)


def first_of(found: Iterator[Item], *, limit: int, after: str | None) -> dict[str, Any]:
    """As `page`, of items that are made as they are asked for: none behind the page.

    Raises:
        NotFoundError: there is no item `after`.
    """
    if after is not None and not any(one["id"] == after for one in found):
        raise _unknown(after)
    data = list(itertools.islice(found, limit + 1))
    return told(data[:limit], has_more=len(data) > limit)


def _unknown(after: str) -> NotFoundError:
    return NotFoundError(
        f"nothing in this list has the id {after[:60]!r}", context={"param": "after"}
    )


def told(data: Sequence[Item], *, has_more: bool, ends: bool = False) -> dict[str, Any]:
    """A page that is known."""
    said: dict[str, Any] = {"object": "list", "data": list(data), "has_more": has_more}
    if ends:
        said |= {
            "first_id": data[0]["id"] if data else None,
            "last_id": data[-1]["id"] if data else None,
        }
    return said


def matching(
    more: Callable[[str | None], Sequence[Any]],
    wanted: Callable[[Any], bool],
    count: int,
    after: str | None,
) -> list[Any]:
    """The first `count` items that are wanted, of a list that gives its pages one by one.

    Args:
        more: The page behind an id; an empty one ends it.
        wanted: Which of them count.
        count: How many are enough.
        after: Where to begin.
    """
    kept: list[Any] = []
    while len(kept) < count:
        found = more(after)
        if not found:
            break
        kept += [one for one in found if wanted(one)]
        after = found[-1].id
    return kept[:count]
