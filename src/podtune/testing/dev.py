"""`podtune dev cloud`: the stand-in cloud as a program for a developer's machine.

Reads the machine's settings, puts the parts together, and tells what happens until it is ended. What the
cloud does stands in the other modules.
"""

import json
import os
import secrets
import shlex
import shutil
import signal
import tempfile
import threading
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from types import FrameType
from typing import Annotated, Final

import typer
from rich.console import Console

from podtune import __version__
from podtune.app.settings import container_environment
from podtune.cli.console import Output, err, plain, print_line
from podtune.core.errors import SpecError, UnsupportedError
from podtune.storage.bundle import lock_sha256
from podtune.testing.account import Happening
from podtune.testing.cloud import Cloud
from podtune.testing.faults import FaultKind, FaultRule, parse_rule
from podtune.testing.options import KEY, CloudOptions
from podtune.testing.process_pods import ProcessPods
from podtune.testing.serverless.service import attach

LOOPBACK: Final = ("127.0.0.1", "localhost")
PULL_PART: Final = Decimal("0.6")
"""Of the time to boot, how much an image is pulled."""

IMAGE: Final = f"podtune/worker:{__version__}"
"""Stands for an image of ours with everything installed: nothing is fetched at the start of a pod."""

LOOK_S: Final = 0.2
COLOURS: Final[Mapping[str, str]] = {
    "created": "cyan",
    "running": "green",
    "fault": "magenta",
    "error": "red",
    "stuck": "red",
    "no capacity": "yellow",
    "terminated": "yellow",
}

dev = typer.Typer(
    name="dev",
    help="For developers of applications: a whole cloud on this machine, free of charge.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@dev.callback()
def root() -> None:
    """For developers of applications: a whole cloud on this machine, free of charge."""


@dev.command()
def cloud(  # noqa: PLR0913 - a command's parameters are its options
    port: Annotated[
        int,
        typer.Option("--port", "-p", min=0, max=65535, help="Port of 127.0.0.1; 0 for a free one."),
    ] = 8460,
    host: Annotated[
        str, typer.Option("--host", help="127.0.0.1; another address is refused: it runs programs.")
    ] = LOOPBACK[0],
    folder: Annotated[
        Path | None,
        typer.Option("--folder", help="Where disks of pods and volumes lie; a temporary folder."),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option("--seed", help="Of ids, data centres and faults; by chance when not given."),
    ] = None,
    fault: Annotated[
        list[str] | None,
        typer.Option(
            "--fault",
            metavar="RULE",
            help="What goes wrong, such as after_effect,route=create_pod,nth=1. Kinds: "
            + ", ".join(FaultKind)
            + ".",
        ),
    ] = None,
    balance: Annotated[
        float, typer.Option("--balance", min=0, help="Dollars on the account.")
    ] = 25.0,
    boot_s: Annotated[
        float, typer.Option("--boot-s", min=0, help="Seconds from create to the container's start.")
    ] = 3.0,
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave the folder of pods and volumes as it is.")
    ] = False,
    bind_mounts: Annotated[
        bool,
        typer.Option(
            "--bind-mounts", help="Put volumes at their real path, where Linux allows that."
        ),
    ] = False,
    output: Annotated[
        Output, typer.Option("--output", help="For people or for programs.")
    ] = Output.HUMAN,
) -> None:
    """Start a stand-in RunPod on this machine: REST v2, serverless, GraphQL, and pods that execute.

    Prints the variables that lead podtune and RunPod's own SDK to it. Pods are processes of this machine;
    all of them end with it.
    """
    if host not in LOOPBACK:
        raise SpecError(
            f"the stand-in cloud listens on this machine only, not on {host!r}",
            code="not_loopback",
            hint="whoever reaches it can run programs as you; podtune dev cloud --port PORT",
        )
    options = CloudOptions(
        api_keys=frozenset({KEY}),
        balance_usd=Decimal(str(balance)),
        provisioning_s=float(Decimal(str(boot_s)) * (1 - PULL_PART)),
        pull_s=float(Decimal(str(boot_s)) * PULL_PART),
    )
    rules = [parse_rule(text) for text in fault or ()]
    with _folder(folder, keep=keep) as place:
        seed = secrets.randbelow(2**31) if seed is None else seed  # ids of two clouds differ
        made = laptop_cloud(place, options, seed=seed, faults=rules, bind_mounts=bind_mounts)
        _serve(made, port, place, output, keep=keep)


