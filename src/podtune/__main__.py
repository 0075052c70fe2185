"""The program `podtune`: the command line, with `podtune serve` and `podtune dev` mounted on it.

Faces are strangers to each other, so what one needs of another is handed over here. What ships for
development (`podtune.testing`) is imported only when `podtune dev` is called, the gateway when it is to serve.
"""

from typing import Final

import typer
from typer.core import TyperGroup

from podtune.cli import main as run
from podtune.cli import serve

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
    """Put `podtune serve` and `podtune dev` among the commands, unless they are there.

    Only their names and options are known then.
    """
    if all(command.name != "serve" for command in app.registered_commands):
        app.command("serve")(serve.command(_serve))
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
        from podtune.core.errors import UnsupportedError

        raise UnsupportedError(
            f"podtune serve needs {error.name or 'libraries'}, which is not installed",
            code="extra_missing",
            hint="pip install 'podtune[serve]'",
        ) from error
    logging.configure()
    server.serve(*wish)


def _group() -> TyperGroup:
    from podtune.testing.dev import dev

    return typer.main.get_group(dev)


if __name__ == "__main__":
    main()
