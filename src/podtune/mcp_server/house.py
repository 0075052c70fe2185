"""What the tools of one server share: the service, who calls, and which folders may be spoken of.

On stdio the caller is this machine's own user, and the folders are the client's roots where it declares them, else
the folder the server was started in. Over HTTP each request has the principal of its key; folders of this machine
are spoken of by its own user alone, and roots are not asked for: they are folders of another machine.
"""

from collections.abc import Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Final, Protocol

import anyio
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.resolve import ListRoots
from mcp.types import ListRootsResult

from podtune.app.desk import Desk
from podtune.app.plan_tickets import PlanTickets
from podtune.app.service import Service
from podtune.app.submissions import Submissions
from podtune.app.workspace import Workspace
from podtune.core.access import THIS_MACHINE, Principal
from podtune.core.errors import ForbiddenError, SpecError
from podtune.mcp_server.paths import folders

KIND: Final = "mcp"
"""Of what is submitted by this face."""


class Door(Protocol):
    """Who lets requests of HTTP in, and counts them."""

    def principal(self, request: object) -> Principal:
        """Who sent a request that was let in."""
        ...

    def count_submit(self, request: object) -> None:
        """Count a request that begins a training.

        Raises:
            PodtuneError: this caller has used up the minute.
        """
        ...


class House:
    """One server's. Safe to use from several threads."""

    def __init__(
        self,
        submissions: Submissions,
        folders: Sequence[Path],
        *,
        door: Door | None = None,
        closing: anyio.Event | None = None,
    ) -> None:
        """Nothing is opened yet.

        Args:
            submissions: Of the home.
            folders: What may be spoken of where the client has no roots; the first is the working folder.
            door: Of HTTP; without one every message is this machine's own user's.
            closing: Set when the server stops: waits end then.
        """
        self.submissions = submissions
        self.service: Service = submissions.service
        self.tickets = PlanTickets(submissions)
        self.closing = closing
        self._folders = tuple(folders)
        self._door = door
        self._request: ContextVar[object] = ContextVar("podtune.mcp.request", default=None)

    async def let_in(
        self, ctx: ServerRequestContext[Any, Any], call_next: CallNext
    ) -> HandlerResult:
        """Keep the request while its message is handled: it says who calls."""
        self._request.set(ctx.request)
        return await call_next(ctx)

    @property
    def caller(self) -> Principal:
        """Who sent the message that is handled."""
        return THIS_MACHINE if self._door is None else self._door.principal(self._request.get())

    def count_submit(self) -> None:
        """Count that the caller begins a training.

        Raises:
            PodtuneError: it has used up the minute.
        """
        if self._door is not None:
            self._door.count_submit(self._request.get())

    def desk(self) -> Desk:
        """What the caller may do."""
        return Desk(self.service, self.caller, self.submissions)

    def workspace(self, roots: ListRootsResult) -> Workspace:
        """The folders that the caller may speak of.

        Raises:
            ForbiddenError: code `operator_only`: none of this machine's.
            SpecError: code `no_workspace`: the folder is the whole disk.
        """
        if self.caller.tenant is not None:
            raise ForbiddenError(
                "files of this machine are for its own user",
                code="operator_only",
                hint="name data by an https:// address",
            )
        named = folders(roots.roots) or self._folders
        first, *more = [one for one in named if one != Path(one.anchor)] or [None]
        if first is None:
            raise SpecError(
                "the whole disk is no workspace",
                code="no_workspace",
                hint="have the client start `podtune mcp --folder YOUR/DATA`",
            )
        return Workspace.of(first, self.service.settings, [one for one in more if one is not None])


async def ask_roots(ctx: Context[Any, Any]) -> ListRoots | ListRootsResult:
    """The client's roots, asked for where it declares them and sits at this machine."""
    capabilities = ctx.client_capabilities
    if ctx.request_context.request is not None or capabilities is None or not capabilities.roots:
        return ListRootsResult(roots=[])
    return ListRoots()
