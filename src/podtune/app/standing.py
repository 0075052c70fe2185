"""How a rented job stands, in the words and figures that every face shows."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final, NamedTuple

from podtune.app import leaks, machine_view, settling
from podtune.app.machine_view import MachineView
from podtune.core.job import Job
from podtune.core.limits import DEFAULTS
from podtune.core.states import JobPhase, Outcome
from podtune.core.units import gib
from podtune.core.wire import TrainingStatus
from podtune.planning import price
from podtune.workflow import intents
from podtune.workflow.intents import UNSEEN, Intent
from podtune.workflow.recovery import is_fault_of_machine
from podtune.workflow.rental import is_ended_by_money, offer_of

A_CENT: Final = Decimal("0.01")
"""A bill that is higher than our meter by no more says nothing: both are rounded."""


class Standing(NamedTuple):
    """A rented job at one moment."""

    job: Job
    spent: Decimal
    """Dollars so far: by our own meter, or by the bill where that is higher."""
    view: MachineView | None
    """What its machine was last seen doing."""
    now: datetime
    alarm_s: float
    """After so long without proof, an unwanted machine is a leak risk."""
    orders: Sequence[Intent] = ()
    """Every machine that was ordered for it."""
    checkpoint: int | None = None
    """Step of the newest checkpoint that is here, where the job goes on from it."""
    max_recoveries: int = DEFAULTS.max_recoveries
    """How often it may go on with another machine by itself."""
    amiss: tuple[str, ...] = ()
    """What is amiss with the account besides: leak risks of other machines, a provider that does not answer."""

    @property
    def ceiling(self) -> Decimal:
        """Dollars the job may cost."""
        return self.job.plan.price.max_usd if self.job.plan.price else Decimal(0)

    @property
    def hourly(self) -> Decimal:
        """Dollars an hour of the machine that is ordered or rented."""
        return offer_of(self.job).hourly

    @property
    def quote(self) -> Decimal:
        """Dollars the plan expected, p50."""
        return self.job.plan.price.first.usd_p50 if self.job.plan.price else Decimal(0)

    @property
    def reserved(self) -> Decimal:
        """Dollars of the ceiling that are spent, or set aside for a machine that may run until its deadline."""
        return max(self.spent, intents.held(self.orders, self.now))

    @property
    def metered(self) -> Decimal:
        """Dollars by our own meter alone."""
        return intents.metered(self.orders, self.now)

    @property
    def billed(self) -> Decimal | None:
        """Dollars by the provider's final bill; None while it lacks a machine."""
        return intents.billed(self.orders)

    @property
    def quote_error(self) -> float | None:
        """By how much a completed job's cost is off its quote, as a share; None of any other."""
        if self.job.outcome is not Outcome.COMPLETED or not self.job.is_finished:
            return None
        cost = self.spent if self.billed is None else self.billed
        return price.quote_error(cost, self.quote)

    def cost(self) -> str:
        """`$0.12 of $5.00`."""
        return f"{price.money(self.spent)} of {price.money(self.ceiling)}"

    def money(self) -> str:
        """Cost against ceiling.

        `$4.12 of $5.00, at $0.44/h; 82 % of the ceiling`: the price while something is rented, the share
        once a warning was given.
        """
        if not self.is_billed:
            return self.cost()
        share = self.spent / self.ceiling if self.ceiling else Decimal(0)
        warned = f"; {share:.0%}".replace("%", " %") + " of the ceiling"
        hourly = f", at {price.money(self.hourly)}/h"
        return self.cost() + hourly + (warned if self.job.warned_at else "")

    def forecast(self) -> str:
        """What it will cost by what was measured: `$0.35 in all, measured`; empty without."""
        requote = self.job.requote
        if requote is None or self.job.is_leaving:
            return ""
        return f"{price.money(requote.usd)} in all, measured"

    def quoted(self) -> str:
        """What the plan expected, and how the cost compares to it."""
        told = [f"{price.money(self.quote)} by the plan"]
        forecast, error = self.forecast(), self.quote_error
        if forecast and self.job.requote is not None:
            ends = self.job.requote.ends_at.astimezone()
            told.append(f"{forecast} over {self.job.requote.steps} steps; done about {ends:%H:%M}")
        if error is not None:
            told.append(f"it cost {price.off_by(error)}")
        return "; ".join(told)

    def bill(self) -> str:
        """What the provider's bill says of a job whose machines are gone; empty before, or without any."""
        made = [order for order in self.orders if order.instance_id is not None]
        if not made or any(order.absent_at is None for order in made):
            return ""
        meter = f"{price.money(self.metered)} by our meter"
        if self.billed is not None:
            return f"{price.money(self.billed)} by RunPod's bill, {meter}"
        if self.job.has_queue:
            return f"{meter}; RunPod bills endpoints by the hour, not by the job: see {_billing_page()}"
        if any(order.instance_id == UNSEEN for order in made):
            return f"{meter}; a machine was ended before its id was known, so its bill cannot be asked for"
        if any(settling.is_given_up(order, self.now) for order in made):
            days = settling.GIVEN_UP_AFTER.days
            return f"{meter}; RunPod told no bill within {days} days: see {_billing_page()}"
        return f"{meter}; RunPod's bill is not final yet, later commands ask for it"

    def excess(self) -> str | None:
        """By how much the bill is over our meter or the ceiling; None where it is not."""
        if self.billed is None or self.billed <= min(self.metered, self.ceiling) + A_CENT:
            return None
        limits = ((self.metered, "our meter says"), (self.ceiling, "the ceiling allows"))
        over = [
            f"{price.money(self.billed - limit)} more than {name}"
            for limit, name in limits
            if self.billed > limit + A_CENT
        ]
        return (
            f"RunPod billed {price.money(self.billed)}, {' and '.join(over)}: look at the machine's hours "
            f"at {_billing_page()}, and whether `podtune runpod audit` shows one that should be gone"
        )

    def shortfall(self) -> str | None:
        """That the machine ends before the training does, by what was measured; None where it does not."""
        requote, deadline = self.job.requote, self.job.deadline
        if (
            not self.forecast()
            or requote is None
            or deadline is None
            or requote.ends_at <= deadline
        ):
            return None
        more = "a higher --budget"
        if not is_ended_by_money(self.job):
            more = "more hours: --set where.max_hours=H"
        return (
            f"not all of it will be trained: that takes {self.forecast()}, until {requote.ends_at:%H:%M} UTC; "
            f"the machine ends at {deadline:%H:%M} UTC, saved as far as it is trained. To train all of it: "
            f"podtune cancel {self.job.id}, then submit it with {more}"
        )

    def warnings(self) -> tuple[str, ...]:
        """What is amiss with its money."""
        warned = self.money() if self.job.warned_at is not None and self.is_billed else None
        return tuple(text for text in (self.excess(), self.shortfall(), warned) if text)

    def figures(self) -> Mapping[str, float | None]:
        """The money for programs, in dollars to the micro-dollar."""
        requote = self.job.requote
        return {
            "cost_usd": _float(self.spent),
            "ceiling_usd": _float(self.ceiling),
            "reserved_usd": _float(self.reserved),
            "quote_usd": _float(self.quote),
            "requote_usd": _float(requote.usd) if requote else None,
            "billed_usd": None if self.billed is None else _float(self.billed),
            "quote_error": self.quote_error,
        }

    @property
    def is_billed(self) -> bool:
        """Whether a machine of it may exist now."""
        return self.job.intent_at is not None and self.job.proof is None

    def leak(self) -> str | None:
        """`LEAK RISK $0.44/h`, while an unwanted machine is not proved gone in time."""
        since = self.job.unproved_since(self.now, self.alarm_s)
        if since is None:
            return None
        return leaks.words(self.hourly, since, self.now)

    def doing(self) -> str:
        """What goes on before and around the training, in plain words; empty while it trains."""
        job, view = self.job, self.view
        if job.hindrance:
            return job.hindrance
        if job.phase is JobPhase.PROVISIONING and job.instance_id is None:
            return "; ".join(
                filter(None, (f"waiting for a machine: {offer_of(job).name}", self.going_on()))
            )
        if job.phase is JobPhase.TERMINATING:
            kept = job.kept_until is not None and self.now < job.kept_until
            if kept and job.kept_until is not None:
                return f"kept until {job.kept_until:%H:%M:%S} UTC: podtune ssh {job.id}"
            return self.going_on() or "ending the machine, until it is proved gone"
        if job.phase is JobPhase.STAGING:
            return self.going_on()
        if view is None or view.attempt != job.attempt:
            return ""
        if view.total_bytes:
            return f"{view.detail}: {_size(view.done_bytes)} of {_size(view.total_bytes)}"
        if view.step in ("installing", "checking"):
            return f"{view.step}: {view.detail}"
        if job.phase is JobPhase.PROVISIONING:
            return view.detail
        return ""

    def going_on(self) -> str:
        """That the job goes on with another machine, and from where; empty of one that does not."""
        job = self.job
        begins = job.phase in (JobPhase.STAGING, JobPhase.PROVISIONING) and job.recoveries > 0
        if job.recovering is None and not begins:
            return ""
        number = job.recoveries + (job.recovering is not None)
        step = "the beginning" if self.checkpoint is None else f"checkpoint step {self.checkpoint}"
        told = f"going on with another from {step} ({number} of {self.max_recoveries})"
        if job.recovering is None:
            return told
        state = "unfit" if is_fault_of_machine(job.recovering) else "lost"
        return f"the machine was {state} ({job.recovering}): {told}"

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
        told = (
            self.leak(), self.job.hindrance, self.going_on(), *self.amiss, *self.warnings()
        )  # fmt: skip
        amiss = tuple(text for text in told if text)
        card = self.view.gpus[0] if self.view and self.view.gpus else None
        metrics = status.metrics
        if metrics.gpu_utilization is None and card is not None and not self.job.is_leaving:
            metrics = metrics.model_copy(update={"gpu_utilization": card.util})
        return status.model_copy(
            update={"warnings": (*amiss, *status.warnings), "metrics": metrics, **self.figures()}
        )

    def hint(self, last_event: datetime | None) -> str | None:
        """What the card's load suggests, where the worker itself has long said nothing."""
        since = last_event or self.job.intent_at
        quiet = since is not None and (self.now - since).total_seconds() > machine_view.HINT_AFTER_S
        if not quiet or self.view is None or self.job.phase is not JobPhase.TRAINING:
            return None
        guess = machine_view.hint(self.view)
        return f"by the card's load: {guess}" if guess else None


def _float(usd: Decimal) -> float:
    return round(float(usd), 6)


def _billing_page() -> str:
    """Imported here: most commands need nothing of the provider."""
    from podtune.providers.runpod.answers import BILLING_PAGE

    return BILLING_PAGE


def _size(size: int) -> str:
    if size < 1e6:
        return f"{size / 1e3:.0f} kB"
    return f"{size / 1e6:.0f} MB" if size < 1e9 else gib(size)
