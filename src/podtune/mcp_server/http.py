"""The server over streamable HTTP, as the gateway mounts it at `/mcp`, behind the gateway's own doors.

Nothing is kept between requests: what a request may do is its key's alone, and a gateway that is started anew, or
another one on the same job store, serves the same client. So no roots are asked for, and no stream is left open.
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import anyio
from mcp.server.transport_security import TransportSecuritySettings
from starlette.types import ASGIApp

from podtune.app.submissions import Submissions
from podtune.mcp_server.house import Door, House
from podtune.mcp_server.server import make_server

BODY_BYTES: Final = 1 << 20
"""As every route of the gateway but uploads."""
PATH: Final = "/mcp"


class Agents:
    """What a gateway is handed; it is served once the gateway is."""

    def __init__(self, folder: Path | None = None) -> None:
        """`folder`: what this machine's own user may speak of; the working folder where it is not given."""
        self._folder = folder

    @asynccontextmanager
    async def serving(
        self, submissions: Submissions, door: Door, closing: anyio.Event
    ) -> AsyncGenerator[ASGIApp]:
        """The application that answers requests which were let in.

        Args:
            submissions: Of the gateway's home.
            door: Says who sent a request.
            closing: Set when the gateway stops: waits end then.
        """
        house = House(submissions, [self._folder or Path.cwd()], door=door, closing=closing)
        server = make_server(house)
        server.streamable_http_app(
            streamable_http_path=PATH,
            stateless_http=True,
            max_request_body_size=BODY_BYTES,
            # the gateway's doors are stricter, and know whether there are keys
            transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
        )
        manager = server.session_manager
        async with manager.run():
            yield manager.handle_request
