"""`podtune runpod`: what can be rented, what of ours exists there, images, volumes and endpoints.

Each command parses, calls, renders.
"""

from typing import Annotated

import typer

from podtune.cli import runpod_cache, runpod_deploy, runpod_image, runpod_uncache
from podtune.cli.console import Output

runpod = typer.Typer(
    name="runpod",
    help="RunPod: what can be rented at what price, what of yours is there, serverless.",
    no_args_is_help=True,
)

OutputOption = Annotated[Output, typer.Option("--output", help="For people or for programs.")]


@runpod.callback()
def root() -> None:
    """RunPod: what can be rented at what price, what of yours is there, serverless."""


runpod.command()(runpod_image.image)
runpod.command()(runpod_cache.cache)
runpod.command()(runpod_uncache.uncache)
runpod.command()(runpod_deploy.deploy)
runpod.command()(runpod_deploy.verify)
runpod.command()(runpod_deploy.undeploy)


@runpod.command()
def audit(output: OutputOption = Output.HUMAN) -> None:
    """List everything of the account that carries podtune's name: owner, job, age, price, proof."""
    from podtune.app import account, settings
    from podtune.cli import runpod_view

    found = account.audit(settings.load().settings)
    runpod_view.render_audit(found, output)


@runpod.command()
def gpus(
    fits: Annotated[
        str | None,
        typer.Option(
            "--fits", metavar="SOURCE", help="Data or a spec: time and cost of this job on each."
        ),
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", "-m", help="Base model of the job, with --fits.")
    ] = None,
    sets: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Any field of the spec."),
    ] = None,
    show_all: Annotated[
        bool, typer.Option("--all", help="Also what cannot be taken, and why.")
    ] = False,
    output: OutputOption = Output.HUMAN,
) -> None:
    """List the cards that can be rented now: memory, price, stock; with --fits, for a job."""
    from podtune.app import renting, settings
    from podtune.cli import price_view

    home = settings.load().settings
    with renting.shop(home) as shop:
        found = renting.cards(home, shop, renting.asked(fits, model, sets))
    price_view.render_cards(found, show_all=show_all, output=output)
