"""Offers + what is to be trained -> a ladder: the machines a job may run on, in order, priced.

One plan for all rungs: the first rung settles the spec, and the others are those that can run
exactly that spec. Rungs differ in time and money only.

Order: expected dollars (training and all that is billed around it), counted higher for low stock
and a little for waiting (`price.score`). Among the first rungs an unquantised base is preferred
where it counts at most a quarter more than the cheapest.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from podtune.core.limits import DEFAULTS, Limits
from podtune.core.offer import Offer
from podtune.core.plan import FieldNote, Plan, PriceEstimate, Rung
from podtune.core.units import plural
from podtune.planning import cards, fitting, gpu_choice, price, refusals
from podtune.planning import plan as planning
from podtune.planning.plan import PlanInput
from podtune.planning.schedule import Decided
from podtune.planning.survey import Verdict, priced, rung_in, rung_order, survey

UNQUANTISED_WORTH: Final = Decimal("1.25")
"""How much more than the cheapest an unquantised base may cost to be preferred: 4 bits change the
base model's answers a little. Chosen."""

LEAST_CEILING: Final = Decimal("0.01")
"""Dollars; less than a cent cannot be shown as what it is."""

MOST_HOURS: Final = 24.0
"""A machine lives no longer unless `where.max_hours` says so. Chosen: whatever goes wrong
costs a day at most."""


def rented(
    given: PlanInput,
    offers: Sequence[Offer],
    wishes: gpu_choice.Wishes,
    limits: Limits = DEFAULTS,
) -> Plan:
    """The plan of a rented job, with its ladder and its price.

    `limits` are those the job is driven with: what they keep back of ceiling and hours has to be there.

    Raises:
        SpecError: an unknown card; nothing fits; nothing under the ceiling or within the hours;
            or no ceiling is stated (with the figures).
    """
    gpu_choice.refuse_unknown(offers, wishes.where)
    decided = planning.decided(given)
    verdicts = survey(given, decided, offers, wishes)
    possible = [v for v in verdicts if v.rung is not None]
    if not possible:
        raise refusals.nothing_fits(verdicts)
    within = [v for v in possible if rung_in(v).hours_p50 <= _hours_stated(given)]
    if not within or 3600 * _hours_stated(given) <= limits.upload_reserve_s:
        raise refusals.too_slow(possible, _hours_stated(given))
    ceiling = _ceiling(given)
    if ceiling is None:
        raise refusals.budget_needed(_first(within), within)
    affordable = [v for v in within if price.least_ceiling(rung_in(v), limits) <= ceiling]
    if not affordable or ceiling < LEAST_CEILING:
        raise refusals.over_ceiling(within, ceiling, limits)
    first = _first(affordable)
    rungs = _rungs(given, decided, first, affordable)
    within_limits = [rung for rung in rungs if price.least_ceiling(rung, limits) <= ceiling]
    plan = _promised(given, first, within_limits, ceiling, limits)
    words = _no_rungs(given, affordable, within_limits)
    return plan.model_copy(update={"warnings": (*plan.warnings, *words)})


def _first(verdicts: Sequence[Verdict]) -> Verdict:
    """The verdict whose plan is taken: the cheapest, or an unquantised one near it."""
    cheapest = verdicts[0]
    near = UNQUANTISED_WORTH * price.score(rung_in(cheapest))
    return next(
        (v for v in verdicts if _is_unquantised(v) and price.score(rung_in(v)) <= near), cheapest
    )


def _is_unquantised(verdict: Verdict) -> bool:
    return verdict.plan is not None and verdict.plan.spec.adapter.bits not in (4, 8)


def _rungs(
    given: PlanInput, decided: Decided, first: Verdict, verdicts: Sequence[Verdict]
) -> list[Rung]:
    """The first rung and all others that run its spec within the hours, in order."""
    plan, device = first.plan, rung_in(first).device
    assert plan is not None
    load = planning.load(given, decided)
    rungs: list[Rung] = []
    for verdict in verdicts:
        other = rung_in(verdict).device
        if other.kind == device.kind and fitting.runs(plan.spec, given.facts, other, load):
            rung = priced(given, plan, verdict.offer, other)
            if rung.hours_p50 <= _hours_stated(given):
                rungs.append(rung)
    return sorted(rungs, key=rung_order)


