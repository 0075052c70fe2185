"""`podtune mcp`: the verbs as tools for an agent, on stdin and stdout.

The server is this face's sibling and is handed in (`podtune.__main__`). Nothing is printed here: stdout belongs to
the protocol.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from podtune.app.settings import Settings


class Wish(NamedTuple):
    """What the server is started with."""

    settings: Settings
    folders: tuple[Path, ...]


def command(run: Callable[[Wish], None]) -> Callable[..., None]:
    """The command, on the program that serves until its client leaves."""

    def mcp(
        folder: Annotated[
            list[Path] | None,
            typer.Option(
                "--folder",
                help="A folder that may be spoken of where the client declares no roots; may be given several "
                "times. The working folder if not given.",
            ),
        ] = None,
    ) -> None:
        """Serve podtune's tools to an agent by the Model Context Protocol, on stdin and stdout.

        A client starts it; docs/how-to/mcp.md has the configuration of the common ones. Over HTTP the
        same tools are at /mcp of `podtune serve`. Jobs do not depend on it: they go on.
        """
        from podtune.app import settings

        run(Wish(settings.load().settings, tuple(folder or ())))

    return mcp
