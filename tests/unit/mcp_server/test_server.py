import subprocess
import sys

import jsonschema
import pytest

import podtune

TOOLS = ["check_data", "plan", "submit", "status", "logs", "cancel", "artifact", "jobs"]


@pytest.fixture
def tools(host):
    return {tool.name: tool for tool in host.talk(lambda agent: agent.list_tools()).tools}


def test_the_tools_of_the_house(tools):
    assert list(tools) == TOOLS
    for tool in tools.values():
        assert tool.title
        assert len(tool.description) > 60
        assert tool.output_schema["type"] == "object"
        assert "next" in tool.output_schema["properties"]
        assert {tuple(one["required"])[-1:] for one in tool.output_schema["anyOf"]} >= {("error",)}
        for name, schema in tool.input_schema["properties"].items():
            assert schema.get("description"), f"{tool.name}: {name}"


def test_errors_too_are_what_the_schemas_promise(host, tools):
    for name in ("status", "logs", "artifact", "cancel"):
        told = host.call(name, job_id="nothing")
        jsonschema.validate(told.structured_content, tools[name].output_schema)
    jsonschema.validate(host.told("jobs"), tools["jobs"].output_schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"next": "x"}, tools["jobs"].output_schema)


@pytest.mark.parametrize("name", TOOLS)
def test_an_argument_that_there_is_not_is_refused_and_not_lost(host, tools, name):
    assert tools[name].input_schema["additionalProperties"] is False
    told = host.call(name, max_usd="planted", token="planted", job_id="x", source="x", request="x")
    assert told.is_error
    (text,) = told.content
    assert "max_usd" in text.text
    assert "planted" not in text.text


def test_no_parameter_that_is_not_the_agent_s(tools):
    named = {name for tool in tools.values() for name in tool.input_schema["properties"]}
    assert not named & {"roots", "ctx", "self", "digest", "ceiling", "approve"}


@pytest.mark.parametrize(
    ("name", "reads", "destroys", "repeats"),
    [
        ("check_data", True, False, True), ("status", True, False, True),
        ("logs", True, False, True), ("artifact", True, False, True), ("jobs", True, False, True),
        ("plan", False, False, False), ("submit", False, True, True), ("cancel", False, True, True),
    ],
)  # fmt: skip
def test_annotations_are_honest(tools, name, reads, destroys, repeats):
    told = tools[name].annotations
    assert (told.read_only_hint, told.destructive_hint, told.idempotent_hint) == (
        reads, destroys, repeats,
    )  # fmt: skip


def test_it_says_who_it_is_and_in_which_order_it_is_used(host):
    async def talk(agent):
        return agent.server_info, agent.instructions

    info, instructions = host.talk(talk, mode="legacy")
    assert (info.name, info.version) == ("podtune", podtune.__version__)
    assert "show the plan and its price, ask the user" in instructions


def test_an_argument_that_is_none_is_an_error_for_the_model(host):
    told = host.call("status", job_id="x" * 100)
    assert told.is_error
    assert "at most 64 characters" in told.content[0].text


def test_older_clients_are_served_too(host):
    async def talk(agent):
        return await agent.call_tool("jobs", {})

    assert host.talk(talk, mode="legacy").structured_content["jobs"] == []


def test_importing_podtune_brings_none_of_it():
    code = (
        "import sys, podtune, podtune.cli.app, podtune.__main__\n"
        "print([n for n in sys.modules if n.split('.')[0] in ('mcp', 'mcp_types', 'pydantic_ai')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