def laptop_cloud(
    folder: Path,
    options: CloudOptions | None = None,
    *,
    seed: int = 0,
    faults: Sequence[FaultRule] = (),
    bind_mounts: bool = False,
) -> Cloud:
    """A cloud whose pods and workers are processes of this machine, with every part of it."""
    images = {IMAGE: {"PODTUNE_LOCK_SHA256": lock_sha256()}}
    pods = ProcessPods(folder, images, container_environment(), bind_mounts=bind_mounts)
    made = Cloud(None, seed, pods, options, faults=faults)
    attach(made)
    return made


def _serve(made: Cloud, port: int, folder: Path, output: Output, *, keep: bool) -> None:
    try:
        from podtune.testing.server import CloudServer
    except ModuleNotFoundError as error:
        raise UnsupportedError(
            f"the stand-in cloud needs {error.name}, which is not installed",
            code="extra_missing",
            hint="pip install 'podtune[serve]'",
        ) from error
    console = err()
    with _told_to_end() as over, CloudServer(made, port, keep=keep) as server:
        if output is Output.JSON:
            facts = {
                "url": server.url,
                "pid": os.getpid(),
                "folder": str(folder),
                "environment": server.environment(),
            }
            print(json.dumps(facts), flush=True)  # noqa: T201 - the renderer
            over.wait()
            return
        _greet(console, server.url, server.environment(), folder)
        seen = 0
        while not over.wait(LOOK_S):
            seen = _tell(console, made, seen)
    _tell(console, made, seen)
    console.print("the stand-in cloud has ended; nothing of it runs")


def _greet(console: Console, url: str, variables: Mapping[str, str], folder: Path) -> None:
    print_line(console, f"[bold]stand-in cloud[/] at [cyan]{url}[/] [dim]Ctrl-C ends it[/]")
    print_line(console, f"[dim]disks of pods: {plain(str(folder))}[/]")
    print_line(console, "\nIn another terminal:\n")
    for name, value in variables.items():
        console.print(f"export {name}={shlex.quote(value)}", soft_wrap=True, markup=False)
    print_line(console, "\n[bold]next[/]  podtune train FILE --on runpod --budget 1\n")


def _tell(console: Console, made: Cloud, seen: int) -> int:
    """Show what happened since a line of the journal; the number of the last one."""
    for line in made.happenings(seen):
        seen = line.number
        _show(console, line)
    return seen


def _show(console: Console, line: Happening) -> None:
    colour = COLOURS.get(line.what, "dim")
    name = f"{line.name} " if line.name else ""
    print_line(
        console,
        f"[dim]{line.at.astimezone():%H:%M:%S}[/] [{colour}]{line.what:<12}[/] "
        f"{plain(name)}[dim]{plain(line.detail)}[/]",
    )


@contextmanager
def _folder(given: Path | None, *, keep: bool) -> Generator[Path]:
    """Where everything lies; one of our own is deleted at the end unless it is to be kept."""
    if given is not None:
        given.mkdir(parents=True, exist_ok=True)
        yield given.absolute()
        return
    made = Path(tempfile.mkdtemp(prefix="podtune-cloud-"))
    try:
        yield made
    finally:
        if not keep:
            shutil.rmtree(made, ignore_errors=True)


@contextmanager
def _told_to_end() -> Generator[threading.Event]:
    """An event that is set by Ctrl-C, SIGTERM or a closed terminal."""
    over = threading.Event()

    def hear(number: int, frame: FrameType | None) -> None:
        over.set()

    heard = [signal.SIGINT, signal.SIGTERM, *filter(None, [getattr(signal, "SIGHUP", None)])]
    # what the shell had ignored (nohup, a script's background) stays so
    heard = [number for number in heard if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, hear) for number in heard}
    try:
        yield over
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
