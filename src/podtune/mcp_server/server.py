"""The server: its tools with what each does to the world, its resources, its prompt. One for every transport."""

import inspect
from collections.abc import Callable
from typing import Any, Final

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.tools import Tool
from mcp.server.mcpserver.utilities.func_metadata import ArgModelBase
from mcp.types import ToolAnnotations
from pydantic import ConfigDict, create_model

import podtune
from podtune.mcp_server import faults, prompts, resources
from podtune.mcp_server.house import House
from podtune.mcp_server.looking import Looking
from podtune.mcp_server.planning import Planning

INSTRUCTIONS: Final = """\
podtune fine-tunes language models: it checks data, plans with a price, trains here or on rented GPUs, proves the
adapter and signs a receipt.

Order: check_data -> plan -> (show the plan and its price, ask the user) -> submit(token) -> status(wait_s=45) until
is_finished -> artifact. Money is spent by `submit` alone, never above the ceiling of the plan, and only after the user
said yes to that very plan. Questions of `plan` are for the user, not for you. Data is named by path or address; rows
are never shown.
"""

_LOOKS: Final = ToolAnnotations(
    read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False
)
_LOOKS_OUT: Final = _LOOKS.model_copy(update={"open_world_hint": True})
"""It may fetch data from an address."""
_PLANS: Final = ToolAnnotations(
    read_only_hint=False, destructive_hint=False, idempotent_hint=False, open_world_hint=True
)
"""It writes the token's row, and asks vendors for prices."""
_SUBMITS: Final = ToolAnnotations(
    read_only_hint=False, destructive_hint=True, idempotent_hint=True, open_world_hint=True
)
"""Money that is spent does not come back; the same token is the same job."""
_CANCELS: Final = ToolAnnotations(
    read_only_hint=False, destructive_hint=True, idempotent_hint=True, open_world_hint=True
)


def make_server(house: House) -> MCPServer:
    """A server on a house; nothing listens yet."""
    server = MCPServer(
        name="podtune",
        title="podtune",
        description="Fine-tune language models: planned, priced, trained, proved.",
        instructions=INSTRUCTIONS,
        version=podtune.__version__,
        log_level="WARNING",
        middleware=[house.let_in],
        tools=tools_of(house),
        subscriptions=False,
    )
    resources.register(server, house)
    prompts.register(server)
    return server


def tools_of(house: House) -> list[Tool]:
    """The tools, in the order in which they are used."""
    looking, planning = Looking(house), Planning(house)
    return [
        _tool(looking.check_data, "Check training data", _LOOKS_OUT),
        _tool(planning.plan, "Plan a training", _PLANS),
        _tool(planning.submit, "Start a planned training", _SUBMITS),
        _tool(looking.status, "Status of a job", _LOOKS),
        _tool(looking.logs, "Log of a job", _LOOKS),
        _tool(planning.cancel, "Cancel a job", _CANCELS),
        _tool(looking.artifact, "Result of a job", _LOOKS),
        _tool(looking.jobs, "List of jobs", _LOOKS),
    ]


def _tool(verb: Callable[..., Any], title: str, annotations: ToolAnnotations) -> Tool:
    """A verb as a tool whose errors are answers too."""
    made = Tool.from_function(
        faults.told(verb),
        title=title,
        description=inspect.getdoc(verb),
        annotations=annotations,
    )
    made.fn_metadata.arg_model = _strict(made.fn_metadata.arg_model)
    made.parameters = made.fn_metadata.arg_model.model_json_schema(by_alias=True)
    assert made.fn_metadata.output_schema is not None
    made.fn_metadata.output_schema = faults.with_fault(made.fn_metadata.output_schema)
    return made


class _Strict(ArgModelBase):
    """No other arguments, so that no limit which an agent believes in is lost; errors show no value."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


def _strict(arguments: type[ArgModelBase]) -> type[ArgModelBase]:
    """The same arguments, as `_Strict` takes them."""
    return create_model(arguments.__name__, __base__=(arguments, _Strict))
