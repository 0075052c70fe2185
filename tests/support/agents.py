"""An agent's side of the protocol: the official client, with or without roots, and a served house. For tests only."""

import json
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import httpx2
from mcp.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError
from mcp.types import CallToolResult, ListRootsResult, Root

from podtune.app.service import Service
from podtune.app.settings import Settings
from podtune.app.submissions import Submissions
from podtune.core.access import Principal
from podtune.mcp_server.house import House
from podtune.mcp_server.server import make_server
from support.gateways import Idle
from support.home import Home


class Door:
    """Lets one caller in, whatever the request."""

    def __init__(self, principal: Principal) -> None:
        self.found, self.counted = principal, 0

    def principal(self, request: object) -> Principal:
        return self.found

    def count_submit(self, request: object) -> None:
        self.counted += 1


Talk = Callable[[Client], Awaitable[Any]]


class Host:
    """A served house of its own in this process; nothing is driven. Close it."""

    def __init__(self, settings: Settings, *folders: Path, **more: Any) -> None:
        self.service = Service(settings, Idle(settings))
        self.submissions = Submissions(self.service)
        self.house = House(self.submissions, folders, **more)
        self.server = make_server(self.house)

    def talk(self, talk: Talk, **client: Any) -> Any:
        """What comes of a conversation."""

        async def run() -> Any:
            async with Client(self.server, **client) as agent:
                return await _or_error(talk, agent)

        return _raised(anyio.run(run))

    def call(self, tool: str, roots: list[Path] | None = None, **arguments: Any) -> CallToolResult:
        """One tool's answer."""
        client = {} if roots is None else {"list_roots_callback": with_roots(*roots)}
        return self.talk(lambda agent: agent.call_tool(tool, arguments), **client)

    def told(self, tool: str, roots: list[Path] | None = None, **arguments: Any) -> dict[str, Any]:
        """The fields of one tool's answer, which is no error."""
        return fields(self.call(tool, roots, **arguments))

    def refusal(
        self, tool: str, roots: list[Path] | None = None, **arguments: Any
    ) -> dict[str, Any]:
        """The error that one tool answers."""
        return error(self.call(tool, roots, **arguments))

    def close(self) -> None:
        self.submissions.close()
        self.service.close()


def fields(result: CallToolResult) -> dict[str, Any]:
    """The structured answer of a tool that did not fail."""
    assert not result.is_error, result.content
    assert result.structured_content is not None
    assert json.loads(result.content[0].text) == result.structured_content
    return result.structured_content


def error(result: CallToolResult) -> dict[str, Any]:
    """The structured error of a tool that failed."""
    assert result.is_error, result.structured_content
    assert result.structured_content is not None
    told = result.structured_content["error"]
    assert result.content[0].text.startswith(f"{told['code']}: ")
    return told


def with_roots(*folders: Path):
    """What a client with these roots answers."""

    async def listed(_: object) -> ListRootsResult:
        return ListRootsResult(roots=[Root(uri=folder.as_uri()) for folder in folders])

    return listed


def over_stdio(
    home: Home, talk: Talk, *words: object, cwd: Path | None = None, **client: Any
) -> Any:
    """A conversation with `podtune mcp` as a process; what it says on stderr goes to `mcp.log` of the home's folder."""
    server = StdioServerParameters(
        command=sys.executable,
        args=["-m", "podtune", "mcp", *map(str, words)],
        env=home.environment,
        cwd=cwd or home.cwd,
    )

    async def run() -> Any:
        with (home.cwd / "mcp.log").open("w", encoding="utf-8") as log:
            async with Client(stdio_client(server, errlog=log), **client) as agent:
                return await _or_error(talk, agent)

    return _raised(anyio.run(run))


def over_http(url: str, talk: Talk, token: str | None = None, **client: Any) -> Any:
    """A conversation with a gateway's `/mcp`."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}

    async def run() -> Any:
        async with (
            httpx2.AsyncClient(headers=headers, timeout=100, trust_env=False) as http,
            Client(streamable_http_client(f"{url}/mcp", http_client=http), **client) as agent,
        ):
            return await _or_error(talk, agent)

    return _raised(anyio.run(run))


async def to_the_end(
    agent: Client, job: str, seconds: float = 240
) -> tuple[dict[str, Any], list[tuple[float, str]]]:
    """Wait for a job as an agent does; its last status, and the progress that was reported."""
    seen: list[tuple[float, str]] = []

    async def progress(done: float, _: float | None, message: str | None) -> None:
        seen.append((done, message or ""))

    with anyio.fail_after(seconds):
        while True:
            told = fields(
                await agent.call_tool(
                    "status", {"job_id": job, "wait_s": 30}, progress_callback=progress
                )
            )
            if told["is_finished"]:
                return told, seen


async def _or_error(talk: Talk, agent: Client) -> Any:
    """What comes of it; the protocol's error as a value, so that no group of tasks wraps it."""
    try:
        return await talk(agent)
    except MCPError as error:
        return error


def _raised(found: Any) -> Any:
    if isinstance(found, MCPError):
        raise found
    return found
