"""`/mcp`: a face for agents that is handed in, behind this gateway's doors: hosts, pages, keys, bounds, rates.

Knows nothing of the protocol but that it comes by POST and ends with its answer.
"""

from contextlib import AbstractAsyncContextManager
from typing import Final, Protocol, cast

import anyio
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from podtune.app.submissions import Submissions
from podtune.core.access import Principal
from podtune.core.errors import StateError
from podtune.gateway import callers
from podtune.gateway.errors import MethodError
from podtune.gateway.parts import parts_of

PATH: Final = "/mcp"
_PRINCIPAL: Final = "podtune.principal"


class Agents(Protocol):
    """The face."""

    def serving(
        self, submissions: Submissions, door: "Door", closing: anyio.Event
    ) -> AbstractAsyncContextManager[ASGIApp]:
        """The application that answers what was let in, while the gateway is served."""
        ...


class Door:
    """Tells the face who was let in."""

    def principal(self, request: object) -> Principal:
        """Who sent a request."""
        found: Principal = cast("Request", request).scope[_PRINCIPAL]
        return found

    def count_submit(self, request: object) -> None:
        """Count a request that begins a training.

        Raises:
            TooManyError: this caller has used up the minute.
        """
        asked = cast("Request", request)
        parts_of(asked).rates.submit(callers.caller_name(asked, self.principal(asked)))


class Mounted:
    """The route. Nobody comes by it who was not let in, and nothing before the gateway is served."""

    def __init__(self, agents: Agents) -> None:
        """Nothing is served yet."""
        self.agents = agents
        self.door = Door()
        self.inner: ASGIApp | None = None
        self.route = Route(PATH, endpoint=self, include_in_schema=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let in, or refuse, then pass on.

        Raises:
            MethodError: another method than POST: no stream is kept open, no session is ended.
            CredentialsError: nobody who is known.
        """
        scope["route"] = self.route  # as FastAPI's own say it, for log and figures
        request = Request(scope, receive)
        if request.method != "POST":
            raise MethodError("POST")
        bearer = await callers.BEARER(request)
        scope[_PRINCIPAL] = await run_in_threadpool(callers.principal, request, bearer)
        if self.inner is None:
            raise StateError("the gateway is not served yet", code="not_ready")
        await self.inner(scope, receive, send)
