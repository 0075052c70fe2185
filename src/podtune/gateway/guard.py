"""The outermost layer: an id for every request, a line in the log, figures, headers of caution, no stack to anybody.

Pure ASGI: it sees streams to their end and holds nothing of them back.
"""

from collections.abc import Mapping
from typing import Final

from fastapi import Request
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from podtune.core.clock import Monotonic, monotonic
from podtune.gateway import errors
from podtune.gateway.figures import Figures
from podtune.gateway.logging import Timed, log, request_id

ID_HEADER: Final = "x-request-id"
CAUTION: Final[Mapping[str, str]] = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'",
    "cache-control": "no-store",
}
"""Of every response that does not say otherwise; a page brings its own content-security-policy."""
QUIET: Final = ("/healthz", "/readyz", "/metrics")
"""Asked every few seconds by machines: logged only where they fail."""


class Guard:
    """What every request passes first and every response last."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        figures: Figures,
        page: errors.Page | None = None,
        elapsed: Monotonic = monotonic,
    ) -> None:
        """Stand before an app."""
        self._app, self._figures, self._page, self._elapsed = app, figures, page, elapsed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request; an error that nobody answered is answered here."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        timed = Timed(scope, elapsed=self._elapsed)
        told = request_id(Headers(scope=scope).get(ID_HEADER))
        scope.setdefault("state", {})["request_id"] = told

        async def say(message: Message) -> None:
            if message["type"] == "http.response.start":
                timed.status = message["status"]
                headers = MutableHeaders(scope=message)
                headers[ID_HEADER] = told
                for name, value in CAUTION.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            await self._app(scope, receive, say)
        except Exception as error:  # noqa: BLE001 - the last one to answer
            if timed.status:  # a stream that broke: its client sees it break off
                errors.known(error)
            else:
                response = errors.response_of(Request(scope), errors.known(error), self._page)
                await response(scope, receive, say)
        finally:
            self._tell(timed)

    def _tell(self, timed: Timed) -> None:
        self._figures.request(timed)
        if timed.route not in QUIET or timed.status >= 400:
            log().info("request", **timed.fields())
