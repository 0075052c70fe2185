"""Who asks: a bearer key, a browser's session, or this machine's own user; each route says what it needs.

A route takes `Reader`, `Submitter`, `Planner`, `Canceller` or `Administrator`: the desk of a caller who may do that.
Every caller is counted (`rates`), and noted for the log by the id of the key alone.
"""

from collections.abc import Awaitable, Callable
from ipaddress import ip_address
from typing import Annotated, Final

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from podtune.app.desk import Desk
from podtune.core.access import THIS_MACHINE, Principal, Scope
from podtune.core.errors import CredentialsError, ForbiddenError
from podtune.gateway.doors import is_of_host
from podtune.gateway.errors import ForeignOriginError
from podtune.gateway.parts import Parts, parts_of

BEARER: Final = HTTPBearer(
    auto_error=False,
    scheme_name="key",
    bearerFormat="ptk_...",
    description="A key of `podtune keys create`. Not needed where the gateway has no keys and is asked from "
    "its own machine.",
)
SAFE_METHODS: Final = ("GET", "HEAD", "OPTIONS")
_HINT: Final = "send `Authorization: Bearer ptk_...`; `podtune keys create` makes a key"


def principal(
    request: Request,
    bearer: Annotated[HTTPAuthorizationCredentials | None, Security(BEARER)] = None,
) -> Principal:
    """Who asks.

    Raises:
        CredentialsError: nobody who is known.
        ForeignOriginError: a browser's session, used by a page of another site.
        TooManyError: this caller has used up the minute.
    """
    parts = parts_of(request)
    found = _known(request, parts, bearer)
    request.state.key_id = found.key_id
    request.state.is_let_in = True
    request.state.may_approve = found.may(Scope.APPROVE)
    request.state.caller = caller_name(request, found)
    parts.rates.request(request.state.caller)
    return found


def caller_name(request: Request, found: Principal) -> str:
    """Under what a caller is counted: the key, or the address where there is none."""
    return f"key {found.key_id}" if found.key_id else f"address {address_of(request)}"


def address_of(request: Request) -> str:
    """Where a request comes from, as the socket says; headers of proxies are not believed."""
    return request.client.host if request.client else ""


def is_here(address: str) -> bool:
    """Whether an address is this machine's own loopback."""
    try:
        found = ip_address(address)
    except ValueError:
        return False
    mapped = getattr(found, "ipv4_mapped", None)
    return (mapped or found).is_loopback


def is_same_origin(request: Request) -> bool:
    """Whether the page that asks is ours: its `Origin` names the very host and port of `Host`."""
    origins = request.headers.getlist("origin")
    return len(origins) == 1 and is_of_host(origins[0], request.headers.get("host", ""))


def _known(
    request: Request, parts: Parts, bearer: HTTPAuthorizationCredentials | None
) -> Principal:
    if not parts.doors.are_locked():
        # Without keys any key is as good as none; SDKs insist on sending one.
        if is_here(address_of(request)):
            return THIS_MACHINE
        raise CredentialsError(
            "this gateway is for its own machine", code="missing_key", hint=_HINT
        )
    if bearer is not None:
        return _checked(request, parts, bearer.credentials)
    session = parts.sessions.opened(request)
    if session is None:
        raise CredentialsError("a key is needed", code="missing_key", hint=_HINT)
    if request.method not in SAFE_METHODS and not is_same_origin(request):
        raise ForeignOriginError("a page of another site asked in this browser's name")
    return _checked(request, parts, session.get_secret_value())


def _checked(request: Request, parts: Parts, token: str) -> Principal:
    try:
        return parts.keys.check(token)
    except CredentialsError:
        parts.rates.refused(address_of(request))
        raise


async def reader_later(
    request: Request,
    bearer: Annotated[HTTPAuthorizationCredentials | None, Security(BEARER)] = None,
) -> Callable[[], Desk]:
    """What makes a `Reader` in the thread of a route that is asked often: each change of thread costs."""

    def desk() -> Desk:
        return _desk_of(request, principal(request, bearer), Scope.READ)

    return desk


def _desk_of(request: Request, found: Principal, scope: Scope) -> Desk:
    if not found.may(scope):
        raise ForbiddenError(
            f"this key may not {scope.value}",
            code="scope_missing",
            hint=f"podtune keys create NAME --scope {scope.value}",
        )
    parts = parts_of(request)
    return Desk(parts.service, found, parts.submissions)


def _desk(scope: Scope) -> Callable[..., Awaitable[Desk]]:
    """What makes the desk of a scope: it asks nobody, so it takes no thread."""

    async def desk(request: Request, found: Annotated[Principal, Depends(principal)]) -> Desk:
        return _desk_of(request, found, scope)

    return desk


Reader = Annotated[Desk, Depends(_desk(Scope.READ))]
"""The desk of a caller who may look."""
ReaderLater = Annotated[Callable[[], Desk], Depends(reader_later)]
"""The same, made when it is called."""
Submitter = Annotated[Desk, Depends(_desk(Scope.SUBMIT))]
"""The desk of a caller who may plan, submit and resume."""
Planner = Annotated[Desk, Depends(_desk(Scope.PLAN))]
"""The desk of a caller who may plan, and start what was planned by its token."""
Canceller = Annotated[Desk, Depends(_desk(Scope.CANCEL))]
"""The desk of a caller who may cancel."""
Administrator = Annotated[Desk, Depends(_desk(Scope.ADMIN))]
"""The desk of a caller who may do everything, of every tenant."""


async def approver(found: Annotated[Principal, Depends(principal)]) -> Principal:
    """Who may let dear plans of agents start.

    Raises:
        ForbiddenError: this caller may not.
    """
    if not found.may(Scope.APPROVE):
        raise ForbiddenError(
            "this key may not approve",
            code="scope_missing",
            hint="podtune keys create NAME --scope approve, for a person",
        )
    return found


Approver = Annotated[Principal, Depends(approver)]
"""A caller who may agree to plans of others."""


def submit_counted(request: Request, desk: Planner) -> None:
    """Count a request that begins a training or brings a file, besides as a request; its route says who may.

    Raises:
        TooManyError: this caller has used up the minute.
    """
    parts_of(request).rates.submit(caller_name(request, desk.principal))
