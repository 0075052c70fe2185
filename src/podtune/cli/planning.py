"""`podtune plan` and `podtune train`: what is said on the command line -> a plan, and a job."""

import shlex
import sys
from typing import TYPE_CHECKING, Annotated, Final

import typer

from podtune.cli import choices, money
from podtune.cli.console import Output, err, out, plain, print_json
from podtune.cli.data import FormatOption, MapOption, MemberOption, SheetOption, SpeakerOption
from podtune.cli.following import open_service, say_detached, say_leaks, watch_to_end

if TYPE_CHECKING:
    from podtune.app.service import Service
    from podtune.core.plan import Plan

Source = Annotated[
    str, typer.Argument(help="Data: a file, folder, pattern or address; or a spec (.yaml).")
]
OutputOption = Annotated[Output, typer.Option("--output", help="For people or for programs.")]
ModelOption = Annotated[
    str | None, typer.Option("--model", "-m", help="Base model: a Hub name or a folder.")
]
OnOption = Annotated[
    str | None, typer.Option("--on", help="Where: local (this machine), or runpod (rented).")
]
BudgetOption = Annotated[
    float | None,
    typer.Option("--budget", metavar="USD", help="Ceiling of a rented job; it ends there."),
]
GpuOption = Annotated[
    str | None,
    typer.Option("--gpu", metavar="NAME", help="Card to rent, e.g. A40; several with commas."),
]
StoreOption = Annotated[
    str | None,
    typer.Option("--store", help="How data and adapter travel: direct, hf, s3 or supabase."),
]
ImageOption = Annotated[
    str | None, typer.Option("--image", help="Your own container image for a rented machine.")
]
KeepOption = Annotated[
    int | None,
    typer.Option(
        "--keep-on-failure",
        metavar="MIN",
        min=0,
        help="Keep a rented machine so long after a failure, within the ceiling.",
    ),
]
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

FLAGS: Final = {
    "base_model.name": "-m",
    "where.on": "--on",
    "training.epochs": "--epochs",
    "where.max_usd": "--budget",
    "where.gpu": "--gpu",
    "where.gpu_any_of": "--gpu",
    "deliver.store": "--store",
    "where.image": "--image",
    "where.keep_on_failure_min": "--keep-on-failure",
}
"""Spec path -> the flag that says it."""


def plan(  # noqa: PLR0913 - a command's parameters are its options
    source: Source,
    model: ModelOption = None,
    on: OnOption = None,
    budget: BudgetOption = None,
    gpu: GpuOption = None,
    store: StoreOption = None,
    image: ImageOption = None,
    keep: KeepOption = None,
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
    """Show what a training would do, need, take and cost. Changes nothing."""
    from podtune.cli import plan_view

    flags = _flags(model, on, epochs, _machine(budget, gpu, store, image, keep))
    said = _said_of_data(columns, fix, speaker=speaker, sheet=sheet, member=member, format=format_)
    stated = said | _stated(flags, sets, skip_bad_rows)
    service = open_service()
    made, picked = _plan(service, source, stated, minutes, output)
    if made.price is not None:
        say_leaks(service)
    if output is Output.JSON:
        print_json(plan_view.plan_json(made))
        return
    plan_view.render(out(), made, all_fields=fields)
    words = _as_flags(flags)
    words += [] if minutes is None else ["--minutes", str(minutes)]
    words += [word for text in sets or () for word in ("--set", text)]
    words += _as_flags(said | picked)
    words += ["--skip-bad-rows"] if skip_bad_rows else []
    err().print(
        f"[bold]next[/]  podtune train {plain(shlex.join([source, *words]))}", soft_wrap=True
    )


def train(  # noqa: PLR0913 - a command's parameters are its options
    source: Source,
    model: ModelOption = None,
    on: OnOption = None,
    budget: BudgetOption = None,
    gpu: GpuOption = None,
    store: StoreOption = None,
    image: ImageOption = None,
    keep: KeepOption = None,
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
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Start without asking; a ceiling is still needed.")
    ] = False,
    detach: Annotated[bool, typer.Option("--detach", help="Start and return at once.")] = False,
    output: OutputOption = Output.HUMAN,
) -> None:
    """Train an adapter on your data: plan, train, prove, sign. Ctrl-C detaches, never cancels."""
    from podtune.cli import plan_view

    service = open_service()
    flags = _flags(model, on, epochs, _machine(budget, gpu, store, image, keep))
    said = _said_of_data(columns, fix, speaker=speaker, sheet=sheet, member=member, format=format_)
    stated = said | _stated(flags, sets, skip_bad_rows)
    made, _ = _plan(service, source, stated, minutes, output, ask_money=not yes)
    if output is Output.HUMAN:
        plan_view.render(err(), made, brief=True)
    if made.price is not None:
        say_leaks(service)
    money.confirm_public(made, yes=yes)
    money.confirm(made, yes=yes)
    confirm_long(made, yes=yes, minutes=minutes)
    job = service.submit(made, digest=made.digest)
    if output is Output.HUMAN:
        err().print(f"job [bold]{job.id}[/] [dim]runs by itself; Ctrl-C only stops watching[/]")
    if detach:
        say_detached(job, output)
        return
    watch_to_end(service, job, output)


