"""The commands. Each parses, calls one verb of the service, and renders.

Whatever is heavy is imported inside the command that needs it: `--help` stays instant.
"""

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from podtune.cli import choices
from podtune.cli.console import Output, err, out, plain, print_json, print_line
from podtune.cli.data import FormatOption, MapOption, MemberOption, SheetOption, SpeakerOption, data

if TYPE_CHECKING:
    from podtune.app.service import Service
    from podtune.core.job import Job
    from podtune.core.plan import Plan

app = typer.Typer(
    name="podtune",
    help="From your data to a LoRA adapter: planned, trained, proved, with a signed receipt.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Source = Annotated[
    str, typer.Argument(help="Data: a file, folder, pattern or address; or a spec (.yaml).")
]
JobArgument = Annotated[
    str, typer.Argument(metavar="JOB", help="A job's id, the beginning of it, or `last`.")
]
OutputOption = Annotated[Output, typer.Option("--output", help="For people or for programs.")]
ModelOption = Annotated[
    str | None, typer.Option("--model", "-m", help="Base model: a Hub name or a folder.")
]
OnOption = Annotated[str | None, typer.Option("--on", help="Where: local.")]
EpochsOption = Annotated[float | None, typer.Option("--epochs", help="Passes over the data.")]
MinutesOption = Annotated[
    float | None, typer.Option("--minutes", help="Train about so long; says what is left out.")
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Any field of the spec, e.g. adapter.rank=8."),
]
FixOption = Annotated[
    list[str] | None,
    typer.Option("--fix", metavar="NAME", help="Repair the data, by name, or `all`."),
]
SkipOption = Annotated[
    bool, typer.Option("--skip-bad-rows", help="Train on the good rows when some are bad.")
]
FieldsOption = Annotated[bool, typer.Option("--fields", help="Show every field of the spec.")]

app.add_typer(data)


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
def plan(  # noqa: PLR0913 - a command's parameters are its options
    source: Source,
    model: ModelOption = None,
    on: OnOption = None,
    epochs: EpochsOption = None,
    minutes: MinutesOption = None,
    sets: SetOption = None,
    skip_bad_rows: SkipOption = False,
    fix: FixOption = None,
    columns: MapOption = None,
    speaker: SpeakerOption = None,
    sheet: SheetOption = None,
    member: MemberOption = None,
    format_: FormatOption = None,
    fields: FieldsOption = False,
    output: OutputOption = Output.HUMAN,
) -> None:
    """Show what a training would do, need and take. Changes nothing."""
    from podtune.cli import plan_view

    said = _said_of_data(columns, fix, speaker=speaker, sheet=sheet, member=member, format=format_)
    stated = said | _stated(model, on, epochs, sets, skip_bad_rows)
    made, picked = _plan(_service(), source, stated, minutes, output)
    if output is Output.JSON:
        print_json(plan_view.plan_json(made))
        return
    plan_view.render(out(), made, all_fields=fields)
    options = {"-m": model, "--on": on, "--epochs": epochs, "--minutes": minutes}
    words = [w for flag, value in options.items() if value is not None for w in (flag, str(value))]
    words += [word for text in sets or () for word in ("--set", text)]
    words += _as_flags(said | picked)
    words += ["--skip-bad-rows"] if skip_bad_rows else []
    err().print(
        f"[bold]next[/]  podtune train {plain(shlex.join([source, *words]))}", soft_wrap=True
    )


@app.command()
def train(  # noqa: PLR0913 - a command's parameters are its options
    source: Source,
    model: ModelOption = None,
    on: OnOption = None,
    epochs: EpochsOption = None,
    minutes: MinutesOption = None,
    sets: SetOption = None,
    skip_bad_rows: SkipOption = False,
    fix: FixOption = None,
    columns: MapOption = None,
    speaker: SpeakerOption = None,
    sheet: SheetOption = None,
    member: MemberOption = None,
    format_: FormatOption = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Start without asking.")] = False,
    detach: Annotated[bool, typer.Option("--detach", help="Start and return at once.")] = False,
    output: OutputOption = Output.HUMAN,
) -> None:
    """Train an adapter on your data: plan, train, prove, sign. Ctrl-C detaches, never cancels."""
    from podtune.cli import plan_view

    service = _service()
    said = _said_of_data(columns, fix, speaker=speaker, sheet=sheet, member=member, format=format_)
    stated = said | _stated(model, on, epochs, sets, skip_bad_rows)
    made, _ = _plan(service, source, stated, minutes, output)
    if output is Output.HUMAN:
        plan_view.render(err(), made, brief=True)
    _confirm_long(made, yes=yes, minutes=minutes)
    job = service.submit(made, digest=made.digest)
    if output is Output.HUMAN:
        err().print(f"job [bold]{job.id}[/] [dim]runs by itself; Ctrl-C only stops watching[/]")
    if detach:
        _detached(job, output)
        return
    _follow(service, job, output)


