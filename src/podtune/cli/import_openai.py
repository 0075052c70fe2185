"""`podtune import openai`: an account of the hosted fine-tuning API, brought over."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from podtune.cli.console import Output, err, out, plain, print_json
from podtune.cli.planning import BudgetOption, GpuOption, OnOption

if TYPE_CHECKING:
    from podtune.app.import_openai import Brought, Found

importing = typer.Typer(
    name="import",
    help="Bring what was trained elsewhere over.",
    no_args_is_help=True,
)


@importing.callback()
def root() -> None:
    """Bring what was trained elsewhere over."""


@importing.command("openai")
def import_openai(  # noqa: PLR0913 - a command's parameters are its options
    base_model: Annotated[
        str | None,
        typer.Option("--base-model", "-m", help="Open model that stands for all of the account's."),
    ] = None,
    to: Annotated[
        Path | None, typer.Option("--to", "-o", help="The folder; openai-import by default.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what there is; download nothing.")
    ] = False,
    replay: Annotated[
        str | None, typer.Option("--replay", metavar="JOB", help="Train this job again, here.")
    ] = None,
    on: OnOption = None,
    budget: BudgetOption = None,
    gpu: GpuOption = None,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="With --replay: start without asking.")
    ] = False,
    detach: Annotated[
        bool, typer.Option("--detach", help="With --replay: start and return at once.")
    ] = False,
    output: Annotated[Output, typer.Option("--output", help="For people or for programs.")] = (
        Output.HUMAN
    ),
) -> None:
    """Read files and fine-tuning jobs of an account (OPENAI_API_KEY), download them, write specs.

    Nothing in the account is changed.
    """
    from podtune.app import import_openai as importer
    from podtune.app import settings as settings_module

    settings = settings_module.load().settings
    source = importer.account(*settings_module.openai_access())
    found = importer.look(source, settings, base_model)
    if replay is not None:
        found = importer.chosen(found, replay)
    if dry_run:
        _show(found, None, output)
        return
    brought = importer.bring(source, found, to or Path(importer.FOLDER))
    if replay is None:
        _show(found, brought, output)
        return
    _train(replay, brought, on=on, budget=budget, gpu=gpu, yes=yes, detach=detach, output=output)


def _train(job: str, brought: "Brought", **options: Any) -> None:
    """Train a job's spec as `podtune train` does: it shows the plan and asks."""
    from podtune.cli.planning import train
    from podtune.core.errors import SpecError

    if job not in brought.specs:
        raise SpecError(
            f"job {job!r} cannot be trained again: {brought.lacking.get(job, 'it has no spec')}",
            code="not_replayable",
            hint="name the open model: --base-model org/name",
        )
    train(str(brought.specs[job]), **options)


def _show(found: "Found", brought: "Brought | None", output: Output) -> None:
    if output is Output.JSON:
        print_json(_figures(found, brought))
        return
    if not found.jobs:
        err().print(f"no fine-tuning job in the account; {len(found.files)} training files")
        return
    for one in found.jobs:
        job = one.job
        result = job.fine_tuned_model or "-"
        out().print(
            f"[bold]{plain(job.id)}[/]  {plain(job.status)}  {plain(job.kind)}  {plain(job.model)} -> "
            f"{plain(one.base_model or '?')}  {plain(result)}",
            soft_wrap=True,
        )
        for path, value in one.stated.items():
            out().print(f"    {path}: {plain(str(value))}", soft_wrap=True)
        for note in one.notes:
            out().print(f"    [yellow]{plain(note)}[/]", soft_wrap=True)
    if brought is None:
        err().print("[bold]next[/]  podtune import openai")
        return
    for name, why in brought.lacking.items():
        err().print(f"[yellow]not brought[/]  {plain(name)}: {plain(why)}", soft_wrap=True)
    for path in brought.specs.values():
        err().print(f"[bold]next[/]  podtune train {plain(str(path))}", soft_wrap=True)


def _figures(found: "Found", brought: "Brought | None") -> dict[str, object]:
    told: dict[str, object] = {
        "files": [one.model_dump() for one in found.files],
        "jobs": [
            {
                "id": one.job.id,
                "status": one.job.status,
                "method": one.job.kind,
                "model": one.job.model,
                "fine_tuned_model": one.job.fine_tuned_model,
                "base_model": one.base_model,
                "stated": dict(one.stated),
                "notes": list(one.notes),
            }
            for one in found.jobs
        ],
    }
    if brought is not None:
        told["brought"] = {
            "files": {name: str(path) for name, path in brought.files.items()},
            "specs": {name: str(path) for name, path in brought.specs.items()},
            "lacking": dict(brought.lacking),
        }
    return told
