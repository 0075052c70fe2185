"""How a rented job stands, in the words and figures that every face shows."""

from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from podtune.app import machine_view
from podtune.app.machine_view import MachineView
from podtune.core.job import Job
from podtune.core.states import JobPhase
from podtune.core.units import gib
from podtune.core.wire import TrainingStatus
from podtune.planning import price
from podtune.workflow.rental import offer_of


class Standing(NamedTuple):
    """A rented job at one moment."""

    job: Job
    spent: Decimal
    """Dollars so far, by our own meter."""
    view: MachineView | None
    """What its machine was last seen doing."""
    now: datetime
    alarm_s: float
    """After so long without proof, an unwanted machine is a leak risk."""

    @property
    def ceiling(self) -> Decimal:
        """Dollars the job may cost."""
        return self.job.plan.price.max_usd if self.job.plan.price else Decimal(0)

    @property
    def hourly(self) -> Decimal:
        """Dollars an hour of the machine that is ordered or rented."""
        return offer_of(self.job).hourly

    def money(self) -> str:
        """Cost against ceiling.

        `$0.12 of $5.00`, and the price while something is rented.
        """
        hourly = f" at {price.money(self.hourly)}/h" if self.is_billed else ""
        return f"{price.money(self.spent)} of {price.money(self.ceiling)}{hourly}"

    @property
    def is_billed(self) -> bool:
        """Whether a machine of it may exist now."""
        return self.job.intent_at is not None and self.job.proof is None

    def leak(self) -> str | None:
        """`LEAK RISK $0.44/h`, while an unwanted machine is not proved gone in time."""
        since = self.job.unproved_since(self.now, self.alarm_s)
        if since is None:
            return None
        return f"LEAK RISK {price.money(self.hourly)}/h: not proved gone since {since:%H:%M:%S} UTC"

    def doing(self) -> str:
        """What goes on before and around the training, in plain words; empty while it trains."""
        job, view = self.job, self.view
        if job.hindrance:
            return job.hindrance
        if job.phase is JobPhase.PROVISIONING and job.instance_id is None:
            return f"waiting for a machine: {offer_of(job).name}"
        if job.phase is JobPhase.TERMINATING:
            kept = job.kept_until is not None and self.now < job.kept_until
            if kept and job.kept_until is not None:
                return f"kept until {job.kept_until:%H:%M:%S} UTC: podtune ssh {job.id}"
            return "ending the machine, until it is proved gone"
        if view is None or view.attempt != job.attempt:
            return ""
        if view.total_bytes:
            return f"{view.detail}: {_size(view.done_bytes)} of {_size(view.total_bytes)}"
        if view.step in ("installing", "checking"):
            return f"{view.step}: {view.detail}"
        if job.phase is JobPhase.PROVISIONING:
            return view.detail
        return ""

    def load(self) -> str:
        """Load of the cards: `GPU 93 %, 38.2 GiB`; empty where nobody says."""
        cards = self.view.gpus if self.view else ()
        parts: list[str] = []
        for card in cards:
            if card.util is not None:
                used = card.memory_used_bytes
                memory = f", {gib(used)}" if used is not None else ""
                parts.append(f"GPU {card.util:.0f} %{memory}")
        return "; ".join(parts)

    def told(self, status: TrainingStatus) -> TrainingStatus:
        """A status with what only its machine's provider knows: the card's load, and what is amiss."""
        amiss = tuple(text for text in (self.leak(), self.job.hindrance) if text)
        card = self.view.gpus[0] if self.view and self.view.gpus else None
        metrics = status.metrics
        if metrics.gpu_utilization is None and card is not None and not self.job.is_leaving:
            metrics = metrics.model_copy(update={"gpu_utilization": card.util})
        return status.model_copy(
            update={"warnings": (*amiss, *status.warnings), "metrics": metrics}
        )

    def hint(self, last_event: datetime | None) -> str | None:
        """What the card's load suggests, where the worker itself has long said nothing."""
        since = last_event or self.job.intent_at
        quiet = since is not None and (self.now - since).total_seconds() > machine_view.HINT_AFTER_S
        if not quiet or self.view is None or self.job.phase is not JobPhase.TRAINING:
            return None
        guess = machine_view.hint(self.view)
        return f"by the card's load: {guess}" if guess else None


def _size(size: int) -> str:
    if size < 1e6:
        return f"{size / 1e3:.0f} kB"
    return f"{size / 1e6:.0f} MB" if size < 1e9 else gib(size)
