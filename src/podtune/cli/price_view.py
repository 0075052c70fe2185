"""What a rented job costs, on the screen: its ladder, its ceiling, what its store means; all cards."""

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from rich.table import Table

from podtune.app.plan_words import offer_count
from podtune.cli.console import Output, err, out, plain, print_json, print_line
from podtune.core.offer import Offer
from podtune.core.plan import Plan, Rung
from podtune.core.units import gib, plural
from podtune.planning.price import hours, money
from podtune.planning.survey import Verdict, table

if TYPE_CHECKING:
    from podtune.app.renting import Cards

RUNGS_SHOWN: Final = 6
"""Rungs of a ladder on the screen; `--output json` has all."""

REGIONS_SHOWN: Final = 3


def ladder(plan: Plan) -> Table:
    """The machines a job may run on, in the order in which they are tried."""
    rungs = plan.price.ladder if plan.price else ()
    made = _table("card", "memory", "$/h", "stock", "time p50, p90", "cost p50, p90")
    for rung in rungs[:RUNGS_SHOWN]:
        made.add_row(*_offer_cells(rung.offer), *_rung_cells(rung))
    if len(rungs) > RUNGS_SHOWN:
        made.add_row(f"[dim]and {len(rungs) - RUNGS_SHOWN} more[/]")
    return made


def render_cards(found: "Cards", *, show_all: bool, output: Output) -> None:
    """Print what is offered; the table to stdout, what to know of it to stderr."""
    shown = found.verdicts if show_all else found.usable
    if output is Output.JSON:
        print_json({"cards": cards_json(shown), "warnings": list(found.warnings)})
        return
    if shown:
        out().print(cards(shown, has_job=found.has_job))
    for warning in found.warnings:
        print_line(err(), f"[yellow]note[/]  {plain(warning)}")
    left = len(found.verdicts) - len(shown)
    if left:
        what = "this job cannot run on them now" if found.has_job else "they cannot be taken now"
        print_line(err(), f"[dim]{plural(left, 'card')} left out: {what}; --all says why[/]")


def cards(verdicts: Sequence[Verdict], *, has_job: bool) -> Table:
    """What is offered; for a job, what it would take on each, or why not."""
    job = ["time p50, p90", "cost p50, p90", "bits"]
    made = _table("card", "memory", "$/h", "stock", *(job if has_job else ["data centres"]))
    for verdict in verdicts:
        cells = _offer_cells(verdict.offer)
        if verdict.reason:
            cells.append(f"[dim]{plain(_reason(verdict))}[/]")
        elif verdict.rung is not None and verdict.plan is not None:
            cells += [*_rung_cells(verdict.rung), str(verdict.plan.spec.adapter.bits)]
        else:
            cells.append(_regions(verdict.offer))
        made.add_row(*cells)
    return made


def cards_json(verdicts: Sequence[Verdict]) -> list[dict[str, Any]]:
    """The same for machines."""
    rows = table(verdicts)
    for row, verdict in zip(rows, verdicts, strict=True):
        offer = verdict.offer
        row |= {
            "name": offer.name,
            "data_centres": list(offer.regions),
            "cuda": list(offer.cuda),
            "fetched_at": offer.fetched_at.isoformat(),
            "is_snapshot": offer.is_snapshot,
        }
    return rows


def _table(*headings: str) -> Table:
    made = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", show_edge=False)
    for heading in headings:
        right = heading in ("memory", "$/h", "bits")
        wraps = heading in ("card", "data centres")
        made.add_column(heading, justify="right" if right else "left", no_wrap=not wraps)
    return made


def _offer_cells(offer: Offer) -> list[str]:
    return [
        plain(f"{offer_count(offer)}{offer.name}"),
        f"{offer.vram_gib:g} GB",
        f"{offer.hourly.quantize(Decimal('0.01'))}",
        offer.stock.value,
    ]


def _rung_cells(rung: Rung) -> list[str]:
    return [
        f"{hours(rung.hours_p50)}, {hours(rung.hours_p90)}",
        f"{money(rung.usd_p50)}, {money(rung.usd_p90)}",
    ]


def _reason(verdict: Verdict) -> str:
    """Why an offer is left out; what it has stands in the row already."""
    return f"needs {gib(verdict.needed_bytes)}" if verdict.needed_bytes else verdict.reason


def _regions(offer: Offer) -> str:
    more = len(offer.regions) - REGIONS_SHOWN
    return ", ".join(offer.regions[:REGIONS_SHOWN]) + (f" and {more} more" if more > 0 else "")
