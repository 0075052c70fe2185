"""`podtune data`: check, convert, split, mask. Each parses, calls, renders."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from podtune.cli import choices
from podtune.cli.console import Output, err, out, plain, print_json, print_line

if TYPE_CHECKING:
    from podtune.app.settings import Settings
    from podtune.data.record import ReadOptions

data = typer.Typer(
    name="data",
    help="Judge data files of any kind, convert, split, and see what is trained on.",
    no_args_is_help=True,
)

Source = Annotated[
    str,
    typer.Argument(help="A file, folder, pattern, or https://, s3://, hf:// address.", metavar="SOURCE"),
]  # fmt: skip
MapOption = Annotated[
    list[str] | None,
    typer.Option(
        "--map", metavar="ROLE=COLUMN", help="prompt, completion, system, label or text = column."
    ),
]
SpeakerOption = Annotated[
    str | None,
    typer.Option(
        "--speaker", help="Who of a chat or mailbox is the assistant; several with commas."
    ),
]
SheetOption = Annotated[str | None, typer.Option("--sheet", help="Sheet of a workbook.")]
MemberOption = Annotated[str | None, typer.Option("--member", help="File inside an archive.")]
FormatOption = Annotated[
    str | None, typer.Option("--format", help="The format, where recognition goes wrong.")
]
FixOption = Annotated[
    list[str] | None,
    typer.Option("--fix", metavar="NAME", help="Make a repair, by name, or `all`. Never unasked."),
]
MethodOption = Annotated[
    str, typer.Option("--method", help="What is to be learnt: sft, dpo, orpo, kto or cpt.")
]
ModelOption = Annotated[
    str | None, typer.Option("--model", "-m", help="Base model: a Hub name or a folder.")
]
HtmlOption = Annotated[
    Path | None, typer.Option("--html", metavar="FILE", help="Write the report as a page, too.")
]
OverwriteOption = Annotated[bool, typer.Option("--overwrite", help="Replace files that are there.")]
OutputOption = Annotated[Output, typer.Option("--output", help="For people or for programs.")]


@data.command()
def check(  # noqa: PLR0913 - a command's parameters are its options
    source: Source,
    columns: MapOption = None,
    speaker: SpeakerOption = None,
    sheet: SheetOption = None,
    member: MemberOption = None,
    format_: FormatOption = None,
    fix: FixOption = None,
    method: MethodOption = "sft",
    model: ModelOption = None,
    html: HtmlOption = None,
    output: OutputOption = Output.HUMAN,
) -> None:
    """Judge a source: what it is, what is wrong, what would mend it. Changes nothing.

    Exit code 0 when something can be trained on, 2 when nothing can.
    """
    from podtune.app import data_doctor, data_report
    from podtune.cli import data_view

    options = _options(columns, speaker, sheet, member, format_, fix, method)
    with data_view.fetching(err()) as progress:
        found = data_doctor.examine(source, _settings(), options, model=model, on_progress=progress)
    if html is not None:
        data_report.write(found.facts, html)
    if output is Output.JSON:
        print_json(found.facts)
    else:
        data_view.render(out(), found.facts)
        if html is not None:
            err().print(f"[dim]the same as a page: {plain(str(html))}[/]")
    if not found.is_trainable:
        raise typer.Exit(2)


@data.command()
def convert(  # noqa: PLR0913 - a command's parameters are its options
    source: Source,
    to: Annotated[Path, typer.Option("-o", "--to", metavar="FILE", help="The file to write.")],
    columns: MapOption = None,
    speaker: SpeakerOption = None,
    sheet: SheetOption = None,
    member: MemberOption = None,
    format_: FormatOption = None,
    fix: FixOption = None,
    method: MethodOption = "sft",
    overwrite: OverwriteOption = False,
    output: OutputOption = Output.HUMAN,
) -> None:
    """Write a source as messages JSONL, and what is left out as rejected.jsonl beside it."""
    from podtune.app import data_files
    from podtune.cli import data_view

    options = _options(columns, speaker, sheet, member, format_, fix, method)
    done = _asking(
        options,
        lambda said: data_files.convert(source, to, _settings(), said, overwrite=overwrite),
        output,
    )
    if output is Output.JSON:
        print_json(data_view.result_json(done))
        return
    data_view.render_result(out(), done)
    print_line(err(), f"[bold]next[/]  podtune train {plain(str(to))}{_setting(method)}")


@data.command()
def split(  # noqa: PLR0913 - a command's parameters are its options
    source: Source,
    to: Annotated[Path, typer.Option("-o", "--to", metavar="FOLDER", help="Where the files go.")],
    share: Annotated[
        float, typer.Option("--share", min=0.001, max=0.499, help="Share that is held out.")
    ] = 0.1,
    columns: MapOption = None,
    speaker: SpeakerOption = None,
    sheet: SheetOption = None,
    member: MemberOption = None,
    format_: FormatOption = None,
    fix: FixOption = None,
    method: MethodOption = "sft",
    overwrite: OverwriteOption = False,
    output: OutputOption = Output.HUMAN,
) -> None:
    """Write train.jsonl and validation.jsonl; the same question is never on both sides."""
    from podtune.app import data_files
    from podtune.cli import data_view

    options = _options(columns, speaker, sheet, member, format_, fix, method)
    done = _asking(
        options,
        lambda said: data_files.divide(
            source, to, _settings(), said, share=share, overwrite=overwrite
        ),
        output,
    )
    if output is Output.JSON:
        print_json(data_view.result_json(done))
        return
    data_view.render_result(out(), done)
    train, held = (str(w.path) for w in done.written)
    print_line(
        err(),
        f"[bold]next[/]  podtune train {plain(train)} --set data.validation_source={plain(held)}"
        + _setting(method),
    )


@data.command()
def mask(  # noqa: PLR0913 - a command's parameters are its options
    source: Source,
    rows: Annotated[
        str, typer.Option("--rows", help="Records shown token by token, such as 1-3 or 7,12.")
    ] = "1-3",
    max_length: Annotated[
        int | None, typer.Option("--max-length", min=1, help="Say which rows have more tokens.")
    ] = None,
    system_prompt: Annotated[
        str | None, typer.Option("--system-prompt", help="Put before rows without one.")
    ] = None,
    columns: MapOption = None,
    speaker: SpeakerOption = None,
    sheet: SheetOption = None,
    member: MemberOption = None,
    format_: FormatOption = None,
    fix: FixOption = None,
    model: ModelOption = None,
    html: HtmlOption = None,
    output: OutputOption = Output.HUMAN,
) -> None:
    """Show which tokens are trained on, under any base model's chat template."""
    from podtune.app import data_report, masked
    from podtune.cli import mask_view

    options = _options(columns, speaker, sheet, member, format_, fix)
    wanted = mask_view.numbers(rows)
    with err().status("reading the data and the model's tokenizer"):
        facts = masked.examine(
            source, _settings(), options, model=model, rows=wanted, max_length=max_length,
            system_prompt=system_prompt,
        )  # fmt: skip
    if html is not None:
        data_report.write_mask(facts, html)
    if output is Output.JSON:
        print_json(facts)
        return
    mask_view.render(out(), facts)
    if html is not None:
        err().print(f"[dim]the same as a page: {plain(str(html))}[/]")


def _settings() -> "Settings":
    from podtune.app import settings

    return settings.load().settings


def _options(  # noqa: PLR0913 - what a reading can be told
    columns: list[str] | None,
    speaker: str | None,
    sheet: str | None,
    member: str | None,
    format_: str | None,
    fix: list[str] | None,
    method: str = "sft",
) -> "ReadOptions":
    from podtune.data import method_fit
    from podtune.data.record import ReadOptions

    mapped = mapped_columns(columns)
    names = [name for text in fix or () for name in text.split(",") if name.strip()]
    return ReadOptions(
        columns=mapped, speaker=speaker, sheet=sheet, member=member, format=format_,
        fixes=frozenset(names), method=method_fit.of_name(method),
    )  # fmt: skip


def _setting(method: str) -> str:
    """What `podtune train` has to be told of the method."""
    return "" if method == "sft" else f" --set method={method}"


def mapped_columns(texts: list[str] | None) -> dict[str, str]:
    """`--map` options as role -> column.

    Raises:
        SpecError: one is no `ROLE=COLUMN`.
    """
    from podtune.core.errors import SpecError

    mapped: dict[str, str] = {}
    for text in texts or ():
        role, equals, column = text.partition("=")
        if not (equals and role.strip() and column.strip()):
            raise SpecError(
                f"--map {text!r} is no ROLE=COLUMN",
                code="bad_option",
                hint="e.g. --map prompt=Question",
            )
        mapped[role.strip()] = column.strip()
    return mapped


Done = TypeVar("Done")


def _asking(options: "ReadOptions", work: "Callable[[ReadOptions], Done]", output: Output) -> Done:
    """Do something; where a choice is open and somebody is there, ask, and do it again."""
    from podtune.core.errors import DatasetError

    while True:
        try:
            return work(options)
        except DatasetError as error:
            if not choices.may_ask(error, output):
                raise
            picked = choices.ask(error)
        said = {picked.name: picked.value}
        update = {"columns": {**options.columns, **said}} if picked.is_column else said
        options = options.model_copy(update=update)
