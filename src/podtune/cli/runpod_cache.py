"""`podtune runpod cache`: parse, plan, ask, fill, render."""

import signal
import sys
from contextlib import contextmanager
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Annotated

import typer

from podtune.app.purposes import REFERENCE_MODEL
from podtune.cli import runpod_cache_view as view
from podtune.cli.console import Output, print_json
from podtune.core.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Generator
    from types import FrameType

    from podtune.app.model_cache import CachePlan, CacheResult, CacheWish, ModelCache, Prepared
    from podtune.app.settings import Settings
    from podtune.providers.runpod.client import RunPodClient


def cache(  # noqa: PLR0913 - a command's parameters are its options
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="A model of the Hub.")
    ] = REFERENCE_MODEL,
    revision: Annotated[
        str | None, typer.Option("--revision", help="Branch, tag or commit; the main branch.")
    ] = None,
    volume: Annotated[
        str | None, typer.Option("--volume", metavar="ID|NAME", help="A volume that is there.")
    ] = None,
    name: Annotated[
        str | None,
        typer.Option("--name", help="Of the volume that is made or reused: qwen-model-cache."),
    ] = None,
    size: Annotated[
        int | None,
        typer.Option("--size", metavar="GB", help="Of the volume; by the model's files."),
    ] = None,
    data_center: Annotated[
        str | None, typer.Option("--data-center", metavar="DC", help="By stock of the card.")
    ] = None,
    gpu: Annotated[
        str | None,
        typer.Option("--gpu", metavar="CARD", help="The workers' card; A100 80GB, then H100."),
    ] = None,
    hours: Annotated[
        float, typer.Option("--hours", help="The machine lives no longer than this.")
    ] = 6.0,
    budget: Annotated[
        str | None, typer.Option("--budget", metavar="USD", help="The machine costs no more.")
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Look on the volume even if it was filled from here.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show the plan.")] = False,
    output: Annotated[
        Output, typer.Option("--output", help="For people or for programs.")
    ] = Output.HUMAN,
) -> None:
    """Fill a network volume with a model, so that serverless workers load it from there.

    Makes the volume or takes the one of that name, rents a machine (without a card where one is free) that
    fetches and compares the files, and ends it. Run again, it goes on where it left off.
    """
    from podtune.app import model_cache
    from podtune.app import settings as environment
    from podtune.providers.runpod.client import RunPodClient

    wish = model_cache.CacheWish(
        model, revision, volume, name, size, data_center, gpu, hours, _usd(budget), check
    )
    home = environment.load().settings
    with RunPodClient(environment.runpod_access()) as client, _ended_by_signals():
        made = model_cache.ModelCache(home, client)
        prepared = made.prepare(wish)
        if dry_run:
            view.show_plan(prepared.plan, output)
            return
        if output is Output.HUMAN:
            view.render_plan(prepared.plan)
        _confirm(prepared.plan, yes=yes)
        result = _filled(made, wish, prepared, home, client)
    if output is Output.JSON:
        print_json(result.model_dump(mode="json"))
        return
    view.render_result(result)


def _filled(
    made: "ModelCache",
    wish: "CacheWish",
    prepared: "Prepared",
    home: "Settings",
    client: "RunPodClient",
) -> "CacheResult":
    """Carry the plan out, with what comes shown as it comes."""
    from podtune.app.cache_machine import Tools
    from podtune.app.cache_records import CacheRecords
    from podtune.providers.runpod.pods import RunPodProvider

    meter = view.Meter()
    tools = Tools(
        RunPodProvider(client, home),
        client.access,
        CacheRecords(home.home),
        say=view.say,
        on_progress=meter.tell,
    )
    return made.carry_out(wish, prepared, tools)


@contextmanager
def _ended_by_signals() -> "Generator[None]":
    """SIGTERM ends the machine as Ctrl-C does, instead of leaving it to the reaper."""

    def hear(number: int, frame: "FrameType | None") -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, hear)
    try:
        yield
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    finally:
        signal.signal(signal.SIGTERM, before)


def _usd(text: str | None) -> Decimal | None:
    if text is None:
        return None
    try:
        return Decimal(text.strip().removeprefix("$"))
    except InvalidOperation:
        raise SpecError(
            f"--budget is an amount in dollars, not {text!r}", code="bad_option"
        ) from None


def _confirm(plan: "CachePlan", *, yes: bool) -> None:
    """Nothing is made or rented before somebody agreed to it.

    Raises:
        SpecError: nobody is there to be asked.
        typer.Abort: they did not agree.
    """
    if yes or (plan.is_filled and plan.volume.action == "keep"):
        return
    words = view.words(plan)
    if not sys.stdin.isatty():
        raise SpecError(
            f"this costs money: {words}; nobody is here to agree",
            code="confirm_needed",
            hint="read the plan (--dry-run), then add --yes",
        )
    typer.confirm(f"{words[0].upper()}{words[1:]}?", abort=True, err=True)
