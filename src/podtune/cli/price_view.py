"""What a rented job costs, on the screen: its ladder, its ceiling, what its store means; all cards."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from rich.table import Table

from podtune.cli.console import Output, err, out, plain, print_json, print_line
from podtune.core.offer import Offer
from podtune.core.plan import Plan, Rung
from podtune.core.units import duration, gib, plural
from podtune.planning.price import hours, money
from podtune.planning.survey import Verdict, table

if TYPE_CHECKING:
    from podtune.app.renting import Cards

RUNGS_SHOWN: Final = 6
"""Rungs of a ladder on the screen; `--output json` has all."""

REGIONS_SHOWN: Final = 3

STORES: Final = {
    "hf": "through a private repository of yours on the Hub",
    "s3": "through your bucket, by addresses signed for this job; this machine may be off meanwhile",
    "supabase": "through Supabase Storage; this machine must stay on, it signs the address once the "
    "adapter is ready",
}
"""How data and adapter travel, where not straight between the machines."""


def lines(plan: Plan) -> Iterable[tuple[str, str]]:
    """The lines of time and money of a rented job's summary; none for a job of this machine."""
    price, where = plan.price, plan.spec.where
    if price is None:
        return
    first = price.first
    life = f"{hours(price.life_hours(first))} at most"
    kept = where.keep_on_failure_min
    volume = f"volume {where.volume}" if where.volume else f"{where.volume_gb} GB at /workspace"
    yield (
        "time",
        f"about {duration(plan.time.training_s)} of training, {hours(first.hours_p50)} of the "
        f"machine (p90 {hours(first.hours_p90)}; {plan.time.tokens_per_second:.0f} tokens/s, "
        f"{plan.time.basis})",
    )
    yield (
        "cost",
        f"about {money(first.usd_p50)} on {first.offer.name}; nine of ten such jobs stay under "
        f"{money(first.usd_p90)}; never over {money(price.max_usd)}",
    )
    yield (
        "machine",
        f"{_count(first.offer)}{first.offer.name}, {where.cloud} cloud, {volume}, {where.image}; "
        f"{life}" + (f"; after a failure kept {kept} min" if kept else ""),
    )
    yield "pick-up", _pick_up(plan, first)


def _pick_up(plan: Plan, first: Rung) -> str:
    """What the store means for this machine, and what can be lost."""
    price, store = plan.price, plan.spec.deliver.store
    assert price is not None
    if store == "direct":
        return (
            "straight to this machine, which must stay on, or be back in time: the pod holds the "
            f"adapter until {hours(price.life_hours(first))} or {money(price.max_usd)} are used "
            "up, then it is lost with what was spent"
        )
    return STORES[store]


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
        plain(f"{_count(offer)}{offer.name}"),
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


def _count(offer: Offer) -> str:
    return f"{offer.count} x " if offer.count > 1 else ""


def _regions(offer: Offer) -> str:
    more = len(offer.regions) - REGIONS_SHOWN
    return ", ".join(offer.regions[:REGIONS_SHOWN]) + (f" and {more} more" if more > 0 else "")
