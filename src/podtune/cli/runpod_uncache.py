"""`podtune runpod uncache`: find, show, ask, delete."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from podtune.cli.console import Output, err, plain, print_json, print_line
from podtune.core.errors import SpecError

if TYPE_CHECKING:
    from podtune.app.cache_volumes import CacheVolume


def uncache(
    volume: Annotated[str, typer.Argument(metavar="VOLUME", help="Id or name of a model cache.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    output: Annotated[
        Output, typer.Option("--output", help="For people or for programs.")
    ] = Output.HUMAN,
) -> None:
    """Delete a network volume that `podtune runpod cache` filled, with the models on it.

    Nothing brings them back; one that an endpoint uses is refused. Its price each month ends with it.
    """
    from podtune.app import cache_volumes, settings
    from podtune.app.cache_records import CacheRecords
    from podtune.app.deploying import client_of

    records = CacheRecords(settings.load().settings.home)
    with client_of() as client:
        found = cache_volumes.find(client, records, volume)
        print_line(err(), f"[red]-[/] {plain(line(found))}")
        _agree(f"Delete {found.name} and all that is on it?", yes=yes)
        cache_volumes.delete(client, records, found)
    if output is Output.JSON:
        print_json({"deleted": found.id, "usd_per_month": str(found.usd_per_month)})
        return
    print_line(err(), f"[green]gone[/] {plain(found.id)}: absent from RunPod's list")


def line(volume: "CacheVolume") -> str:
    """A cache in one line: what it is, what it costs, what is on it and who uses it."""
    size = f"{volume.size_gb} GB" if volume.size_gb else "of unknown size"
    price = (
        f"${volume.usd_per_month} a month"
        if volume.usd_per_month is not None
        else "billed by the month"
    )
    models = ", ".join(f"{one.model} ({one.gb:g} GB)" for one in volume.models)
    what = models or "nothing that was filled from here"
    users = f"; used by {', '.join(volume.endpoints)}" if volume.endpoints else ""
    place = f" in {volume.data_center}" if volume.data_center else ""
    return f"{volume.name} ({volume.id}), {size}{place}, {price}: {what}{users}"


def _agree(question: str, *, yes: bool) -> None:
    """Go on only if somebody says so.

    Raises:
        SpecError: nobody is there to be asked, and `--yes` was not given.
        typer.Abort: they did not agree.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise SpecError(
            f"nobody is here to be asked: {question}",
            code="confirm_needed",
            hint="read what is shown above, then add --yes",
        )
    typer.confirm(question, abort=True, err=True)