@app.command()
def jobs(
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many.")] = 20,
    output: OutputOption = Output.HUMAN,
) -> None:
    """List jobs, the newest first."""
    from podtune.cli import job_view

    found = _service().jobs(limit)
    if output is Output.JSON:
        print_json([job_view.job_json(job) for job in found])
        return
    if not found:
        err().print("no jobs yet\n[bold]next[/]  podtune train FILE")
        return
    job_view.render_jobs(out(), found)


@app.command()
def status(job: JobArgument, output: OutputOption = Output.HUMAN) -> None:
    """Show how a job stands."""
    from podtune.cli import job_view

    service = _service()
    found = service.job(job)
    current = service.status(found.id)
    if output is Output.JSON:
        print_json(current.model_dump(mode="json"))
        return
    job_view.render_status(out(), found, current, service.folded(found))


@app.command()
def watch(job: JobArgument, output: OutputOption = Output.HUMAN) -> None:
    """Watch a job until it ends. Ctrl-C detaches."""
    service = _service()
    _follow(service, service.job(job), output)


@app.command()
def logs(
    job: JobArgument,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Until the job ends.")] = False,
) -> None:
    """Print the worker's own output, then what the workflow did."""
    service = _service()
    try:
        for block in service.logs(job, follow=follow):
            sys.stdout.write(block)
            sys.stdout.flush()
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    for entry in service.log(job):
        time = f"{entry.time.astimezone():%H:%M:%S}"
        err().print(f"[dim]{time} attempt {entry.attempt} {entry.phase}:[/] {plain(entry.message)}")


@app.command()
def cancel(job: JobArgument, output: OutputOption = Output.HUMAN) -> None:
    """Cancel a job: ends every process of it and proves that none is left."""
    from podtune.cli.job_view import job_json
    from podtune.core.states import Outcome

    service = _service()
    wished = service.cancel(job)
    ended = service.wait(wished.id)
    if output is Output.JSON:
        print_json(job_json(ended))
        return
    if ended.outcome is Outcome.COMPLETED:
        err().print(f"{ended.id} had completed before it could be cancelled")
        err().print(f"[bold]next[/]  podtune artifact {ended.id}")
        return
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
    service = _service()
    reopened = service.resume(job)
    if detach:
        _detached(reopened, output)
        return
    _follow(service, reopened, output)


@app.command()
def artifact(
    job: JobArgument,
    to: Annotated[
        Path | None,
        typer.Option("-o", "--to", help="Copy it to this folder, or into this .tar.gz."),
    ] = None,
    output: OutputOption = Output.HUMAN,
) -> None:
    """Show where a completed job's adapter is, verified, or copy it."""
    folder = _service().artifact(job, to)
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
    """Show a job's signed receipt, or check it."""
    service = _service()
    if verify:
        checked = service.verify_receipt(job)
        if output is Output.JSON:
            signed_by = service.signer(job)
            print_json({"valid": True, "signed_by": signed_by, "checked": checked})
            return
        for line in checked:
            out().print(f"[green]✓[/] {plain(line)}", soft_wrap=True)
        return
    print_json(service.receipt(job).model_dump(mode="json"))