def _no_rungs(
    given: PlanInput, verdicts: Sequence[Verdict], rungs: Sequence[Rung]
) -> tuple[str, ...]:
    """That cards somebody asked for by name are no rungs, because they need another plan."""
    there = {rung.offer.gpu for rung in rungs}
    left = dict.fromkeys(v.offer.name for v in verdicts if v.offer.gpu not in there)
    if not left or not given.spec.where.gpu_any_of:
        return ()
    return (
        f"{', '.join(left)} could train this only in another way (4 bits, checkpointing) and "
        f"{'is' if len(left) == 1 else 'are'} not tried; --set adapter.bits or "
        "training.gradient_checkpointing chooses one way for all",
    )


def _promised(
    given: PlanInput, first: Verdict, rungs: Sequence[Rung], ceiling: Decimal, limits: Limits
) -> Plan:
    """The settled plan with its ladder; device and time are the first rung's."""
    plan, top = first.plan, rungs[0]
    assert plan is not None
    answers = planning.answers_of(plan.spec, given.validation_rows)
    time, _ = planning.timed(given, plan.spec, plan.schedule, top.device, answers=answers)
    estimate = PriceEstimate(
        ladder=tuple(rungs),
        max_usd=ceiling,
        max_hours=_max_hours(given, rungs, ceiling, limits),
        reserve_s=limits.overrun_reserve_s,
    )
    return plan.model_copy(
        update={
            "device": top.device,
            "time": time,
            "price": estimate,
            "fields": tuple(_with_ladder(note, estimate) for note in plan.fields),
            "warnings": (*plan.warnings, *_warnings(estimate, limits)),
        }
    )


def _with_ladder(note: FieldNote, estimate: PriceEstimate) -> FieldNote:
    """The note on a field that the ladder decides."""
    if note.path == "where.gpu" and note.value == "auto":
        others = len(estimate.ladder) - 1
        then = f", then {plural(others, 'other')}" if others else ""
        why = f"the least expected cost: {estimate.first.offer.name}{then}"
        return note.model_copy(update={"why": why})
    if note.path == "where.max_hours" and note.value is None:
        life = price.hours(estimate.max_hours)
        hours = f"{life}: what the ceiling pays, {MOST_HOURS:g} h at most"
        return note.model_copy(update={"why": hours})
    return note


def _warnings(estimate: PriceEstimate, limits: Limits) -> list[str]:
    """What somebody should know of the money before they approve."""
    first, words = estimate.first, list[str]()
    needed = first.usd_p90 + price.kept(first.offer, limits)
    if needed > estimate.max_usd:
        words.append(
            f"one job in ten or more would pass the ceiling of {price.money(estimate.max_usd)}: "
            f"{price.money(first.usd_p90)} at p90; there the adapter is saved as far as it is "
            f"trained (--budget {price.suggested_ceiling(needed)} leaves room)"
        )
    elif first.hours_p90 > estimate.life_hours(first):
        words.append(
            f"at p90 it takes {price.hours(first.hours_p90)}, the machine lives "
            f"{price.hours(estimate.life_hours(first))} at most (where.max_hours); then the adapter "
            "is saved as far as it is trained"
        )
    stand_in = cards.is_stand_in(first.offer.gpu)
    if not stand_in and cards.card(first.offer.gpu, 0).is_assumed:
        words.append(
            f"{first.offer.gpu!r} is in no table of ours: its speed is guessed from its memory"
        )
    if len(estimate.ladder) == 1 and not stand_in:
        words.append(
            f"no other card runs this plan: if no {first.offer.name} is free, the job fails unpaid"
        )
    return words


def _max_hours(given: PlanInput, rungs: Sequence[Rung], ceiling: Decimal, limits: Limits) -> float:
    """Longest life of a machine: stated, or what the ceiling pays where an hour costs least."""
    if given.spec.where.max_hours is not None:
        return given.spec.where.max_hours
    least = min(rung.offer.hourly for rung in rungs)
    if not least:
        return MOST_HOURS
    return min(MOST_HOURS, float(ceiling / least) - limits.overrun_reserve_s / 3600)


def _hours_stated(given: PlanInput) -> float:
    return given.spec.where.max_hours or MOST_HOURS


def _ceiling(given: PlanInput) -> Decimal | None:
    """The ceiling in dollars; None where nobody stated one."""
    stated = given.spec.where.max_usd
    return None if stated is None else Decimal(str(stated))
