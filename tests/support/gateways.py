"""A gateway on a real socket of loopback, in a thread of its own. For tests only."""

import io
import json
import logging
import signal
import subprocess
import threading
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx2

from podtune.app.keys import Keys
from podtune.app.service import Service
from podtune.app.settings import Settings
from podtune.app.tending import Tending
from podtune.core.access import Scope
from podtune.gateway import logging as gateway_logging
from podtune.gateway.agents import Agents
from podtune.gateway.app import create_app
from podtune.gateway.server import Server, address_of, listening
from podtune.workflow.store import JobStore
from support.hearing import hear_all
from support.home import Home
from support.waiting import until

ALL = (Scope.SUBMIT, Scope.READ, Scope.CANCEL)


class Idle:
    """Drives nothing."""

    def __init__(self, settings: Settings) -> None:
        pass

    def ensure(self, store: JobStore) -> None:
        pass


class Gateway:
    """Serves until closed, its jobs driven by nobody; use as a context manager."""

    def __init__(
        self, settings: Settings, *, is_exposed: bool = False, agents: Agents | None = None
    ) -> None:
        """Start serving.

        Args:
            settings: Of a home, which is made.
            is_exposed: Have it behave as beyond loopback.
            agents: What answers at `/mcp`.
        """
        settings.home.mkdir(parents=True, exist_ok=True)
        self.settings = settings
        self.service = Service(settings, Tending(settings, keeper=Idle))
        self.app = create_app(settings, service=self.service, is_exposed=is_exposed, agents=agents)
        self.log = io.StringIO()
        self._logging = ExitStack()
        self._logging.enter_context(logging_restored())
        gateway_logging.configure(stream=self.log)
        self._listening = listening("127.0.0.1", 0)
        bound = self._listening.__enter__()
        self.url = address_of(bound).rstrip("/")
        self.port: int = bound.getsockname()[1]
        self.server = Server(self.app)
        self._thread = threading.Thread(target=self.server.run, args=([bound],))
        self._thread.start()
        until(lambda: self.server.started, "the gateway's start")

    def __enter__(self) -> "Gateway":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self, seconds: float = 15) -> None:
        """Stop it; the jobs of the home go on."""
        self.server.should_exit = True
        self._thread.join(seconds)
        assert not self._thread.is_alive(), "the gateway did not stop"
        self._listening.__exit__(None, None, None)
        self.service.close()
        self._logging.close()

    @property
    def store(self) -> JobStore:
        """The home's job store."""
        return self.service.store()

    def key(self, *scopes: Scope, **more: Any) -> str:
        """A new key's token."""
        _, token = Keys(self.store).create("test", scopes or ALL, **more)
        return token.get_secret_value()

    def client(self, token: str | None = None, **headers: str) -> httpx2.Client:
        """Asks it; close it, or use it as a context manager."""
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        return httpx2.Client(base_url=self.url, headers=headers, timeout=30, trust_env=False)

    def lines(self, least: int = 0) -> list[dict[str, Any]]:
        """What it logged so far, once there are so many: a line is written when its answer is out already."""

        def found() -> list[str]:
            return self.log.getvalue().splitlines()

        until(lambda: len(found()) >= least, f"{least} log lines")
        return [json.loads(line) for line in found()]


@contextmanager
def logging_restored() -> Generator[None]:
    """What a gateway does to a program's logging is undone at the end: other tests listen too."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    quiet = [logging.getLogger(name) for name in gateway_logging.CHATTY]
    levels = [one.level for one in quiet]
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        for one, before in zip(quiet, levels, strict=True):
            one.setLevel(before)


def settings(folder: Path, **more: Any) -> Settings:
    """Settings of a home in a folder."""
    return Settings(home=folder / "home", **more)


def sse(lines: Any) -> list[tuple[str, str, Any]]:
    """Server-sent events, as (id, event, data), from lines of text."""
    found: list[tuple[str, str, Any]] = []
    fields: dict[str, str] = {}
    for line in lines:
        if line and not line.startswith(":"):
            name, _, value = line.partition(": ")
            fields[name] = value
        elif not line:
            if "data" in fields:
                found.append((fields.get("id", ""), fields["event"], json.loads(fields["data"])))
            fields = {}
    return found


class Program:
    """`podtune serve` as a process on a home, with everything it logs; use as a context manager."""

    def __init__(self, home: Home, *words: str) -> None:
        """Start it and wait until it listens."""
        self._log = (home.cwd / "gateway.log").open("w+", encoding="utf-8")
        self.process = subprocess.Popen(
            home.command("serve", "--port", "0", *words),
            env=home.environment, cwd=home.cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=self._log, text=True, preexec_fn=hear_all,
        )  # fmt: skip
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().strip().rstrip("/")
        assert self.url, self.log()

    def __enter__(self) -> "Program":
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(15)
        finally:
            self.process.kill()
            assert self.process.stdout is not None
            self.process.stdout.close()
            self._log.close()

    def log(self) -> str:
        """Everything it said on stderr so far."""
        return Path(self._log.name).read_text(encoding="utf-8")

    def lines(self) -> list[dict[str, Any]]:
        """Its log lines."""
        return [json.loads(line) for line in self.log().splitlines() if line.startswith("{")]

    def client(self, token: str | None = None) -> httpx2.Client:
        """Asks it; close it, or use it as a context manager."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return httpx2.Client(base_url=self.url, headers=headers, timeout=60, trust_env=False)
