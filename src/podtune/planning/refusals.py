"""Why no machine can be rented for a job, and what would do: figures first, then the flag to add."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from podtune.core.errors import SpecError
from podtune.core.limits import Limits
from podtune.planning import gpu_choice, price
from podtune.planning.survey import Verdict, in_words, rung_in, table

SHOWN: Final = 6
"""Offers that a refusal lists for machines."""


def nothing_fits(verdicts: Sequence[Verdict]) -> SpecError:
    """Nothing that is offered can run it: say the least that would, and what stands in the way."""
    small = [v for v in verdicts if v.needed_bytes]
    by_reason: dict[str, list[str]] = {}
    for verdict in verdicts:
        reason = verdict.reason if not verdict.needed_bytes else "too small"
        by_reason.setdefault(reason, []).append(verdict.offer.name)
    if len(by_reason) > 1:
        by_reason.pop(gpu_choice.NOT_ASKED, None)  # of those that were asked for something is told
    ways = "; ".join(
        f"{reason}: {', '.join(list(dict.fromkeys(names))[:4])}"
        + (" ..." if len(set(names)) > 4 else "")
        for reason, names in by_reason.items()
    )
    what = "nothing that is offered can run this now"
    hint = "podtune runpod gpus --all shows what is offered; try again later, or ask for less"
    if small:
        largest = max(small, key=lambda v: v.offer.vram_gib)
        what = f"this fits no card that may be taken: on {largest.offer.name} it {largest.reason}"
        hint = (
            "take a smaller base model, --set adapter.bits=4, a shorter training.max_length, or "
            "allow more cards (where.gpu, where.count, where.region)"
        )
    return SpecError(
        f"{what} ({ways or 'no offer at all'})",
        code="nothing_fits",
        hint=hint,
        context={"offers": table(verdicts)},
    )


def over_ceiling(verdicts: Sequence[Verdict], ceiling: Decimal, limits: Limits) -> SpecError:
    """Even the cheapest costs more than the ceiling: say what it costs."""
    cheapest = min(verdicts, key=lambda v: price.least_ceiling(rung_in(v), limits))
    kept = price.kept(cheapest.offer, limits)
    suggested = price.suggested_ceiling(rung_in(cheapest).usd_p90 + kept)
    return SpecError(
        f"the ceiling of {price.money(ceiling)} is too low: the cheapest that fits is "
        f"{in_words(cheapest)}, and {price.money(kept)} are kept back for the machine's end",
        code="ceiling_too_low",
        hint=f"--budget {suggested}, or less work: fewer --epochs, --minutes, a smaller model",
        context={
            "ceiling_usd": str(ceiling),
            "suggested_usd": suggested,
            "offers": table(verdicts[:SHOWN]),
        },
    )


def too_slow(verdicts: Sequence[Verdict], hours: float) -> SpecError:
    """Even the fastest takes longer than a machine may live."""
    fastest = min(verdicts, key=lambda v: rung_in(v).hours_p50)
    return SpecError(
        f"a machine may live {price.hours(hours)}, and the fastest that fits is {in_words(fastest)}",
        code="hours_too_few",
        hint="--set where.max_hours=N allows more; --minutes, fewer --epochs or a smaller model "
        "need less",
        context={"max_hours": hours, "offers": table(verdicts[:SHOWN])},
    )


def budget_needed(first: Verdict, verdicts: Sequence[Verdict]) -> SpecError:
    """Nobody stated a ceiling: the figures, and one that would do."""
    rung = rung_in(first)
    suggested = price.suggested_ceiling(rung.usd_p90)
    return SpecError(
        f"this costs money and needs a ceiling; expected on {in_words(first)}",
        code="budget_needed",
        hint=f"--budget {suggested}: the job ends there at the latest, with what is trained saved",
        context={
            "suggested_usd": suggested,
            "usd_p50": str(rung.usd_p50),
            "usd_p90": str(rung.usd_p90),
            "offers": table(verdicts[:SHOWN]),
        },
    )
