"""The stand-in cloud on a socket of this machine: uvicorn in a thread, and a ticker beside it."""

import asyncio
import contextlib
import socket
import threading
from types import TracebackType
from typing import Any, Final, Self

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from podtune.core.errors import ConflictError
from podtune.testing.asgi import TRANSPORT, App, Receive, Scope, Send
from podtune.testing.cloud import Cloud
from podtune.testing.options import KEY
from podtune.testing.serverless.endpoint import BASE_PATH

HOST: Final = "127.0.0.1"
"""Pods run as this user's processes: never offered to another machine."""

TICK_S: Final = 0.1
START_S: Final = 10.0


class CloudServer:
    """Serves a cloud until it is closed; use as a context manager.

    Args:
        cloud: The cloud; it is told its address.
        port: 0 for a free one.
        keep: Leave the pods' disks where they are at the end.
        tick_s: How often the cloud looks at its pods by itself.

    Raises:
        ConflictError: the port is in use.
    """

    def __init__(
        self, cloud: Cloud, port: int = 0, *, keep: bool = False, tick_s: float = TICK_S
    ) -> None:
        self.cloud = cloud
        self._keep = keep
        self._socket = _listening(port)
        self.port = int(self._socket.getsockname()[1])
        self.url = f"http://{HOST}:{self.port}"
        cloud.options = cloud.options.model_copy(update={"base_url": self.url})
        self._app = App(cloud)
        self._server = uvicorn.Server(
            uvicorn.Config(
                self._app,
                http=_Connection,
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                date_header=False,  # the cloud says its own
                timeout_graceful_shutdown=1,
                timeout_keep_alive=30,
            )
        )
        self._over = threading.Event()
        self._tick_s = tick_s
        self._threads = [
            threading.Thread(target=self._serve, name="stand-in server", daemon=True),
            threading.Thread(target=self._tick, name="stand-in ticker", daemon=True),
        ]

    def __enter__(self) -> Self:
        """Serve; on return connections are answered."""
        for thread in self._threads:
            thread.start()
        for _ in range(int(START_S / 0.005)):
            if self._server.started:
                return self
            self._over.wait(0.005)
        self.close()
        raise ConflictError(f"the stand-in cloud did not start on port {self.port}")

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End every pod and stop serving; nothing that was started is left."""
        self._over.set()
        if not self._keep:
            self.cloud.close()
        end = getattr(self.cloud.executor, "close", None)
        if end is not None:
            end()
        self._server.should_exit = True
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(10)
        self._app.close()
        self._socket.close()

    def environment(self) -> dict[str, str]:
        """Variables that lead podtune, the runpod SDK and others here instead of to RunPod."""
        return environment(self.url, key(self.cloud))

    def _serve(self) -> None:
        # an event loop of its own: the loop of whoever asked is not touched
        with asyncio.Runner() as runner:
            runner.run(self._server.serve(sockets=[self._socket]))

    def _tick(self) -> None:
        while not self._over.wait(self._tick_s):
            self.cloud.tick()


class _Connection(H11Protocol):
    """HTTP/1.1 that lets the application reach its transport."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        super().connection_made(transport)
        inner: Any = self.app

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await inner({**scope, TRANSPORT: transport}, receive, send)

        self.app = app  # pyright: ignore[reportAttributeAccessIssue]


def environment(url: str, api_key: str) -> dict[str, str]:
    """The variables for a stand-in cloud at an address."""
    return {
        "RUNPOD_REST_BASE_URL": f"{url}/v2",
        "RUNPOD_API_BASE_URL": f"{url}/graphql",
        "RUNPOD_ENDPOINT_BASE_URL": f"{url}{BASE_PATH}",
        "RUNPOD_PROXY_URL": f"{url}/proxy/{{pod}}-{{port}}",
        "RUNPOD_API_KEY": api_key,
    }


def key(cloud: Cloud) -> str:
    """A key that a cloud accepts."""
    return min(cloud.options.api_keys, default=KEY)


def _listening(port: int) -> socket.socket:
    listener = socket.socket()
    with contextlib.ExitStack() as undo:
        undo.callback(listener.close)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port))
        except OSError as error:
            raise ConflictError(
                f"port {port} of this machine cannot be taken: {error.strerror}",
                code="port_in_use",
                hint="podtune dev cloud --port 0 takes a free one",
                context={"port": port},
            ) from error
        listener.listen(128)
        undo.pop_all()
    return listener
