"""The program `podtune`: the command line, with `podtune serve`, `podtune mcp` and `podtune dev` mounted on it.

Faces are strangers to each other, so what one needs of another is handed over here. What ships for
development (`podtune.testing`) is imported only when `podtune dev` is called, the gateway and the agents' server when
they are to serve.
"""

from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

import typer
from typer.core import TyperGroup

from podtune.cli import main as run
from podtune.cli import mcp, serve

if TYPE_CHECKING:
    from podtune.core.errors import UnsupportedError
    from podtune.mcp_server.http import Agents

DEV_HELP: Final = "For developers of applications: a whole cloud on this machine, free of charge."


def main() -> None:
    """Run the command line."""
    from podtune.cli.app import app

    mount(app)
    run()


class _Dev(TyperGroup):
    """`podtune dev`: its commands are looked up when they are asked for."""

    def list_commands(self, ctx: object) -> list[str]:
        return sorted(_group().commands)

    def get_command(self, ctx: object, cmd_name: str):  # noqa: ANN202 - click's own type
        return _group().commands.get(cmd_name)


def mount(app: typer.Typer) -> None:
    """Put `podtune serve`, `podtune mcp` and `podtune dev` among the commands, unless they are there.

    Only their names and options are known then.
    """
    if all(command.name != "serve" for command in app.registered_commands):
        app.command("serve")(serve.command(_serve))
        app.command("mcp")(mcp.command(_mcp))
    if all(group.name != "dev" for group in app.registered_groups):
        app.add_typer(typer.Typer(cls=_Dev, help=DEV_HELP, no_args_is_help=True), name="dev")


def _serve(wish: serve.Wish) -> None:
    """Serve until it is ended.

    Raises:
        UnsupportedError: the libraries that a gateway needs are not installed.
    """
    try:
        from podtune.gateway import logging, server
    except ModuleNotFoundError as error:
        raise _lacking("serve", error) from error
    logging.configure()
    server.serve(*wish, agents=_agents())


def _agents() -> "Agents | None":
    """What is served at `/mcp`; nothing where its library is not installed."""
    if find_spec("mcp") is None:
        return None
    from podtune.mcp_server.http import Agents

    return Agents()


def _mcp(wish: mcp.Wish) -> None:
    """Serve an agent until it leaves.

    Raises:
        UnsupportedError: the library that speaks the protocol is not installed.
    """
    try:
        from podtune.mcp_server import stdio
    except ModuleNotFoundError as error:
        raise _lacking("mcp", error) from error
    stdio.serve(*wish)


def _lacking(extra: str, error: ModuleNotFoundError) -> "UnsupportedError":
    from podtune.core.errors import UnsupportedError

    return UnsupportedError(
        f"podtune {extra} needs {error.name or 'libraries'}, which is not installed",
        code="extra_missing",
        hint=f"pip install 'podtune[{extra}]'",
    )


def _group() -> TyperGroup:
    from podtune.testing.dev import dev

    return typer.main.get_group(dev)


if __name__ == "__main__":
    main()
