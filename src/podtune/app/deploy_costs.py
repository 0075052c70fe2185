"""What an endpoint costs: nothing while it is idle, its workers by the hour, its volume by the month."""

from decimal import ROUND_UP, Decimal
from typing import Final

from pydantic import BaseModel, ConfigDict

from podtune.app.deploy_wish import Wish
from podtune.app.gpu_pools import PoolChoice
from podtune.core.units import duration, plural
from podtune.providers.runpod.audit import VOLUME_USD_PER_GB_MONTH
from podtune.providers.runpod.wire import Volume

_CENT: Final = Decimal("0.01")


class Costs(BaseModel):
    """Dollars, rounded up to a cent; None where RunPod does not say."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    worker_usd_per_hour: Decimal | None
    """One worker, while it runs: from its start to its end."""
    idle_usd_per_hour: Decimal | None
    """While no job is there: the workers that always run."""
    most_usd_per_hour: Decimal | None
    """With as many workers as it may have."""
    longest_job_usd: Decimal | None
    """A job that runs until its limit, and the worker's wait for another."""
    volume_usd_per_month: Decimal | None
    """Whether the endpoint is used or not; None without a volume."""

    def lines(self, wish: Wish) -> tuple[str, ...]:
        """The same for people."""
        if self.worker_usd_per_hour is None:
            price = "RunPod does not say what a worker of these cards costs an hour"
        else:
            price = f"${self.worker_usd_per_hour} an hour for each worker that runs"
        limits = (
            f"never more than {plural(wish.workers_max, 'worker')}"
            + (f" (${self.most_usd_per_hour} an hour)" if self.most_usd_per_hour else "")
            + f", a job ends after {duration(wish.timeout_s)}"
            + (f" (${self.longest_job_usd})" if self.longest_job_usd else "")
            + f", a worker {wish.idle_timeout_s} s after its last job"
        )
        idle = f"${self.idle_usd_per_hour or Decimal(0)} an hour while no job is there"
        if wish.workers_min and self.idle_usd_per_hour is None:
            idle = f"{wish.workers_min} workers bill while no job is there"
        volume = (
            (f"the volume ${self.volume_usd_per_month} a month, used or not",)
            if self.volume_usd_per_month
            else ()
        )
        return (idle, price, limits, *volume)


def costs_of(wish: Wish, choice: PoolChoice, volume: Volume | None) -> Costs:
    """What an endpoint of a wish costs at the dearest of its cards."""
    price = choice.usd_per_hour
    billed_s = wish.timeout_s + wish.idle_timeout_s
    return Costs(
        worker_usd_per_hour=up(price),
        idle_usd_per_hour=None if price is None else up(price * wish.workers_min),
        most_usd_per_hour=None if price is None else up(price * wish.workers_max),
        longest_job_usd=None if price is None else up(price * billed_s / 3600),
        volume_usd_per_month=volume_month(volume),
    )


def volume_month(volume: Volume | None) -> Decimal | None:
    """Dollars a month of a network volume; None where there is none or its size is not said."""
    if volume is None or not volume.size:
        return None
    return up(VOLUME_USD_PER_GB_MONTH * volume.size)


def up(amount: Decimal | None) -> Decimal | None:
    """An amount rounded up to a cent."""
    return None if amount is None else amount.quantize(_CENT, rounding=ROUND_UP)
