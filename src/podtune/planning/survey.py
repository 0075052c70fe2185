"""What every offer means for a job: its best plan there with time and cost, or why it is left out.

Knows nothing of ceilings: `ladder` chooses.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

from podtune.core.errors import SpecError
from podtune.core.offer import Offer
from podtune.core.plan import Device, Plan, Rung
from podtune.core.units import gib
from podtune.planning import cards, gpu_choice, price
from podtune.planning import plan as planning
from podtune.planning.plan import PlanInput
from podtune.planning.schedule import Decided


class Verdict(NamedTuple):
    """What an offer would mean for a job: its own best plan there, or why it is left out."""

    offer: Offer
    reason: str = ""
    """Why it is left out, in words; empty where the job runs on it."""
    plan: Plan | None = None
    rung: Rung | None = None
    needed_bytes: int | None = None
    """Memory the job needs at least, where that is over the card's."""


def survey(
    given: PlanInput, decided: Decided, offers: Sequence[Offer], wishes: gpu_choice.Wishes
) -> tuple[Verdict, ...]:
    """Every offer with the job's own best plan on it, the best offers first.

    Args:
        given: What is to be trained; its device is this machine's processor, which the stand-in
            cloud's own offer means.
        decided: What data and model decide of it (`plan.decided`).
        offers: All that can be rented.
        wishes: What limits the choice.

    Raises:
        SpecError: what is stated cannot be done, whatever the machine.
    """
    verdicts = [_judge(given, decided, offer, wishes) for offer in offers]
    return tuple(sorted(verdicts, key=_order))


def _judge(given: PlanInput, decided: Decided, offer: Offer, wishes: gpu_choice.Wishes) -> Verdict:
    """An offer's verdict: refused by wishes, too small, or a plan of its own with its price."""
    reason = gpu_choice.refusal(offer, wishes)
    if reason:
        return Verdict(offer, reason)
    device = cards.device(offer, given.device)
    try:
        plan = planning.settled(given._replace(device=device), decided)
    except SpecError as error:
        return Verdict(offer, *_why_not(error, device))
    return Verdict(offer, plan=plan, rung=priced(given, plan, offer, device))


def _why_not(error: SpecError, device: Device) -> tuple[str, None, None, int]:
    """Why a plan on a device is refused, shortly.

    Raises:
        SpecError: the refusal holds for every device.
    """
    if error.code == "too_short":
        return "too slow for --minutes", None, None, 0
    if error.code != "does_not_fit":
        raise error
    needed = error.context["needed_bytes"]
    assert isinstance(needed, int)
    return f"needs {gib(needed)}, has {gib(device.memory_bytes)}", None, None, needed


def priced(given: PlanInput, plan: Plan, offer: Offer, device: Device) -> Rung:
    """What a settled plan takes and costs on an offer."""
    answers = planning.answers_of(plan.spec, given.validation_rows)
    time, measured = planning.timed(given, plan.spec, plan.schedule, device, answers=answers)
    moved = price.traffic(
        given.facts,
        data_bytes=given.report.size_bytes,
        adapter_parameters=plan.memory.adapter_parameters,
    )
    idle_s = offer.idle_s if given.spec.where.on.has_queue else None
    billed = price.seconds(time, moved, measured=measured, idle_s=idle_s)
    return price.rung(offer, device, billed)


def rung_in(verdict: Verdict) -> Rung:
    """The rung of an offer that the job runs on."""
    assert verdict.rung is not None
    return verdict.rung


def rung_order(rung: Rung) -> tuple[Decimal, Decimal, str, str, str]:
    """What rungs are sorted by: the same order for offers that come in any order."""
    offer = rung.offer
    return (price.score(rung), rung.usd_p50, offer.gpu, offer.cloud, offer.model_dump_json())


def _order(verdict: Verdict) -> tuple[bool, object, str]:
    """What runs first and the best of it before the rest; the same for offers in any order."""
    offer = verdict.offer
    if verdict.rung is not None:
        return False, rung_order(verdict.rung), ""
    return True, (offer.hourly, verdict.reason), offer.model_dump_json()


def table(verdicts: Sequence[Verdict]) -> list[dict[str, object]]:
    """Offers for machines: what each costs for this job, or why it is left out."""
    rows: list[dict[str, object]] = []
    for offer, reason, plan, rung, needed in verdicts:
        row: dict[str, object] = {
            "gpu": offer.gpu,
            "count": offer.count,
            "vram_gib": offer.vram_gib,
            "usd_per_hour": str(offer.hourly),
            "cloud": offer.cloud,
            "stock": offer.stock.value,
            "reason": reason,
        }
        if rung is not None and plan is not None:
            row |= {
                "bits": plan.spec.adapter.bits,
                "hours_p50": rung.hours_p50,
                "hours_p90": rung.hours_p90,
                "usd_p50": str(rung.usd_p50),
                "usd_p90": str(rung.usd_p90),
            }
        if needed:
            row["needed_bytes"] = needed
        rows.append(row)
    return rows


def in_words(verdict: Verdict) -> str:
    """An offer with what the job takes on it."""
    rung, offer = rung_in(verdict), verdict.offer
    return (
        f"{offer.name}: about {price.money(rung.usd_p50)} in {price.hours(rung.hours_p50)} "
        f"(p90 {price.money(rung.usd_p90)} in {price.hours(rung.hours_p90)})"
    )
