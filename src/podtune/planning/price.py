"""What a job costs on a rented machine: everything that is billed, from order to proved absence.

Money is `Decimal`, rounded up. Durations that nobody has measured yet are marked so here; the
figures of a plan say p50 (as likely more as less) and p90 (nine of ten jobs take less).
"""

import math
from decimal import ROUND_UP, Decimal
from typing import Final, NamedTuple

from podtune.core.limits import Limits
from podtune.core.offer import Offer, Stock
from podtune.core.plan import BaseModelFacts, Device, Rung, TimeEstimate

CENT_PART: Final = Decimal("0.0001")
"""Dollars are kept to a hundredth of a cent."""


class Range(NamedTuple):
    """A figure at p50 and at p90."""

    p50: float
    p90: float


START_S: Final = Range(60, 240)
"""From the order to the first word. A cached image took 33 s, a cold pull of 16.3 GB 165-169 s
(`reference/runpod.md` 1.2, seen by others in 2026); p90 leaves room for a slow host."""

INSTALL_S: Final = Range(75, 200)
"""Libraries from the package index, without torch. Assumed 2026-11-22; replaced once measured."""

MODEL_BYTES_PER_S: Final = Range(200e6, 50e6)
"""From the Hub into a data centre. Assumed 2026-11-22."""

SENT_BYTES_PER_S: Final = Range(4e6, 1e6)
"""From this machine to a pod's port: a line of 32 Mbit/s up, p90 of 8. Assumed 2026-11-22."""

FETCHED_BYTES_PER_S: Final = Range(8e6, 2e6)
"""From a pod's port to this machine. Assumed 2026-11-22."""

END_S: Final = Range(15, 45)
"""From the last byte fetched to a machine that is billed no more. Assumed 2026-11-22."""

TRAINING_P90: Final = 2.0
"""p90 of a training's time over p50 on a card nobody has trained on: the speed follows from a data
sheet and an assumed utilisation, which may be off by half. Assumed 2026-11-22."""

MEASURED_P90: Final = 1.25
"""The same once a run on that card was measured: hosts of one kind differ. Assumed 2026-11-22."""

AROUND_P90: Final = 1.5
"""p90 over p50 of loading, answers, saving and proof. Assumed 2026-11-22."""

BUNDLE_BYTES: Final = 3_000_000
"""Our wheel and the lock in a bundle; the data come on top. Counted 2026-11-22, rounded up."""

ADAPTER_BYTES_PER_PARAMETER: Final = 4
"""The adapter is saved in fp32."""

STORED_BYTES_PER_PARAMETER: Final = 2
"""Of a base model on the Hub, where the Hub does not say how large it is: bf16."""

LIBRARIES_GB: Final = 10
"""Installed libraries and caches on the volume. Assumed 2026-11-22; torch is in the image."""

CHECKPOINTS_KEPT: Final = 3
"""Checkpoints on the volume at the same time, the one being written included."""

CHECKPOINT_BYTES_PER_PARAMETER: Final = 12
"""Adapter and two AdamW moments in fp32 (`reference/training.md` section 7: 3.1 x the adapter)."""

STOCK_WEIGHT: Final = {
    Stock.HIGH: Decimal(1),
    Stock.MEDIUM: Decimal("1.1"),
    Stock.LOW: Decimal("1.5"),
}
"""What an offer's expected cost counts as, by its stock: an order that fails costs time. Chosen."""

WAITING_PER_HOUR: Final = Decimal("0.02")
"""By how much an hour of waiting raises what an offer's cost counts as: of two that cost about the
same, the faster is tried first. Chosen."""

MARGIN: Final = Decimal("1.5")
"""The ceiling that is suggested, over p90."""

FRIENDLY: Final = (1, 2, 3, 5, 8, 10, 15, 20, 25, 30, 40, 50, 75, 100)
"""Ceilings that are suggested, in dollars; over the last in steps of fifty."""


class Traffic(NamedTuple):
    """What travels besides the training."""

    model_bytes: int
    """Base model that the pod fetches from the Hub; 0 where it comes from here."""
    sent_bytes: int
    """From this machine to the pod."""
    adapter_bytes: int


def traffic(facts: BaseModelFacts, *, data_bytes: int, adapter_parameters: int) -> Traffic:
    """What a job of this model moves: a model that is a folder here is sent, others are fetched."""
    size = model_bytes(facts)
    is_sent = facts.source == "path"
    return Traffic(
        model_bytes=0 if is_sent else size,
        sent_bytes=BUNDLE_BYTES + data_bytes + (size if is_sent else 0),
        adapter_bytes=ADAPTER_BYTES_PER_PARAMETER * adapter_parameters,
    )


def model_bytes(facts: BaseModelFacts) -> int:
    """Size of the base model's files."""
    return facts.download_bytes or STORED_BYTES_PER_PARAMETER * facts.total_parameters


def volume_gb(facts: BaseModelFacts, adapter_parameters: int) -> int:
    """Disk a job needs at `/workspace`: model, libraries, checkpoints, and a fifth on top; in GB."""
    held = model_bytes(facts)
    held += CHECKPOINTS_KEPT * CHECKPOINT_BYTES_PER_PARAMETER * adapter_parameters
    return math.ceil(1.2 * (held / 1e9 + LIBRARIES_GB))


