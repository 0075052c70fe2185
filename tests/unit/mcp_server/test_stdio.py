import json
import subprocess

import pytest

from podtune.app.settings import Settings
from podtune.core.errors import NotFoundError
from podtune.mcp_server import stdio
from support import homes
from support.agents import error, fields, over_stdio, with_roots
from support.home import Home


@pytest.fixture
def home(tmp_path):
    made = Home(tmp_path / "home", tmp_path)
    homes.data(tmp_path / "work")
    yield made
    made.end_everything()


def test_nothing_but_the_protocol_is_on_stdout(home):
    begin = {
        "jsonrpc": "2.0", "id": 1, "method": "initialize",
        "params": {
            "protocolVersion": "2025-06-18", "capabilities": {},
            "clientInfo": {"name": "t", "version": "1"},
        },
    }  # fmt: skip
    then = [
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {"jsonrpc": "2.0", "id": 2, "method": "tools/call",
         "params": {"name": "check_data", "arguments": {"source": "work/tickets.jsonl"}}},
        {"jsonrpc": "2.0", "id": 3, "method": "tools/call",
         "params": {"name": "status", "arguments": {"job_id": "nothing"}}},
    ]  # fmt: skip
    process = subprocess.Popen(
        home.command("mcp"), env=home.environment | {"PYTHONWARNINGS": "always"}, cwd=home.cwd,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    with process:
        for message in [begin, *then]:
            process.stdin.write(json.dumps(message) + "\n")
        process.stdin.flush()
        lines = [process.stdout.readline() for _ in range(3)]
        rest, said = process.communicate(timeout=30)
    told = {message["id"]: message for message in map(json.loads, lines)}
    assert set(told) == {1, 2, 3}
    assert told[2]["result"]["structuredContent"]["good_rows"] == 24
    assert told[3]["result"]["structuredContent"]["error"]["code"] == "not_found"
    assert rest == ""
    assert process.returncode == 0
    assert "Traceback" not in said


@pytest.mark.parametrize("mode", ["legacy", "auto"])
def test_the_client_s_roots_are_asked_for_in_either_form(home, mode):
    async def talk(agent):
        return (
            await agent.call_tool("check_data", {"source": "tickets.jsonl"}),
            await agent.call_tool("check_data", {"source": "../tickets.jsonl"}),
        )

    roots = with_roots(home.cwd / "work")
    inside, outside = over_stdio(home, talk, mode=mode, list_roots_callback=roots)
    assert fields(inside)["good_rows"] == 24
    assert error(outside)["code"] == "outside_workspace"


def test_folders_may_be_named_where_a_client_has_no_roots(home, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()

    async def talk(agent):
        return await agent.call_tool("check_data", {"source": "tickets.jsonl"})

    told = over_stdio(home, talk, "--folder", tmp_path / "work", cwd=elsewhere)
    assert fields(told)["source"] == str(tmp_path / "work" / "tickets.jsonl")
    assert error(over_stdio(home, talk, cwd=elsewhere))["code"] == "file_not_found"


def test_a_folder_that_is_not_there_is_told(tmp_path):
    with pytest.raises(NotFoundError) as caught:
        stdio.serve(Settings(home=tmp_path / "home"), [tmp_path / "none"])
    assert caught.value.code == "folder_not_found"


def test_listening_makes_no_home(home):
    async def talk(agent):
        return await agent.list_tools()

    over_stdio(home, talk)
    assert not home.path.exists()
