"""docs/how-to/mcp.md: every configuration connects, and its program trains; docs/agents/SKILL.md names what there is."""

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import anyio
import httpx2
import pytest
import yaml
from mcp.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client

from podtune.app.settings import Settings
from podtune.mcp_server.looking import LONGEST_WAIT_S
from support import homes
from support.gateways import Program
from support.home import Home

TOOLS = ["check_data", "plan", "submit", "status", "logs", "cancel", "artifact", "jobs"]
FENCE = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.fixture
def page(root):
    return (root / "docs/how-to/mcp.md").read_text(encoding="utf-8")


@pytest.fixture
def skill(root):
    return (root / "docs/agents/SKILL.md").read_text(encoding="utf-8")


@pytest.fixture
def home(tmp_path):
    # where a client hands its server few variables, the home is that of its user
    made = Home(tmp_path / ".podtune", tmp_path)
    made.environment["HOME"] = str(tmp_path)
    here = str(Path(sys.executable).parent)
    made.environment["PATH"] = os.pathsep.join((here, made.environment["PATH"]))
    yield made
    made.end_everything()


def servers(page):
    """The server of each block of configuration, whatever the client calls its place."""
    found = []
    for language, body in FENCE.findall(page):
        if language in ("json", "toml"):
            told = json.loads(body) if language == "json" else tomllib.loads(body)
            held = told.get("mcpServers") or told.get("servers") or told["mcp_servers"]
            found.append(held["podtune"])
    return found


async def tools(transport):
    async with Client(transport) as agent:
        return [tool.name for tool in (await agent.list_tools()).tools]


def test_every_client_s_configuration_starts_the_server(page, home):
    started = [server for server in servers(page) if "command" in server]
    assert len(started) == 6
    for server in started:
        places = {"/path/to/your/data": str(home.cwd), "${workspaceFolder}": str(home.cwd)}
        args = [places.get(word, word) for word in server["args"]]
        parameters = StdioServerParameters(
            command=server["command"], args=args, env=home.environment, cwd=home.cwd
        )
        assert anyio.run(tools, stdio_client(parameters)) == TOOLS


def test_every_client_s_configuration_reaches_a_gateway(page, home):
    addressed = [server for server in servers(page) if "command" not in server]
    assert len(addressed) == 4
    bash = [body for language, body in FENCE.findall(page) if language == "bash"]
    create, serve = bash[1].splitlines()
    made = home.run(*create.split()[1:])
    assert made.returncode == 0, made.stderr
    assert serve == "podtune serve"
    key = made.stdout.strip()
    with Program(home) as gateway:
        for server in addressed:
            url = server.get("url") or server["httpUrl"]
            told = server.get("headers", {}).get("Authorization") or "Bearer ${PODTUNE_KEY}"
            assert server.get("bearer_token_env_var", "PODTUNE_KEY") == "PODTUNE_KEY"
            token = re.sub(r"\$\{[^}]+\}", key, told)
            path = url.removeprefix("http://127.0.0.1:8700")

            async def listed(address, authorization):
                headers = {"Authorization": authorization}
                async with httpx2.AsyncClient(headers=headers, trust_env=False) as http:
                    return await tools(streamable_http_client(address, http_client=http))

            assert anyio.run(listed, gateway.url + path, token) == TOOLS


@pytest.mark.timeout(300)
def test_the_program_of_the_page_trains(page, home):
    (code,) = [body for language, body in FENCE.findall(page) if language == "python"]
    homes.data(home.cwd)
    words = "Train on tickets.jsonl, on this machine, with rank 4, for 2 steps"
    done = subprocess.run(
        [sys.executable, "-c", f"REQUEST = {words!r}\n{code}"],
        env=home.environment, cwd=home.cwd, capture_output=True, text=True, timeout=280, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    folder, proved = done.stdout.splitlines()[-1].rsplit(" ", 1)
    assert (Path(folder).is_relative_to(home.path), proved) == (True, "True")


def test_what_the_page_says_is_so(page):
    told = re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)
    assert told == TOOLS
    assert Settings.model_fields["plan_token_minutes"].default == 15
    assert "for 15 minutes (`PODTUNE_PLAN_TOKEN_MINUTES`)" in page
    for setting in re.findall(r"PODTUNE_([A-Z_]+)", page):
        assert setting == "KEY" or setting.lower() in Settings.model_fields, setting


def test_a_wait_fits_into_what_clients_wait_for(page, skill):
    """60 s is where several clients give a call up; both texts stay below."""
    told = [int(seconds) for seconds in re.findall(r"wait_s\W+(\d+)", page + skill)]
    assert told
    assert max(told) < LONGEST_WAIT_S


def test_the_skill_has_its_head(skill):
    _, head, body = skill.split("---\n", 2)
    told = yaml.safe_load(head)
    assert set(told) == {"name", "description"}
    assert told["name"] == "podtune"
    assert 80 < len(told["description"]) < 1024
    assert body.strip().startswith("# podtune")


def test_every_command_of_the_skill_exists(skill, root):
    reference = (root / "docs/reference/cli.md").read_text(encoding="utf-8")
    sections = dict(re.findall(r"^## podtune (\w+)\n(.*?)(?=^## |\Z)", reference, re.M | re.S))
    quoted = re.findall(r"`(podtune [^`]+)`", skill)
    assert len(quoted) > 10
    for words in quoted:
        _, name, *rest = words.split()
        assert name in sections, words
        for option in re.findall(r"(?<![\w-])(--?[a-z][\w-]*)", " ".join(rest)):
            assert option in sections[name], words
    for option in ("--yes", "--budget", "--output"):
        assert option in skill
        assert option in reference


def test_every_tool_of_the_skill_exists(skill):
    named = set(re.findall(r"`(\w+)(?:\([^`]*\))?`", skill))
    assert set(TOOLS) <= named
    calls = set(re.findall(r"`(\w+)\([^`]*\)`", skill))
    assert calls <= set(TOOLS)


def test_the_skill_says_what_never_to_do(skill):
    never = skill.partition("## Never")[2]
    for word in (
        "submit",
        "podtune approve",
        "--yes",
        "ceiling",
        "public",
        "cancel",
        "rows",
        "token",
    ):
        assert word in never
