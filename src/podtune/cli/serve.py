"""`podtune serve`: the gateway and the dashboard, on this machine's loopback unless told otherwise.

The gateway is this face's sibling and is handed in (`podtune.__main__`).
"""

from collections.abc import Callable
from typing import Annotated, Final, NamedTuple

import typer

from podtune.app.settings import Settings
from podtune.cli.console import err, plain, print_line

PORT: Final = 8700


class Wish(NamedTuple):
    """Where the gateway is to listen, and whom it tells once it does."""

    settings: Settings
    host: str
    port: int
    ready: Callable[[str], None]
    """Takes the dashboard's address."""


def command(run: Callable[[Wish], None]) -> Callable[..., None]:
    """The command, on the program that serves until it is ended."""

    def serve(
        host: Annotated[
            str,
            typer.Option(help="Where it listens. Beyond loopback only with a key."),
        ] = "127.0.0.1",
        port: Annotated[int, typer.Option(min=0, max=65535, help="0: any that is free.")] = PORT,
        open_: Annotated[
            bool, typer.Option("--open", help="Open the dashboard in the browser.")
        ] = False,
    ) -> None:
        """Serve the gateway: the application's contract, the fine-tuning API, the dashboard.

        Runs until Ctrl-C. Jobs do not depend on it: they go on, and are seen again at the next start.
        Log lines in JSON go to stderr.
        """
        from podtune.app import settings

        loaded = settings.load().settings

        def ready(address: str) -> None:
            print(address, flush=True)  # noqa: T201 - the renderer
            told = f"the dashboard is at [bold]{plain(address)}[/], jobs are those of"
            print_line(
                err(), f"{told} {plain(str(loaded.home))} [dim](Ctrl-C stops it; jobs go on)[/]"
            )
            if open_:
                typer.launch(address)

        run(Wish(loaded, host, port, ready))
        print_line(err(), "stopped; jobs go on")
        print_line(err(), "[bold]next[/]  podtune jobs")

    return serve
