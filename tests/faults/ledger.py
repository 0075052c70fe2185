"""What really happened in a simulation: all that the auditor may read besides the rows. For tests only.

Filled by the world's side (the stand-in cloud, the wire, the commits), never by what podtune believes.
"""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

from podtune.core.job import Job
from podtune.workflow.intents import Intent
from podtune.workflow.outbox import Message
from podtune.workflow.store import LogEntry


class Machine(NamedTuple):
    """A pod that was made."""

    id: str
    name: str
    made_at: datetime
    ended_at: datetime | None
    usd: Decimal
    """By the cloud's own meter."""
    is_second: bool
    """RunPod made it besides another, for one order; or for one that a driver sent which had stood still
    since it last looked whether the job is still its own."""


class Wish(NamedTuple):
    """What a committed write made of a job."""

    at: datetime
    """By the cloud's clock."""
    phase: str
    attempt: int
    outcome: str | None
    proved: bool
    """Whether this write holds the proof of absence."""
    by_clock: datetime
    """The clock of whoever wrote it."""


class Callback(NamedTuple):
    """A message that an application received."""

    id: str
    body: str


@dataclass
class Ledger:
    """One simulation's facts."""

    machines: list[Machine] = field(default_factory=list[Machine])
    writes: list[Wish] = field(default_factory=list[Wish])
    """Every committed change of the job, in order."""
    notes: list[str] = field(default_factory=list[str])
    """Every line that a committed write put into the job's log."""
    messages: list[Message] = field(default_factory=list[Message])
    """Every message that a committed write put into the outbox."""
    callbacks: list[Callback] = field(default_factory=list[Callback])
    is_receiver_up: bool = True
    """Whether the application took callbacks in the end."""
    is_unwanted: bool = False
    """Whether it said that it wants none any more."""
    hosts: set[str] = field(default_factory=set[str])
    """To whom requests were sent."""
    asked: list[str] = field(default_factory=list[str])
    """Request lines."""
    busiest_minute: int = 0
    """Requests to the control plane in one minute, by podtune's drivers."""
    refused: list[datetime] = field(default_factory=list[datetime])
    """When a fault struck a request that could have led to a machine's end."""
    kept_alive: list[datetime] = field(default_factory=list[datetime])
    """When a fault struck a request for a machine's end."""
    reaped_early: list[str] = field(default_factory=list[str])
    """Machines that the second host ended before their deadline."""
    log: list[str] = field(default_factory=list[str])
    """What was logged."""
    counts: Counter[str] = field(default_factory=Counter[str])
    """Kills, freezes, and what else the run counts."""
    points: int = 0
    """Points passed."""


class Rows(NamedTuple):
    """How everything stands at the end."""

    job: Job
    orders: tuple[Intent, ...]
    log: tuple[LogEntry, ...]
    outbox: tuple[Message, ...]
    folder: Path
    dump: str
    """All tables as text."""


class Audit(NamedTuple):
    """What the invariants are checked on."""

    ledger: Ledger
    rows: Rows
    secrets: tuple[str, ...]
    """Planted; none may stand anywhere."""
    allowed: frozenset[str]
    """Hosts that may be asked."""
    problem: str | None = None
    """Why the simulation could not be brought to its end."""