def _machine(
    budget: float | None, gpu: str | None, store: str | None, image: str | None, keep: int | None
) -> dict[str, object]:
    """What the flags state of a rented machine, by spec path."""
    several = gpu is not None and "," in gpu
    flags: dict[str, object | None] = {
        "where.max_usd": budget,
        "where.gpu_any_of" if several else "where.gpu": gpu,
        "deliver.store": store,
        "where.image": image,
        "where.keep_on_failure_min": keep,
    }
    return {path: value for path, value in flags.items() if value is not None}


def _flags(
    model: str | None, on: str | None, epochs: float | None, machine: dict[str, object]
) -> dict[str, object]:
    """What the flags state, by spec path; what is said of a machine to be rented asks for one."""
    flags: dict[str, object | None] = {
        "base_model.name": model,
        "where.on": on,
        "training.epochs": epochs,
    }
    return {path: value for path, value in flags.items() if value is not None} | machine


def _stated(
    flags: dict[str, object], sets: list[str] | None, skip_bad_rows: bool
) -> dict[str, object]:
    """Flags and --set together; --set wins over a flag of the same field."""
    from podtune.intake.resolve import parse_assignment

    stated = {**flags, "data.on_bad_rows": "skip"} if skip_bad_rows else dict(flags)
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
        if path in FLAGS:
            words += [FLAGS[path], f"{value:g}" if isinstance(value, float) else str(value)]
        else:
            words += ["--map", f"{role}={value}"] if role != name else [f"--{name}", str(value)]
    return words


def _plan(
    service: "Service",
    source: str,
    stated: dict[str, object],
    minutes: float | None,
    output: Output,
    *,
    ask_money: bool = True,
) -> "tuple[Plan, dict[str, object]]":
    """Plan; where something is open that only a person can say, and somebody is there, ask.

    Returns the plan, and what was picked by spec path.
    """
    from podtune.app.planner import source_request
    from podtune.core.errors import DatasetError, SpecError

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
        except SpecError as error:
            if not (ask_money and money.may_ask(error, output)):
                raise
            path, value = money.ask(error)
            picked[path] = value


def confirm_long(made: "Plan", *, yes: bool, minutes: float | None) -> None:
    """A job of hours on this machine asks first, or wants --yes where nobody can be asked."""
    from podtune.core.errors import SpecError
    from podtune.core.units import duration
    from podtune.planning.plan import LONG_S

    is_short = made.price is not None or made.time.training_s <= LONG_S
    if yes or minutes is not None or is_short:
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
