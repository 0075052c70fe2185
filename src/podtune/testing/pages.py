"""Lists in pages: `nextCursor`, off by default (the OpenAPI document has no paging; runpod.md 1.1)."""

from collections.abc import Sequence
from typing import Final

from podtune.testing.http import Response, json_response, refuse
from podtune.testing.options import CloudOptions
from podtune.testing.routes import Call

PARAMETER: Final = "cursor"


def page(
    name: str, rows: Sequence[dict[str, object]], call: Call, options: CloudOptions
) -> Response:
    """A wrapped list, or one page of it.

    Raises:
        Refused: 400, a cursor that this cloud did not give.
    """
    if not options.page_size:
        return json_response({name: list(rows)})
    cursor = call.request.value(PARAMETER)
    ids = [str(row["id"]) for row in rows]
    if cursor and cursor not in ids:
        raise refuse(400, "unknown cursor")
    start = ids.index(cursor) + 1 if cursor else 0
    end = start + options.page_size
    told: dict[str, object] = {name: list(rows[start:end])}
    if end < len(rows):
        told["nextCursor"] = ids[end - 1]
    return json_response(told)
