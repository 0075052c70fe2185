"""What a rented job may order, pure: its offer, the machine's name, how long it may live and cost."""

from datetime import datetime, timedelta
from decimal import ROUND_UP, Decimal
from typing import Final

from podtune.core.job import Job
from podtune.core.limits import Limits
from podtune.core.offer import Offer
from podtune.core.plan import PriceEstimate
from podtune.workflow.steps import Seen

MICRO: Final = Decimal("0.000001")


def name_of(job: Job, deadline: datetime) -> str:
    """The unique name of an attempt's machine; whoever holds the key can tell when it is overdue."""
    return f"pt-{job.owner}-{job.id}-{job.attempt}-x{int(deadline.timestamp())}"


def offer_of(job: Job) -> Offer:
    """What the job has ordered, or orders next."""
    return price_of(job).ladder[job.rung].offer


def deadline_of(job: Job, seen: Seen, limits: Limits) -> datetime:
    """When a machine ordered now has to be gone: by its hours and by the money left, in whole seconds.

    Hours count from the run's first order, money from the job's first attempt: neither begins again
    with another attempt. The longest wait in a queue comes on top, until a worker begins.
    """
    by_hours, hourly = _hours_end(job, seen.now), offer_of(job).hourly
    if hourly > 0:
        by_hours = min(by_hours, money_ends(job, seen, hourly, limits)).replace(microsecond=0)
    return by_hours + queue_time(job, limits)


def queue_time(job: Job, limits: Limits) -> timedelta:
    """How long an order may wait before anything costs; nothing where it has a machine of its own."""
    return timedelta(seconds=limits.queue_limit_s if job.has_queue else 0)


def running_time(job: Job, limits: Limits) -> timedelta:
    """How long the machine of the order that stands may run, once it has begun."""
    if job.deadline is None or job.intent_at is None:
        return timedelta(0)
    return job.deadline - job.intent_at - queue_time(job, limits)


def money_ends(job: Job, seen: Seen, usd_per_hour: Decimal, limits: Limits) -> datetime:
    """When a machine of this price has to be gone, so that the ceiling also pays for outliving that."""
    left = max(Decimal(0), price_of(job).max_usd - seen.spent)
    paid = timedelta(seconds=min(int(left / _metered(usd_per_hour) * 3600), 10**8))
    return seen.now + paid - timedelta(seconds=limits.overrun_reserve_s)


def is_ended_by_money(job: Job) -> bool:
    """Whether it is the ceiling that sets the deadline of the machine that stands, not the hours."""
    if job.deadline is None:
        return False
    return job.deadline < _hours_end(job, job.intent_at or job.deadline)


def reserve(usd_per_hour: Decimal, begin: datetime, deadline: datetime, limits: Limits) -> Decimal:
    """Dollars that a machine can come to: from its order to its deadline, and as long as it may outlive that."""
    lives = (deadline - begin).total_seconds() + limits.overrun_reserve_s
    cost = _metered(usd_per_hour) * Decimal(str(lives)) / 3600
    return cost.quantize(MICRO, rounding=ROUND_UP)


def is_worth(deadline: datetime, now: datetime, limits: Limits, work_s: float = 0) -> bool:
    """Whether a machine ordered now lives longer than it takes to bring its work away, and `work_s` more."""
    return (deadline - now).total_seconds() > limits.upload_reserve_s + work_s


def price_of(job: Job) -> PriceEstimate:
    """What a rented job may cost, and its ladder."""
    assert job.plan.price is not None, "only rented jobs come here"
    return job.plan.price


def _metered(usd_per_hour: Decimal) -> Decimal:
    """A price as our meter counts it: in whole micro-dollars, rounded up."""
    return usd_per_hour.quantize(MICRO, rounding=ROUND_UP)


def _hours_end(job: Job, now: datetime) -> datetime:
    begun = job.first_intent_at or now
    return (begun + timedelta(hours=price_of(job).max_hours)).replace(microsecond=0)
