"""Many schedules one after another, in several processes; what went wrong, by seed. For tests only."""

import multiprocessing
import resource
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Final

from faults import invariants
from faults.ledger import Audit
from faults.schedule import Schedule, draw
from faults.stage import Stage
from faults.world import World

BAD: Final = {
    "leaks": ("i1_no_machine_left", "proof_for_every_machine"),
    "double launches": ("i6_one_machine_at_a_time",),
    "over-spend": ("i2_billed_within_the_ceiling", "i2_meter_covers_the_bill", "i2_reserved_in_time"),
    "unfinished": ("i3_every_job_is_terminal", "i3_terminal_never_changes"),
    "wrong callbacks": ("i4_one_terminal_callback",),
    "leaked secrets": ("i9_no_secret_shown",),
    "other": (
        "i5_completed_means_whole", "i7_no_event_lost", "i8_no_other_host", "i10_bounded", "no_early_end",
        "defect",
    ),
}  # fmt: skip
"""Rows of the table that must be 0, and the invariants they count."""

Mutant = Callable[[], Any]


@dataclass
class Tally:
    """What came of some schedules."""

    schedules: int = 0
    counts: Counter[str] = field(default_factory=Counter[str])
    """Kills, freezes, recoveries, machines, outcomes."""
    bad: Counter[str] = field(default_factory=Counter[str])
    """Invariant -> schedules that broke it."""
    failures: list[tuple[str, dict[str, list[str]]]] = field(
        default_factory=list[tuple[str, dict[str, list[str]]]]
    )
    """How to replay each, and what was wrong."""

    def add(self, name: str, audit: Audit | None, wrong: dict[str, list[str]]) -> None:
        self.schedules += 1
        self.bad.update(wrong.keys())
        if wrong:
            self.failures.append((name, wrong))
        if audit is None:
            return
        job = audit.rows.job
        self.counts.update(audit.ledger.counts)
        self.counts["recoveries"] += job.recoveries
        self.counts["machines"] += len(audit.ledger.machines)
        self.counts[str(job.outcome)] += 1

    def join(self, other: "Tally") -> None:
        self.schedules += other.schedules
        self.counts.update(other.counts)
        self.bad.update(other.bad)
        self.failures += other.failures

    def bad_of(self, row: str) -> int:
        """How many schedules a row of the table counts."""
        return sum(1 for _, wrong in self.failures if set(wrong) & set(BAD[row]))


def play(stage: Stage, schedule: Schedule) -> tuple[Audit | None, dict[str, list[str]]]:
    """Run one schedule, and say what is wrong."""
    try:
        audit = World(stage, schedule).run()
    except Exception as error:  # noqa: BLE001 - a defect of the loop itself is a finding like any other
        return None, {"defect": [f"{type(error).__name__}: {error}"]}
    return audit, invariants.broken(audit)


def run(seeds: Sequence[int], stage: Stage) -> Tally:
    """Schedules of some seeds in this process."""
    tally = Tally()
    for seed in seeds:
        audit, wrong = play(stage, draw(seed))
        tally.add(f"SCHEDULES=1 SEED={seed}", audit, wrong)
    return tally


def run_in_processes(seeds: Sequence[int], processes: int, piece: int = 50) -> Iterator[Tally]:
    """The same, spread over processes; a tally for each piece as it is done."""
    pieces = [seeds[at : at + piece] for at in range(0, len(seeds), piece)]
    with _pool(processes) as pool:
        yield from pool.imap_unordered(_run_piece, pieces)


@contextmanager
def _pool(processes: int) -> Iterator[Any]:
    """Processes that each set their own stage up once, and take it down at their end."""
    with multiprocessing.get_context("fork").Pool(processes) as pool:
        yield pool


def _run_piece(seeds: Sequence[int]) -> Tally:
    with Stage() as stage, stage.playing():
        return run(seeds, stage)


def first_caught(
    seeds: Sequence[int], mutant: Mutant | None = None
) -> tuple[int, list[str]] | None:
    """The first seed whose schedule a mutant does not survive, and by which invariants.

    A schedule that breaks without the mutant catches nothing.
    """
    with Stage() as stage, stage.playing():
        for seed in seeds:
            with mutant() if mutant else nullcontext():
                _, wrong = play(stage, draw(seed))
            if wrong and set(wrong) - set(play(stage, draw(seed))[1]):
                return seed, sorted(wrong)
    return None


def cpu_s() -> float:
    """CPU seconds of this process and of those it waited for."""
    own, children = (
        resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime
