"""`podtune reap`: parse, call, render."""

from typing import TYPE_CHECKING, Annotated

import typer

from podtune.cli.console import Output, err, out, plain, print_json, print_line

if TYPE_CHECKING:
    from podtune.app.reap import ReapedMachine, ReapReport


def reap(
    owners: Annotated[
        list[str] | None,
        typer.Option(
            "--owner",
            metavar="NAME",
            help="Another installation's overdue machines; several times for several.",
        ),
    ] = None,
    any_owner: Annotated[
        bool, typer.Option("--any-owner", help="Overdue machines of every installation.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would end.")] = False,
    once: Annotated[
        bool, typer.Option("--once", help="Ask for each end once; do not wait for the proof.")
    ] = False,
    output: Annotated[
        Output, typer.Option("--output", help="For people or for programs.")
    ] = Output.HUMAN,
) -> None:
    """End machines that should be gone, and prove it. Needs the RunPod key and nothing else.

    Of this installation: what no job wants, by its job store; without one, what has outlived the
    deadline in its name. Of others (--owner, --any-owner): what has outlived it. Exit code 1 while a
    machine that should be gone is not proved to be.
    """
    from podtune.app import reap as reaping
    from podtune.app import settings

    if any_owner and owners:
        raise typer.BadParameter("--any-owner means all; leave --owner away")
    wish = reaping.Wish(tuple(owners or ()), any_owner, dry_run, once)
    found = reaping.reap(settings.load().settings, wish, tell=_tell)
    if output is Output.JSON:
        print_json(found.model_dump(mode="json"))
    else:
        _render(found, wish.is_dry)
    if found.open:
        raise typer.Exit(1)


def _tell(machine: "ReapedMachine") -> None:
    """How the end of a machine goes, while it is waited for."""
    from podtune.app.reap import Fate

    if machine.fate is not Fate.END:
        return
    if machine.proof:
        words = f"[green]gone[/] {plain(machine.name)}: {plain(machine.proof)}"
    elif machine.problem:
        words = f"[yellow]again[/] {plain(machine.name)}: {plain(machine.problem)}"
    else:
        words = f"[bold]ends[/] {plain(machine.name)} {_price(machine)}: {plain(machine.why)}"
    print_line(err(), words)


def _render(report: "ReapReport", is_dry: bool) -> None:
    """Every machine to stdout; what to do next to stderr."""
    from podtune.app import leaks

    console, aside = out(), err()
    for machine in report.machines:
        state = "[green]gone[/]" if machine.proof else f"[bold]{machine.fate}[/]"
        told = machine.proof or machine.why
        line = (
            f"{state}  {plain(machine.id)}  {plain(machine.name)}  {_price(machine)}  {plain(told)}"
        )
        print_line(console, line)
    if not report.machines:
        whose = f"this installation ({plain(report.owner)})" if report.owner else "this home"
        print_line(aside, f"no machine of {whose} exists, or none of those asked for")
    if report.others:
        owners = ", ".join(f"{plain(name)} ({number})" for name, number in report.others.items())
        print_line(aside, f"[dim]left to other installations: {owners}[/]")
        first = plain(next(iter(report.others)))
        print_line(aside, f"[bold]next[/]  overdue ones of theirs: podtune reap --owner {first}")
    if report.open:
        told = leaks.summary([machine.usd_per_hour for machine in report.open])
        again = "podtune reap" if is_dry else "podtune reap, until it finds none"
        print_line(
            aside,
            f"[bold red]{plain(told)}[/]\n[bold]next[/]  {again}",
        )


def _price(machine: "ReapedMachine") -> str:
    return "$?/h" if machine.usd_per_hour is None else f"${machine.usd_per_hour:.3f}/h"