def seconds(
    time: TimeEstimate, moved: Traffic, *, measured: bool, idle_s: float | None = None
) -> Range:
    """Seconds that are billed.

    `idle_s`: how long a worker of a queue stays after the job; its image has all libraries. None of a machine
    of the job's own.
    """
    fixed = [START_S, INSTALL_S, END_S] if idle_s is None else [START_S, Range(idle_s, idle_s)]
    fixed += [
        Range(size / speed.p50, size / speed.p90)
        for size, speed in (
            (moved.model_bytes, MODEL_BYTES_PER_S),
            (moved.sent_bytes, SENT_BYTES_PER_S),
            (moved.adapter_bytes, FETCHED_BYTES_PER_S),
        )
    ]
    slow = MEASURED_P90 if measured else TRAINING_P90
    p50 = time.training_s + time.around_s + sum(part.p50 for part in fixed)
    p90 = slow * time.training_s + AROUND_P90 * time.around_s + sum(part.p90 for part in fixed)
    return Range(p50, p90)


def tail_s(time: TimeEstimate, adapter_parameters: int) -> float:
    """Seconds from the last step to a machine that is billed no more, p50.

    Half of what is around a training comes behind it: the second load of the model, and the answers after.
    """
    fetched = ADAPTER_BYTES_PER_PARAMETER * adapter_parameters / FETCHED_BYTES_PER_S.p50
    return time.around_s / 2 + fetched + END_S.p50


def rung(offer: Offer, device: Device, billed: Range) -> Rung:
    """An offer with what the job takes and costs on it."""
    return Rung(
        offer=offer,
        device=device,
        hours_p50=_hours(billed.p50),
        hours_p90=_hours(billed.p90),
        usd_p50=dollars(offer.hourly, billed.p50),
        usd_p90=dollars(offer.hourly, billed.p90),
    )


def dollars(hourly: Decimal, seconds: float) -> Decimal:
    """What so many seconds cost, rounded up.

    >>> dollars(Decimal("0.40"), 1800)
    Decimal('0.2000')
    """
    cost = hourly * Decimal(math.ceil(seconds)) / 3600
    return cost.quantize(CENT_PART, rounding=ROUND_UP)


def kept(offer: Offer, limits: Limits) -> Decimal:
    """Dollars of a ceiling that are kept back for a machine that outlives its deadline."""
    return dollars(offer.hourly, limits.overrun_reserve_s)


def least_ceiling(rung: Rung, limits: Limits) -> Decimal:
    """The least ceiling under which a rung is ordered: its p50, and what is kept back on top.

    No machine is ordered that lives no longer than it takes to bring its work away (`workflow.rental`).
    """
    shortest = dollars(rung.offer.hourly, limits.upload_reserve_s + 1)
    return max(rung.usd_p50, shortest) + kept(rung.offer, limits)


def score(rung: Rung) -> Decimal:
    """What the ladder is ordered by, the least first: expected dollars by stock and by waiting."""
    waiting = 1 + WAITING_PER_HOUR * Decimal(str(rung.hours_p50))
    return rung.usd_p50 * STOCK_WEIGHT[rung.offer.stock] * waiting


def suggested_ceiling(usd_p90: Decimal) -> int:
    """A ceiling in whole dollars that nine of ten jobs stay well under.

    >>> suggested_ceiling(Decimal("0.62")), suggested_ceiling(Decimal("7.1"))
    (1, 15)
    """
    wanted = usd_p90 * MARGIN
    friendly = next((amount for amount in FRIENDLY if amount >= wanted), None)
    return friendly or 50 * math.ceil(wanted / 50)


def money(amount: Decimal | float) -> str:
    """Dollars as people read them: cents, and never $0.00 for something that costs.

    >>> money(Decimal("0.0004")), money(Decimal(0)), money(Decimal("3.005"))
    ('$0.01', '$0.00', '$3.01')
    """
    exact = Decimal(str(amount))
    return f"${exact.quantize(Decimal('0.01'), rounding=ROUND_UP):,}"


def quote_error(cost: Decimal, quoted: Decimal) -> float | None:
    """By how much a cost is off what was quoted, as a share of the quote; None where nothing was quoted.

    >>> quote_error(Decimal("0.30"), Decimal("0.25"))
    0.2
    """
    return round(float((cost - quoted) / quoted), 4) if quoted > 0 else None


def off_by(error: float) -> str:
    """A quote error as people read it.

    >>> off_by(0.2), off_by(-0.051), off_by(0.001)
    ('20 % more', '5 % less', 'just that')
    """
    percent = round(100 * abs(error))
    return f"{percent:,} % {'more' if error > 0 else 'less'}" if percent else "just that"


def hours(amount: float) -> str:
    """Hours as people read them: minutes below one and a half.

    >>> hours(0.2), hours(2.26), hours(30)
    ('12 min', '2.3 h', '30 h')
    """
    if amount < 1.5:
        return f"{max(1, round(60 * amount))} min"
    return f"{amount:.1f} h" if amount < 10 else f"{amount:.0f} h"


def _hours(seconds: float) -> float:
    """Hours to a ten-thousandth, never none at all."""
    return max(0.0001, math.ceil(seconds / 0.36) / 10_000)
