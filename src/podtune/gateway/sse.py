"""Streams that poll: server-sent events and growing texts. They keep the line alive, and end with client or server.

Knows nothing of jobs. A source is asked from a thread of a pool of its own, so that no number of open
streams takes the threads that requests need.

Source: WHATWG HTML, section 9.2 "Server-sent events", read on 2026-11-23.
"""

import functools
import json
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Final, TypeVar

import anyio
from anyio import to_thread
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from podtune.core.clock import Monotonic, monotonic
from podtune.gateway.limits import Pool

Message = tuple[str, str, object]
"""Id (what `Last-Event-ID` tells when the client comes back; "" for none), event, data (a JSON value)."""

POLL_S: Final = 0.25
"""How long a source that has nothing new is left alone."""
SLOWER: Final = 4
"""In silence it is left alone for as long as it has been silent, up to so many times as long as that: of a thousand
open streams most have nothing to tell, and a look costs some 200 us."""
CHECK_S: Final = 5.0
"""How often it is asked whether the caller's key still opens: one that is revoked ends its streams so soon."""
HEARTBEAT_S: Final = 15.0
"""A comment after so much silence: proxies close a line that says nothing, many after 60 s."""
RETRY_MS: Final = 2000
"""How long a browser waits before it comes back."""
LOOKERS: Final = 8
"""Threads that ask sources; a look takes milliseconds."""
_END: Final = object()
_T = TypeVar("_T")


def stream(events: Iterator[Message | None]) -> StreamingResponse:
    """A response that tells events as they come.

    Args:
        events: Is asked again and again from a thread. It gives None where there is nothing new now (it is
            left alone for `POLL_S` then), and ends where nothing will come any more. It must not wait
            by itself: while it does, it holds one of few threads, and the line stays silent.
    """
    lines = (None if found is None else told(found) for found in events)
    return Polled(
        lines,
        media_type="text/event-stream",
        opening=f"retry: {RETRY_MS}\n\n",
        heartbeat=": still here\n\n",
    )


def text(pieces: Iterator[str | None]) -> StreamingResponse:
    """A response of a text that grows; `pieces` as `events` of `stream`. It says nothing to fill a silence."""
    return Polled(pieces, media_type="text/plain; charset=utf-8")


class Polled(StreamingResponse):
    """A response whose source is asked for more until it ends, the client leaves, or the server closes."""

    def __init__(
        self,
        source: Iterator[str | None],
        *,
        media_type: str,
        opening: str = "",
        heartbeat: str = "",
    ) -> None:
        """Nothing is asked before the response begins."""
        self._source, self._opening, self._heartbeat = source, opening, heartbeat
        self._closing = anyio.Event()
        self._still: Callable[[], bool] | None = None
        super().__init__(
            self._pieces(),
            media_type=media_type,
            headers={"cache-control": "no-store", "x-accel-buffering": "no"},
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve, counted among the open streams of the gateway that it belongs to."""
        parts = getattr(scope["app"].state, "parts", None)
        if parts is None:
            await super().__call__(scope, receive, send)
            return
        self._closing = parts.closing
        state = scope.get("state", {})
        if state.get("key_id"):
            self._still = functools.partial(parts.keys.is_open, state["key_id"])
        counted = parts.rates.stream(state.get("caller", ""))
        with counted, parts.figures.streams.track_inprogress():
            await super().__call__(scope, receive, send)

    async def _pieces(self) -> AsyncIterator[str]:
        if self._opening:
            yield self._opening
        async for piece in polled(self._source, self._closing, still=self._still, check_s=CHECK_S):
            if piece is not None:
                yield piece
            elif self._heartbeat:
                yield self._heartbeat


async def polled(  # noqa: PLR0913 - what tests set
    source: Iterator[_T | None],
    closing: anyio.Event,
    *,
    poll_s: float = POLL_S,
    heartbeat_s: float = HEARTBEAT_S,
    still: Callable[[], bool] | None = None,
    check_s: float = CHECK_S,
    elapsed: Monotonic = monotonic,
) -> AsyncIterator[_T | None]:
    """What a source gives, asked from a thread; None after each stretch of silence.

    With `still` it is asked every `check_s` seconds whether to go on.
    """
    limiter = _LOOKERS.limiter
    silence_s, checked_at = 0.0, elapsed()
    while not closing.is_set():
        if still is not None and elapsed() - checked_at >= check_s:
            checked_at = elapsed()
            if not await to_thread.run_sync(still, limiter=limiter):
                return
        found = await to_thread.run_sync(next, source, _END, limiter=limiter)
        if found is _END:
            return
        if found is not None:
            silence_s = 0.0
            yield found  # pyright: ignore[reportReturnType] - the mark of the end is ruled out above
            continue
        pause_s = min(SLOWER * poll_s, max(poll_s, silence_s))
        with anyio.move_on_after(pause_s):
            await closing.wait()
        silence_s += pause_s
        if silence_s >= heartbeat_s:
            silence_s = 0.0
            yield None


def told(message: Message) -> str:
    r"""One message as it goes over the line; what could break it up is left out of id and event.

    >>> told(("1:7", "step", {"loss": 0.5}))
    'id: 1:7\\nevent: step\\ndata: {"loss":0.5}\\n\\n'
    """
    name, event, data = message
    lines = [f"id: {_one_line(name)}"] if name else []
    lines.append(f"event: {_one_line(event)}")
    # JSON text has no bare line ends: they are escaped inside of its strings.
    lines.append(
        f"data: {json.dumps(data, ensure_ascii=False, separators=(',', ':'), default=str)}"
    )
    return "\n".join(lines) + "\n\n"


def _one_line(name: str) -> str:
    return "".join(letter for letter in name if letter not in "\r\n\0")


_LOOKERS: Final = Pool("podtune.gateway.sse.lookers", LOOKERS)