@app.command()
def chat(
    job: Annotated[str, typer.Argument(metavar="JOB", help="A job, or an artifact's folder.")],
) -> None:
    """Talk to a trained adapter; /base switches it off and on."""
    from podtune.app import wiring
    from podtune.cli import chat_view

    service = _service()
    folder = service.chat_folder(job)
    program = chat_view.ChatProgram(
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
def doctor(output: OutputOption = Output.HUMAN) -> None:
    """Check this installation and say the next step where something is missing."""
    from podtune.app import doctor as checks
    from podtune.app import settings

    found = checks.examine(settings.load())
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


def _service() -> "Service":
    from podtune.app import settings
    from podtune.app.service import Service

    return Service(settings.load().settings)


def _stated(
    model: str | None,
    on: str | None,
    epochs: float | None,
    sets: list[str] | None,
    skip_bad_rows: bool,
) -> dict[str, object]:
    """What the flags state, by spec path; --set wins over a flag of the same field."""
    from podtune.intake.resolve import parse_assignment

    flags: dict[str, object | None] = {
        "base_model.name": model,
        "where.on": on,
        "training.epochs": epochs,
        "data.on_bad_rows": "skip" if skip_bad_rows else None,
    }
    stated = {path: value for path, value in flags.items() if value is not None}
    stated.update(parse_assignment(text) for text in sets or ())
    return stated


def _said_of_data(
    columns: list[str] | None, fix: list[str] | None, **named: str | None
) -> dict[str, object]:
    """What the flags say of how the data is read, by spec path."""
    from podtune.cli.data import mapped_columns

    said: dict[str, object | None] = {f"data.{name}": value for name, value in named.items()}
    said["data.fix"] = ",".join(fix) if fix else None
    mapped = {f"data.columns.{role}": column for role, column in mapped_columns(columns).items()}
    return {path: value for path, value in (said | mapped).items() if value is not None}


def _as_flags(said: dict[str, object]) -> list[str]:
    """The same as words of a command line."""
    words: list[str] = []
    for path, value in said.items():
        name = path.removeprefix("data.")
        role = name.removeprefix("columns.")
        words += ["--map", f"{role}={value}"] if role != name else [f"--{name}", str(value)]
    return words


def _plan(
    service: "Service",
    source: str,
    stated: dict[str, object],
    minutes: float | None,
    output: Output,
) -> "tuple[Plan, dict[str, object]]":
    """Plan; where the data can be read in two ways and somebody is there, ask which is meant.

    Returns the plan, and what was picked by spec path.
    """
    from podtune.app.planner import source_request
    from podtune.core.errors import DatasetError

    picked: dict[str, object] = {}
    while True:
        try:
            return service.plan(source_request(source, stated | picked, minutes)), picked
        except DatasetError as error:
            if not choices.may_ask(error, output):
                raise
            answer = choices.ask(error)
        kind = "data.columns." if answer.is_column else "data."
        picked[f"{kind}{answer.name}"] = answer.value


def _confirm_long(made: "Plan", *, yes: bool, minutes: float | None) -> None:
    """A job of hours asks first, or wants --yes where nobody can be asked."""
    from podtune.core.errors import SpecError
    from podtune.core.units import duration
    from podtune.planning.plan import LONG_S

    if yes or minutes is not None or made.time.training_s <= LONG_S:
        return
    takes = duration(made.time.total_s)
    if sys.stdin.isatty():
        typer.confirm(f"This takes about {takes}. Start?", abort=True, err=True)
        return
    raise SpecError(
        f"this would take about {takes} on this machine",
        code="takes_hours",
        hint="add --minutes 30 to train as much as 30 minutes hold, or --yes to start it all the same",
    )


def _follow(service: "Service", job: "Job", output: Output) -> None:
    """Watch a job to its end and show how it ended."""
    from podtune.cli import job_view, watch_view
    from podtune.core.errors import failure_of
    from podtune.core.states import Outcome

    try:
        if output is Output.HUMAN:
            for other in service.before(job):
                err().print(f"[dim]waits for {other.id}; podtune watch {other.id}[/]")
            watch_view.watch(err(), service.events(job.id, follow=True))
        ended = service.wait(job.id)
    except KeyboardInterrupt:
        err().print(f"\n[dim]detached; the job goes on[/]\n[bold]next[/]  podtune watch {job.id}")
        raise typer.Exit(130) from None
    if ended.outcome is not Outcome.COMPLETED:
        raise failure_of(
            ended.error_code or "training_failed",
            f"job {ended.id} {ended.outcome}: {ended.error_message}",
            (ended.advice or "").replace("JOB", ended.id) or None,
        )
    if output is Output.JSON:
        print_json(job_view.job_json(ended) | {"artifact": str(service.folder(ended).artifact)})
        return
    job_view.render_end(out(), ended, service.folded(ended), service.folder(ended).artifact)


def _detached(job: "Job", output: Output) -> None:
    """What a command says that starts a job and leaves it."""
    from podtune.cli.job_view import job_json

    if output is Output.JSON:
        print_json(job_json(job))
    else:
        err().print(f"[bold]next[/]  podtune watch {job.id}")
