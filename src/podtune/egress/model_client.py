"""The HTTP client that a language model's SDK is given: no redirects, no endless answers.

Its address is the operator's own setting, so no rule for users' addresses holds here; what comes back is
bounded, and a key is never carried to another host.
"""

from collections.abc import AsyncIterator
from typing import Final

import httpx2

MOST_BYTES: Final = 1 << 20
"""Longest answer. Chosen: forty fields are some 10 KB."""


class _Bounded(httpx2.AsyncByteStream):
    def __init__(self, stream: httpx2.AsyncByteStream) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        seen = 0
        async for chunk in self._stream:
            seen += len(chunk)
            if seen > MOST_BYTES:
                raise httpx2.ReadError(f"the answer is longer than {MOST_BYTES} bytes")
            yield chunk

    async def aclose(self) -> None:
        await self._stream.aclose()


class _Transport(httpx2.AsyncHTTPTransport):
    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        request.headers["accept-encoding"] = "identity"
        response = await super().handle_async_request(request)
        if isinstance(response.stream, httpx2.AsyncByteStream):
            response.stream = _Bounded(response.stream)
        return response


def model_client(limit_s: float) -> httpx2.AsyncClient:
    """A client for one short conversation.

    Args:
        limit_s: Seconds that connecting and each read may take; the whole is the caller's to bound.
    """
    return httpx2.AsyncClient(transport=_Transport(), timeout=limit_s, follow_redirects=False)
