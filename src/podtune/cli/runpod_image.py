"""`podtune runpod image`: parse, call, render."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from podtune.cli.console import Output, err, out, plain, print_json, print_line

if TYPE_CHECKING:
    from podtune.app.worker_image import WorkerImage


def image(  # noqa: PLR0913 - one parameter an option
    tag: Annotated[
        str | None,
        typer.Option(
            "--tag",
            "-t",
            metavar="NAME:VERSION",
            help="The image's name, such as yourname/podtune-worker:v1.",
        ),
    ] = None,
    push: Annotated[
        bool, typer.Option("--push", help="Push it afterwards, by your own login at the registry.")
    ] = False,
    base: Annotated[
        str, typer.Option("--base", metavar="IMAGE", help="The image to start from; by digest too.")
    ] = "auto",
    build_args: Annotated[
        list[str] | None,
        typer.Option(
            "--build-arg",
            metavar="NAME=VALUE",
            help="GPU=0, RUN_AS=worker, SOURCE=address; several times.",
        ),
    ] = None,
    pip_config: Annotated[
        Path | None,
        typer.Option(
            "--pip-config",
            metavar="FILE",
            help="pip's configuration for a private index; in no layer.",
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what would be sent and run.")
    ] = False,
    output: Annotated[
        Output, typer.Option("--output", help="For people or for programs.")
    ] = Output.HUMAN,
) -> None:
    """Build the serverless worker's image with docker or buildah, and push it.

    Only podtune, the worker's files and their locks go to the builder. Libraries are installed by hash.
    """
    from podtune.app import worker_image

    wish = worker_image.ImageWish(
        base=base, push=push, arguments=tuple(build_args or ()), pip_config=pip_config
    )
    wish = wish.model_copy(update={"tag": tag}) if tag else wish
    made = worker_image.build(wish, _tell, dry_run=dry_run)
    if output is Output.JSON:
        print_json({**made.model_dump(mode="json"), "reference": made.reference})
    else:
        _render(made)


def _tell(line: str) -> None:
    """A line of the tool, while it works."""
    print_line(err(), f"[dim]{plain(line)}[/]")


def _render(made: "WorkerImage") -> None:
    """The image to stdout, what to do next to stderr."""
    from podtune.core.units import gib

    sent = f"{made.context_files} files, {made.context_bytes / 1e6:.1f} MB, sha256 {made.context_sha256[:12]}"
    rows = [("base", made.base), ("sent", f"{sent} (to {made.tool})"), ("revision", made.revision)]
    if made.size_bytes is not None:
        rows.append(("size", gib(made.size_bytes)))
    if made.digest:
        rows.append(("pushed", made.digest))
    print_line(out(), f"[bold]image[/] {plain(made.tag)}")
    for name, value in rows:
        print_line(out(), f"  {name:<9} {plain(value)}")
    if made.size_bytes is None:
        for command in made.commands:
            print_line(out(), f"  {'would run':<9} {plain(shlex.join(command))}")
        print_line(err(), "[bold]next[/]  run this again without --dry-run")
    elif made.digest:
        print_line(err(), f"[bold]next[/]  podtune runpod deploy --image {plain(made.reference)}")
    else:
        again = f"podtune runpod image --tag {made.tag} --push"
        print_line(
            err(),
            f"[bold]next[/]  {plain(again)}, then podtune runpod deploy --image {plain(made.tag)}",
        )
