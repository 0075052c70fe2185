"""JSON bodies as they come: decoded with bounds, whatever somebody sends."""

from typing import Annotated

import msgspec
from fastapi import Depends, Request

from podtune.core.errors import SpecError


async def json_body(request: Request) -> object:
    """The decoded body. Too deep, not UTF-8, NaN: an error in plain words.

    Raises:
        SpecError: code `bad_json`.
    """
    body = await request.body()
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise SpecError(
            f"the body is not JSON: {str(error)[:200]}",
            code="bad_json",
            hint="send Content-Type: application/json and one JSON object",
        ) from None


JsonBody = Annotated[object, Depends(json_body)]
"""A route's decoded body."""
