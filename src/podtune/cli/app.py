"""The commands. Each parses, calls one verb of the service, and renders.

Whatever is heavy is imported inside the command that needs it: `--help` stays instant.
"""

import sys
from pathlib import Path
from typing import Annotated

import typer

from podtune.app.purposes import REFERENCE_MODEL, Purpose
from podtune.cli import approve, ask, drive, eject, machine, planning, reap
from podtune.cli.callbacks import callbacks
from podtune.cli.console import Output, err, out, plain, print_json, print_line
from podtune.cli.data import data
from podtune.cli.following import open_service, say_amiss, say_detached, say_leaks, watch_to_end
from podtune.cli.import_openai import importing
from podtune.cli.keys import keys
from podtune.cli.runpod import runpod

app = typer.Typer(
    name="podtune",
    help="From your data to a LoRA adapter: planned, trained, proved, with a signed receipt.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

JobArgument = Annotated[
    str, typer.Argument(metavar="JOB", help="A job's id, the beginning of it, or `last`.")
]
OutputOption = Annotated[Output, typer.Option("--output", help="For people or for programs.")]
app.command()(planning.plan)
app.command()(planning.train)
app.command()(ask.ask)
app.command()(approve.approve)
app.command()(eject.eject)
app.command()(machine.ssh)
app.command()(drive.drive)
app.command()(machine.checkpoints)
app.command()(reap.reap)
app.add_typer(data)
app.add_typer(runpod)
app.add_typer(callbacks)
app.add_typer(keys)
app.add_typer(importing)


def _version(wanted: bool) -> None:
    if wanted:
        from podtune import __version__

        print(__version__)  # noqa: T201 - the renderer
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """From your data to a LoRA adapter."""


@app.command()
def jobs(
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many.")] = 20,
    output: OutputOption = Output.HUMAN,
) -> None:
    """List jobs, the newest first."""
    from podtune.cli import job_view

    service = open_service()
    found = service.jobs(limit)
    rented = service.standings(found)
    say_amiss(service)
    if output is Output.JSON:
        print_json([job_view.job_json(job, rented.get(job.id)) for job in found])
        return
    if not found:
        err().print("no jobs yet\n[bold]next[/]  podtune train FILE")
        return
    amiss = service.callback_words(*found, amiss=True)
    job_view.render_jobs(out(), found, rented, amiss)


@app.command()
def status(job: JobArgument, output: OutputOption = Output.HUMAN) -> None:
    """Show how a job stands."""
    from podtune.cli import job_view

    service = open_service()
    found = service.job(job)
    current = service.status(found.id)
    if output is Output.JSON:
        print_json(current.model_dump(mode="json"))
        return
    standing = service.standing(found) if found.is_rented else None
    told = service.callback_words(found).get(found.id)
    job_view.render_status(out(), found, current, service.folded(found), standing, told)
    if standing is None:
        say_amiss(service)


@app.command()
def watch(job: JobArgument, output: OutputOption = Output.HUMAN) -> None:
    """Watch a job until it ends. Ctrl-C detaches."""
    service = open_service()
    watch_to_end(service, service.job(job), output)


@app.command()
def logs(
    job: JobArgument,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Until the job ends.")] = False,
) -> None:
    """Print the worker's own output, then what the workflow did."""
    service = open_service()
    try:
        for block in service.logs(job, follow=follow):
            sys.stdout.write(block)
            sys.stdout.flush()
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    for entry in service.log(job):
        time = f"{entry.time.astimezone():%H:%M:%S}"
        told = f"[dim]{time} attempt {entry.attempt} {entry.phase}:[/] {plain(entry.message)}"
        print_line(err(), told)


@app.command()
def cancel(job: JobArgument, output: OutputOption = Output.HUMAN) -> None:
    """Cancel a job: ends every process of it and proves that none is left."""
    from podtune.cli.job_view import job_json
    from podtune.core.states import Outcome

    service = open_service()
    wished = service.cancel(job)
    ended = service.wait(wished.id)
    standing = service.standing(ended) if ended.is_rented else None
    if output is Output.JSON:
        print_json(job_json(ended, standing))
        return
    if ended.outcome is Outcome.COMPLETED:
        err().print(f"{ended.id} had completed before it could be cancelled")
        err().print(f"[bold]next[/]  podtune artifact {ended.id}")
        return
    if standing is not None:
        gone = ended.proof.method if ended.proof else "nothing was rented"
        money = plain(standing.money())
        err().print(f"[yellow]{ended.outcome}[/] {ended.id}: {plain(gone)}; cost {money}")
    else:
        number = ended.proof.ended if ended.proof else 0
        what = f"{number} processes ended" if number else "nothing was running"
        err().print(f"[yellow]{ended.outcome}[/] {ended.id}: {what}; no process of it is left")
    err().print(f"[bold]next[/]  podtune resume {ended.id}")


@app.command()
def resume(
    job: JobArgument,
    detach: Annotated[bool, typer.Option("--detach", help="Start and return at once.")] = False,
    output: OutputOption = Output.HUMAN,
) -> None:
    """Go on with a job that failed or was cancelled, from its last checkpoint."""
    service = open_service()
    say_leaks(service)
    reopened = service.resume(job)
    if detach:
        say_detached(reopened, output)
        return
    watch_to_end(service, reopened, output)


@app.command()
def artifact(
    job: JobArgument,
    to: Annotated[
        str | None,
        typer.Option(
            "-o",
            "--to",
            help="Copy it to this folder, into this .tar.gz, or to hf://, s3:// or supabase://.",
        ),
    ] = None,
    output: OutputOption = Output.HUMAN,
) -> None:
    """Show where a completed job's adapter is, verified, or copy or deliver it."""
    service = open_service()
    if to is not None and "://" in to:
        done = service.deliver(job, to)
        if output is Output.JSON:
            print_json(done.model_dump(mode="json"))
            return
        print(done.link or done.uri)  # noqa: T201 - the renderer
        return
    folder = service.artifact(job, Path(to) if to else None)
    if output is Output.JSON:
        print_json({"path": str(folder)})
        return
    print(folder)  # noqa: T201 - the renderer


@app.command()
def receipt(
    job: Annotated[str, typer.Argument(metavar="JOB", help="A job, or an artifact's folder.")],
    verify: Annotated[
        bool, typer.Option("--verify", help="Check signature, files and proof.")
    ] = False,
    output: OutputOption = Output.HUMAN,
) -> None:
    """Show a job's signed receipt and what it cost in the end, or check it."""
    from podtune.cli import job_view

    service = open_service()
    if verify:
        checked = service.verify_receipt(job)
        if output is Output.JSON:
            signed_by = service.signer(job)
            print_json({"valid": True, "signed_by": signed_by, "checked": checked})
            return
        for line in checked:
            out().print(f"[green]✓[/] {plain(line)}", soft_wrap=True)
        return
    signed, standing = service.receipt(job).model_dump(mode="json"), service.settlement(job)
    if output is Output.JSON:
        print_json(signed | {"settlement": standing.figures() if standing else None})
        return
    print_json(signed)
    for line in job_view.settlement(standing) if standing else ():
        print_line(err(), line)


@app.command()
def chat(
    job: Annotated[str, typer.Argument(metavar="JOB", help="A job, or an artifact's folder.")],
) -> None:
    """Talk to a trained adapter; /base switches it off and on."""
    from podtune.app import wiring
    from podtune.app.chat_program import ChatProgram
    from podtune.cli import chat_view

    service = open_service()
    folder = service.chat_folder(job)
    program = ChatProgram(
        wiring.worker_folder() / "chat.py",
        folder,
        service.settings.models,
        wiring.program_environment(),
    )
    try:
        with err().status("loading the model"):
            program.wait_ready()
        err().print(f"[dim]{chat_view.HELP}[/]")
        chat_view.converse(out(), program, chat_view.typed_lines(err(), "you"))
    finally:
        program.close()


@app.command()
def doctor(
    purpose: Annotated[
        Purpose | None,
        typer.Option("--for", help="Only what this needs, asked of those who know."),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option("--model", "-m", help="Base model of serverless workers, with --for."),
    ] = None,
    output: OutputOption = Output.HUMAN,
) -> None:
    """Check this installation and say the next step where something is missing."""
    from podtune.app import doctor as checks
    from podtune.app import prerequisites, settings

    loaded = settings.load()
    if purpose is None:
        found = checks.examine(loaded)
    else:
        found = prerequisites.examine(loaded, purpose, model or REFERENCE_MODEL)
    if output is Output.JSON:
        print_json([check.model_dump(mode="json") for check in found])
    else:
        marks = {"ok": "[green]✓[/]", "note": "[dim]-[/]", "bad": "[red]✗[/]"}
        for check in found:
            print_line(
                out(), f"{marks[check.state]} [bold]{check.name:<26}[/] {plain(check.found)}"
            )
            if check.next_step:
                print_line(out(), f"  {'':<26} [cyan]{plain(check.next_step)}[/]")
    if any(check.state == "bad" for check in found):
        raise typer.Exit(1)
