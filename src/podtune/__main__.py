"""The program `podtune`: the command line, with `podtune dev` mounted on it.

What ships for development (`podtune.testing`) is imported only when `podtune dev` is called.
"""

from typing import Final

import typer
from typer.core import TyperGroup

from podtune.cli import main as run

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
    """Put `podtune dev` among the commands, unless it is there; only its name is known then."""
    if all(group.name != "dev" for group in app.registered_groups):
        app.add_typer(typer.Typer(cls=_Dev, help=DEV_HELP, no_args_is_help=True), name="dev")


def _group() -> TyperGroup:
    from podtune.testing.dev import dev

    return typer.main.get_group(dev)


if __name__ == "__main__":
    main()
