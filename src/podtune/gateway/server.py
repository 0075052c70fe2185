"""The gateway on a socket: uvicorn, one process, stopped within seconds.

One process, since jobs are driven elsewhere anyway and counters and rate limits are kept in memory; several
gateways on one PostgreSQL are several of these.
"""

import asyncio
import contextlib
import errno
import os
import signal
import socket
import sys
from collections.abc import Callable, Generator
from ipaddress import ip_address
from types import FrameType
from typing import Final

import h11
import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

from podtune.app.keys import Keys
from podtune.app.service import Service
from podtune.app.settings import Settings
from podtune.app.tending import Tending
from podtune.core.errors import ConflictError, CredentialsError, SpecError
from podtune.gateway.agents import Agents
from podtune.gateway.app import create_app
from podtune.gateway.bounds import HEADER_BYTES, TARGET_BYTES
from podtune.gateway.parts import Parts

BACKLOG: Final = 1024
GRACE_S: Final = 8
"""How long running requests may finish once the gateway is to stop. A preparation that is cut off goes on at the
next start; streams end at once."""
KEEP_ALIVE_S: Final = 30
"""How long an idle connection is kept: pollers come every few seconds."""
HEAD_WAIT_S: Final = 20.0
"""How long a request's head may take to come whole. Chosen: a second is much on any line."""
SWITCH_S: Final = 0.001
"""How long a thread that computes keeps the others waiting, the one that answers among them; Python's own 5 ms add up
over a request. `bench/gateway.py` shows it."""
CONNECTIONS: Final = 1000
"""Open at the same time; more are answered 503 by the server itself."""


class Patient(H11Protocol):
    """h11 that does not wait for ever: a connection on which no whole head of a request comes is closed.

    uvicorn itself waits for the first head, and for the rest of a later one, without an end; a thousand connections
    that say nothing would be all it takes.
    """

    _late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """The first head is awaited from now on."""
        super().connection_made(transport)
        self._await_head()

    def data_received(self, data: bytes) -> None:
        """A head is whole, or is awaited from its first byte on."""
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            self._had_head()
        elif self._late is None:
            self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is awaited any more."""
        self._had_head()
        super().connection_lost(exc)

    def _await_head(self) -> None:
        self._late = self.loop.call_later(HEAD_WAIT_S, self.transport.close)

    def _had_head(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None


class Server(uvicorn.Server):
    """uvicorn that tells streams of its end, and does not send itself the signal again."""

    def __init__(self, app: FastAPI) -> None:
        """Nothing listens yet."""
        self._parts: Parts = app.state.parts
        super().__init__(config_of(app))

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End streams, then let requests finish."""
        self._parts.closing.set()
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """Ctrl-C and SIGTERM stop it; once more, and it waits for nobody."""
        try:
            before = {
                number: signal.signal(number, self._heard)
                for number in (signal.SIGINT, signal.SIGTERM)
            }
        except ValueError:  # not in the main thread: whoever began it ends it
            yield
            return
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _heard(self, number: int, frame: FrameType | None) -> None:
        self.force_exit = self.should_exit
        self.should_exit = True


def config_of(app: FastAPI) -> uvicorn.Config:
    """How uvicorn serves the gateway: h11, whose bound on headers holds while they come in."""
    return uvicorn.Config(
        app,
        http=Patient,
        ws="none",
        lifespan="on",
        loop="asyncio",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,  # who asks is whose socket it is: a header can say anything
        limit_concurrency=CONNECTIONS,
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=GRACE_S,
        h11_max_incomplete_event_size=HEADER_BYTES + TARGET_BYTES,
    )


def serve(
    settings: Settings,
    host: str,
    port: int,
    ready: Callable[[str], None],
    *,
    agents: Agents | None = None,
) -> None:
    """Serve until Ctrl-C or SIGTERM.

    Args:
        settings: Of the installation.
        host: Where it listens: `127.0.0.1`, or an address of this machine once there is a key.
        port: 0 lets the system choose.
        ready: Called with the dashboard's address once it listens.
        agents: What answers at `/mcp`.

    Raises:
        CredentialsError: it would listen beyond loopback, and there is no key.
        ConflictError: the port is taken.
        SpecError: this machine has no such address.
        StateError: the home or its job store cannot be used.
    """
    sys.setswitchinterval(SWITCH_S)
    with _own_files_only(), contextlib.closing(Service(settings, Tending(settings))) as service:
        is_exposed = not is_loopback(host)
        if is_exposed and not Keys(service.store()).any():
            raise CredentialsError(
                f"without a key the gateway listens to loopback only, not to {host}",
                code="keys_needed",
                hint="podtune keys create NAME --scope submit --scope read --scope cancel",
            )
        app = create_app(settings, service=service, is_exposed=is_exposed, agents=agents)
        with listening(host, port) as bound:
            ready(address_of(bound))
            Server(app).run(sockets=[bound])


def is_loopback(host: str) -> bool:
    """Whether a name or address to listen to is reached from this machine only."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


@contextlib.contextmanager
def listening(host: str, port: int) -> Generator[socket.socket]:
    """A socket that is bound; uvicorn listens on it.

    Raises:
        ConflictError: code `port_taken`.
        SpecError: code `bad_address`: the address is not this machine's, or the port is not ours to take.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, _, _, _, address = found[0]
        bound = socket.create_server(address, family=family, backlog=BACKLOG)
    except OSError as error:
        raise _cannot_listen(host, port, error) from error
    with bound:
        # An answer is written in two pieces; without this the second waits for the client to have acknowledged
        # the first, 40 ms. asyncio does so only for sockets that name their protocol. Who is accepted inherits it.
        bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield bound


def address_of(bound: socket.socket) -> str:
    """What to open in a browser of this machine."""
    host, port = bound.getsockname()[:2]
    if host in ("0.0.0.0", "::"):  # noqa: S104 - not bound here: told to a person
        host = "127.0.0.1"
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


@contextlib.contextmanager
def _own_files_only() -> Generator[None]:
    """What callers send is nobody else's on this machine, whoever made the home."""
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)


def _cannot_listen(host: str, port: int, error: OSError) -> ConflictError | SpecError:
    if error.errno == errno.EADDRINUSE:
        return ConflictError(
            f"port {port} of {host} is taken",
            code="port_taken",
            hint=f"podtune serve --port {port + 1}, or --port 0 for any that is free",
        )
    return SpecError(
        f"the gateway cannot listen to {host} port {port}: {error.strerror or error}",
        code="bad_address",
        hint="podtune serve listens to 127.0.0.1 port 8700",
    )
