"""What `podtune runpod` shows."""

from typing import Final

from rich.console import Console
from rich.table import Table

from podtune.app import leaks
from podtune.app.account import AuditReport, AuditRow
from podtune.cli import runpod_uncache
from podtune.cli.console import Output, err, out, plain, print_json, print_line
from podtune.core.units import duration, plural
from podtune.providers.runpod.audit import Kind

_WIDE: Final = 100
"""Columns of a terminal from which on the whole table fits."""

_LEFT_OUT: Final = ("age", "last proof")
"""Columns of the table that a narrow terminal does without; `--output json` has all."""


def render_audit(report: AuditReport, output: Output) -> None:
    """Show an audit: data to stdout, what to do next to stderr."""
    if output is Output.JSON:
        print_json(report.model_dump(mode="json"))
        return
    console, aside = out(), err()
    if report.rows:
        audit_table(console, report)
    else:
        print_line(aside, f"nothing of this installation ({plain(report.owner)}) exists at RunPod")
    for cache in report.caches:
        print_line(console, f"[bold]model cache[/] {plain(runpod_uncache.line(cache))}")
        print_line(console, f"            delete it: {plain(cache.delete_with)}")
    others = ", ".join(plural(number, kind) for kind, number in report.others.items())
    if others:
        print_line(aside, f"[dim]of other installations of this account: {plain(others)}[/]")
    for problem in report.problems:
        print_line(aside, f"[yellow]{plain(problem)}[/]")
    print_line(
        aside,
        f"[dim]this installation is {plain(report.owner)}; on another host: "
        f"podtune reap --owner {plain(report.owner)}[/]",
    )
    unwanted = [row for row in report.rows if not row.wanted]
    pods = [row.found.usd_per_hour for row in unwanted if row.found.kind is Kind.POD]
    if unwanted:
        print_line(
            aside,
            f"[bold red]{len(unwanted)} not wanted[/] by any unfinished job, "
            f"[bold]${report.unwanted_usd_per_hour:.3f} an hour[/]",
        )
    if pods:
        print_line(aside, f"[bold red]{plain(leaks.summary(pods))}[/]")
        print_line(aside, "[bold]next[/]  podtune reap")
    if len(unwanted) > len(pods):
        print_line(
            aside,
            "[bold]next[/]  a job makes no volumes, endpoints or templates, and nothing ends them by "
            "itself: podtune runpod undeploy, console.runpod.io",
        )


def audit_table(console: Console, report: AuditReport) -> None:
    """One row for each thing; fits the terminal, 80 columns at least."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    rows = [_cells(row) for row in report.rows]
    shown = [name for name in rows[0] if console.width >= _WIDE or name not in _LEFT_OUT]
    for heading in shown:
        table.add_column(
            heading,
            justify="right" if heading in ("age", "$/h") else "left",
            overflow="fold",
            no_wrap=heading != "job",
        )
    for cells in rows:
        table.add_row(*(cells[heading] for heading in shown))
    console.print(table)


def _cells(row: AuditRow) -> dict[str, str]:
    """A row's cells under their headings."""
    found = row.found
    late = "[red], overdue[/]" if row.overdue else ""
    proof = f"{row.last_proof.astimezone():%m-%d %H:%M}" if row.last_proof else "-"
    return {
        "what": found.kind.value,
        "id": plain(found.id),
        "job": plain(found.job or "-"),
        "age": "?" if row.age_s is None else duration(row.age_s),
        "status": plain(found.status.lower()) or "-",
        "$/h": "?" if found.usd_per_hour is None else f"{found.usd_per_hour:.3f}",
        "wanted": ("[green]yes[/]" if row.wanted else "[bold red]no[/]") + late,
        "last proof": proof,
    }
