"""What can be rented: offers of a provider, and the ladder a plan makes of them.

Money is `Decimal` dollars. Nothing here is a price list: every offer was read from a provider's
catalogue at `fetched_at`.
"""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field


class Stock(StrEnum):
    """How likely a machine of an offer can be had now, as the provider says."""

    NONE = "none"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class Offer(BaseModel):
    """One kind of machine at one price; not a promise that one is free."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    provider: str
    """`runpod`."""
    gpu: str
    """The provider's own id, as a create names it: `NVIDIA A40`."""
    name: str
    """For people: `A40`."""
    count: int = Field(ge=1)
    """Cards of the machine."""
    vram_gib: float = Field(gt=0)
    """Memory of one card."""
    usd_per_hour: Decimal = Field(ge=0)
    """The whole machine, all its cards; disks are `disk_usd_per_hour`."""
    disk_usd_per_hour: Decimal = Field(default=Decimal(0), ge=0)
    """Container disk and volume of the planned sizes."""
    cloud: str
    """`secure` or `community`."""
    stock: Stock
    regions: tuple[str, ...] = ()
    """Data centres that have it now; empty where the provider does not say."""
    cuda: tuple[str, ...] = ()
    """CUDA versions of hosts that have it, such as `12.8`."""
    fetched_at: datetime
    idle_s: int = Field(default=0, ge=0)
    """Seconds that are billed after the work: a worker of a queue waits for the next job."""
    is_snapshot: bool = False
    """Read from a stored catalogue, as old as `fetched_at` says."""

    @property
    def hourly(self) -> Decimal:
        """Dollars an hour with disks."""
        return self.usd_per_hour + self.disk_usd_per_hour
