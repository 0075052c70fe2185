"""What a rented job may order, pure: its offer, the machine's name, and how long it may live."""

from datetime import datetime, timedelta
from decimal import Decimal

from podtune.core.job import Job
from podtune.core.offer import Offer
from podtune.core.plan import PriceEstimate
from podtune.workflow.steps import Seen


def name_of(job: Job, deadline: datetime) -> str:
    """The unique name of an attempt's machine; whoever holds the key can tell when it is overdue."""
    return f"pt-{job.owner}-{job.id}-{job.attempt}-x{int(deadline.timestamp())}"


def offer_of(job: Job) -> Offer:
    """What the job has ordered, or orders next."""
    return price_of(job).ladder[job.rung].offer


def deadline_of(job: Job, seen: Seen) -> datetime:
    """When a machine ordered now has to be gone: by its hours and by the money left, in whole seconds.

    Hours count from the run's first order, money from the job's first attempt: neither begins again
    with another attempt.
    """
    price, hourly = price_of(job), offer_of(job).hourly
    by_hours = (job.first_intent_at or seen.now) + timedelta(hours=price.max_hours)
    if hourly <= 0:
        return by_hours.replace(microsecond=0)
    return min(by_hours, money_ends(job, seen, hourly)).replace(microsecond=0)


def money_ends(job: Job, seen: Seen, usd_per_hour: Decimal) -> datetime:
    """When a machine of this price has used up what is left of the ceiling now."""
    left = max(Decimal(0), price_of(job).max_usd - seen.spent)
    return seen.now + timedelta(seconds=min(int(left / usd_per_hour * 3600), 10**8))


def price_of(job: Job) -> PriceEstimate:
    """What a rented job may cost, and its ladder."""
    assert job.plan.price is not None, "only rented jobs come here"
    return job.plan.price
