"""Whether keys are needed, and which hosts a gateway without keys answers to.

A page of any site can have its own name resolve to 127.0.0.1 and then speak to this machine as if to itself
(DNS rebinding). Without keys the browser's word for the host is all that tells such a request from one of
ours, so only names of loopback are answered, and no page but our own.

Source: reliability-security.md section 3; design section 12. Read on 2026-11-23.
"""

import re
import threading
from ipaddress import ip_address
from typing import Final, Protocol
from urllib.parse import urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from podtune.core.clock import Monotonic, monotonic
from podtune.core.errors import ForbiddenError
from podtune.gateway.errors import ForeignOriginError, WrongHostError

FRESH_S: Final = 1.0
"""How long "there are no keys" is believed: a key made this second may not count for so long."""
PROXIES: Final = ("forwarded", "x-forwarded-for", "x-real-ip", "via")
"""Headers by which a proxy tells of whom it asks for: to it this machine is everybody."""
_HOST: Final = re.compile(
    r"[A-Za-z0-9.\-]+(:[0-9]{1,5})?|\[[0-9A-Fa-f:.]+\](:[0-9]{1,5})?", re.ASCII
)


class HasKeys(Protocol):
    """Who knows whether there are keys."""

    def any(self) -> bool:
        """Whether one was made that is not revoked."""
        ...


class Doors:
    """Whether a key is needed. Once it was, it stays so while the process lives.

    So revoking the last key opens nothing: it takes a start of the gateway, which refuses then to listen
    beyond loopback.
    """

    def __init__(
        self, keys: HasKeys, *, is_exposed: bool = False, elapsed: Monotonic = monotonic
    ) -> None:
        """`is_exposed`: it listens beyond loopback, so a key is needed whatever the store says."""
        self._keys = keys
        self._is_locked = is_exposed
        self._elapsed = elapsed
        self._looked_at: float | None = None
        self._lock = threading.Lock()

    def are_locked(self) -> bool:
        """Whether nobody comes in without a key. May ask the store."""
        with self._lock:
            known = self.known()
            if known is None:
                self._is_locked = known = self._keys.any()
                self._looked_at = self._elapsed()
            return known

    def known(self) -> bool | None:
        """The same without asking the store; None where it has to be asked."""
        if self._is_locked:
            return True
        if self._looked_at is None or self._elapsed() - self._looked_at >= FRESH_S:
            return None
        return False


class Doorway:
    """Refuses foreign hosts and pages while no key is needed. Pure ASGI."""

    def __init__(self, app: ASGIApp, doors: Doors) -> None:
        """Stand before an app."""
        self._app, self._doors = app, doors

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what may come in.

        Raises:
            WrongHostError: the request names a host that is not loopback.
            ForeignOriginError: a page of another origin asked.
        """
        if scope["type"] == "http" and not await self._are_locked():
            check(Headers(scope=scope))
        await self._app(scope, receive, send)

    async def _are_locked(self) -> bool:
        known = self._doors.known()
        return await run_in_threadpool(self._doors.are_locked) if known is None else known


def check(headers: Headers) -> None:
    """Refuse what was not meant for this machine by somebody at this machine.

    Raises:
        WrongHostError: `Host` is missing, told twice, or no name of loopback.
        ForeignOriginError: `Origin` is another than `Host`.
        ForbiddenError: code `behind_proxy`: somebody else's request was passed on.
    """
    if any(name in headers for name in PROXIES):
        raise ForbiddenError(
            "without keys this gateway answers its own machine, and this request came through a proxy",
            code="behind_proxy",
            hint="make a key: podtune keys create NAME",
        )
    hosts = headers.getlist("host")
    if len(hosts) != 1 or not is_loopback_name(hosts[0]):
        raise WrongHostError(
            "without keys this gateway answers to localhost and 127.0.0.1 only",
            hint="open http://127.0.0.1 with its port, or make a key: podtune keys create NAME",
        )
    origins = headers.getlist("origin")
    if not all(is_of_host(origin, hosts[0]) for origin in origins):
        raise ForeignOriginError(
            "without keys this gateway answers to no page of another site",
            hint="make a key for the application: podtune keys create NAME",
        )


def is_of_host(origin: str, host: str) -> bool:
    """Whether an `Origin` is a page of the very host and port that `Host` names.

    >>> [is_of_host(o, "127.0.0.1:8700") for o in ("http://127.0.0.1:8700", "null", "http://[", "")]
    [True, False, False, False]
    """
    try:
        return bool(host) and urlsplit(origin).netloc.lower() == host.lower()
    except ValueError:  # it is no address at all
        return False


def is_loopback_name(host: str) -> bool:
    """Whether a `Host` header names loopback, whatever the port: a tunnel may have another.

    >>> [is_loopback_name(h) for h in ("localhost:8700", "127.0.0.1", "[::1]:8700", "a.localhost")]
    [True, True, True, True]
    >>> [is_loopback_name(h) for h in ("rebound.example", "127.0.0.1.nip.example", "localhost.example", "")]
    [False, False, False, False]
    """
    if not _HOST.fullmatch(host):
        return False
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    if name == "localhost" or name.endswith(".localhost"):  # RFC 6761: never resolved elsewhere
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False
