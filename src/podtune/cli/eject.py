"""`podtune eject`: a job as a folder that trains anywhere."""

from pathlib import Path
from typing import Annotated

import typer

from podtune.cli.console import Output, err, print_json
from podtune.cli.planning import (
    EpochsOption,
    ModelOption,
    OutputOption,
    SetOption,
    SkipOption,
    Source,
)


def eject(  # noqa: PLR0913 - a command's parameters are its options
    source: Source,
    to: Annotated[Path, typer.Option("-o", "--to", help="The folder to write; a new one.")],
    model: ModelOption = None,
    card: Annotated[
        str | None,
        typer.Option("--card", metavar="NAME", help="Plan for this card, e.g. 'NVIDIA L40S'."),
    ] = None,
    vram: Annotated[
        float | None,
        typer.Option(
            "--vram", metavar="GIB", min=1, help="Plan for any card with so much memory (24)."
        ),
    ] = None,
    cpu: Annotated[bool, typer.Option("--cpu", help="Plan for a processor like this one.")] = False,
    epochs: EpochsOption = None,
    sets: SetOption = None,
    skip_bad_rows: SkipOption = False,
    output: OutputOption = Output.HUMAN,
) -> None:
    """Write a folder that trains this job on any GPU machine, without podtune and without us."""
    from podtune.app import eject as ejecting
    from podtune.app import settings
    from podtune.app.planner import source_request
    from podtune.cli import plan_view
    from podtune.intake.resolve import parse_assignment

    stated: dict[str, object] = {} if model is None else {"base_model.name": model}
    stated |= {} if epochs is None else {"training.epochs": epochs}
    stated |= {"data.on_bad_rows": "skip"} if skip_bad_rows else {}
    stated |= dict(parse_assignment(text) for text in sets or ())
    loaded = settings.load().settings
    target = ejecting.Target(card, vram, cpu)
    made = ejecting.plan(source_request(source, stated), target, loaded)
    folder = ejecting.eject(made, to.expanduser().absolute(), loaded)
    if output is Output.JSON:
        print_json({"folder": str(folder), "plan_digest": made.digest})
        return
    plan_view.render(err(), made, brief=True, elsewhere=True)
    err().print(f"[bold]next[/]  copy {folder.name} to the machine, then: bash train.sh")
    print(folder)  # noqa: T201 - the renderer
