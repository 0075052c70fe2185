"""`podtune approve`: plans that agents ask for and that cost more than they may spend unasked."""

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from podtune.cli.console import Output, err, out, plain, print_json, print_line
from podtune.cli.following import open_service
from podtune.core.errors import SpecError

if TYPE_CHECKING:
    from podtune.app.approvals import Approvals
    from podtune.workflow.plan_tickets import PlanTicket


def approve(
    approval: Annotated[
        str | None,
        typer.Argument(metavar="ID", help="Of the plan; without it all that wait are listed."),
    ] = None,
    refuse: Annotated[bool, typer.Option("--refuse", help="Do not agree to it.")] = False,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Agree without being asked; needs --digest.")
    ] = False,
    digest: Annotated[
        str | None,
        typer.Option(
            "--digest", metavar="LETTERS", help="First letters of the plan's digest, 8 at least."
        ),
    ] = None,
    output: Annotated[
        Output, typer.Option("--output", help="For people or for programs.")
    ] = Output.HUMAN,
) -> None:
    """Agree to a plan that an agent asks for, or refuse it; without ID show what waits."""
    from podtune.app.approvals import Approvals
    from podtune.core.access import THIS_MACHINE

    service = open_service()
    waits = Approvals(service.store(), service.settings)
    if approval is None:
        _list(waits, output)
        return
    row = waits.find(approval, THIS_MACHINE)
    if refuse:
        named = digest or row.plan_digest
    else:
        named = _agreed(waits, row, digest if yes else None, output, yes=yes)
    done = waits.decide(row.id, THIS_MACHINE, named, agreed=not refuse, by="terminal")
    if output is Output.JSON:
        print_json(_figures(waits, done))
        return
    print_line(out(), f"[bold]{plain(done.approval)}[/]  {plain(_words(done))}")
    if not refuse:
        print_line(err(), "[bold]next[/]  whoever asked submits the same token")


def _agreed(
    waits: "Approvals", row: "PlanTicket", digest: str | None, output: Output, *, yes: bool
) -> str:
    """Show the plan and have it agreed to; the digest of what was agreed to.

    Raises:
        SpecError: code `confirm_needed`: nobody is there to be asked, or the digest was not said.
        typer.Abort: they did not agree.
    """
    from podtune.cli import plan_view

    if yes:
        if digest is None:
            raise SpecError(
                "--yes agrees to the plan of a digest",
                code="confirm_needed",
                hint=f"read it (podtune approve {row.id}), then say --yes --digest and its first letters",
            )
        return digest
    made = waits.plan(row)
    if output is Output.HUMAN:
        plan_view.render(err(), made)
    if output is Output.JSON or not sys.stdin.isatty():
        raise SpecError(
            f"nobody is here to agree to plan {row.plan_digest[:12]}: {_words(row)}",
            code="confirm_needed",
            hint=f"podtune approve {row.id} at a terminal, or --yes --digest with the plan's first letters",
            context={"digest": row.plan_digest, "approval_id": row.id},
        )
    print_line(err(), plain(_words(row)))
    typer.confirm(f"Agree to plan {row.plan_digest[:12]}?", abort=True, err=True)
    return row.plan_digest


def _list(waits: "Approvals", output: Output) -> None:
    """What waits; for people also what was decided lately."""
    from podtune.core.access import THIS_MACHINE

    found = waits.waiting(THIS_MACHINE)
    if output is Output.JSON:
        print_json([_figures(waits, row) for row in found])
        return
    for row in found:
        print_line(out(), f"[bold]{plain(row.id)}[/]  {plain(_words(row))}")
    for row in waits.decided(THIS_MACHINE):
        print_line(err(), f"[dim]{plain(row.id)}  {plain(_words(row))}[/]")
    if found:
        print_line(err(), f"[bold]next[/]  podtune approve {plain(found[0].id)}")
    else:
        print_line(err(), "no plan waits for a person")


def _words(row: "PlanTicket") -> str:
    from podtune.planning.price import money

    cost = "nothing is rented" if row.ceiling_usd is None else f"at most {money(row.ceiling_usd)}"
    said = [f"plan {row.plan_digest[:12]}", cost, f"asked by {row.asked_by}"]
    if row.decided_at is not None:
        said.append(f"{row.approval} by {row.decided_by} at {row.decided_at:%Y-%m-%d %H:%M} UTC")
    else:
        said.append(f"until {row.expires_at:%H:%M} UTC")
    return "; ".join(said)


def _figures(waits: "Approvals", row: "PlanTicket") -> dict[str, Any]:
    return {
        "approval_id": row.id,
        "state": str(waits.state(row)),
        "digest": row.plan_digest,
        "ceiling_usd": None if row.ceiling_usd is None else float(row.ceiling_usd),
        "asked_by": row.asked_by,
        "tenant": row.tenant,
        "created_at": row.created_at.isoformat(),
        "expires_at": row.expires_at.isoformat(),
        "decided_at": row.decided_at and row.decided_at.isoformat(),
        "decided_by": row.decided_by,
        "job": row.job,
    }
