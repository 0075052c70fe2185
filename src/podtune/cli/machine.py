"""`podtune ssh` and `podtune checkpoints`: looking into a job and its rented machine."""

from pathlib import Path
from typing import Annotated

import typer

from podtune.cli.console import Output, err, out, plain, print_json
from podtune.cli.following import open_service

JobArgument = Annotated[
    str, typer.Argument(metavar="JOB", help="A job's id, the beginning of it, or `last`.")
]
OutputOption = Annotated[Output, typer.Option("--output", help="For people or for programs.")]


def ssh(job: JobArgument, output: OutputOption = Output.HUMAN) -> None:
    """Print the command that opens a shell on a job's rented machine.

    The machine must have been ordered with a shell (--keep-on-failure MIN), and your public key must
    stand in the RunPod account.
    """
    command = open_service().ssh(job)
    if output is Output.JSON:
        print_json({"command": command})
        return
    print(command)  # noqa: T201 - the renderer


def checkpoints(
    job: JobArgument,
    get: Annotated[
        int | None, typer.Option("--get", metavar="STEP", min=0, help="Copy this one.")
    ] = None,
    to: Annotated[
        Path | None, typer.Option("-o", "--to", help="Where to; ./JOB-checkpoint-STEP by itself.")
    ] = None,
    output: OutputOption = Output.HUMAN,
) -> None:
    """List a job's sealed checkpoints, here and on its rented machine, or copy one."""
    service = open_service()
    found = service.job(job)
    if get is not None:
        target = to or Path(f"{found.id}-checkpoint-{get}")
        path = service.checkpoint(found.id, get, target)
        if output is Output.JSON:
            print_json({"path": str(path)})
        else:
            print(path)  # noqa: T201 - the renderer
        return
    listed = service.checkpoints(found.id)
    if output is Output.JSON:
        print_json([one._asdict() for one in listed])
        return
    if not listed:
        err().print(f"no sealed checkpoint of {found.id} yet")
        return
    for one in listed:
        where = "here" if one.here else "on its machine"
        out().print(f"step {one.step:<8} {one.size_bytes / 1e6:>10.1f} MB  {where}")
    err().print(f"[bold]next[/]  podtune checkpoints {plain(found.id)} --get {listed[0].step}")
