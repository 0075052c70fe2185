"""`make faults`: schedules, pairs of crash points, mutants, kills of real processes, a day of many jobs.

make faults                          everything
make faults SCHEDULES=200 SEED=7     the schedules of the seeds 7..206, and nothing else
"""

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "runpod-worker"), str(ROOT / "bench")]

from faults import campaign, mutants, pairs, schedule  # noqa: E402 - the path is set above
from faults.campaign import BAD, Tally  # noqa: E402
from faults.counts import Counts  # noqa: E402
from faults.real_kills import real_kills  # noqa: E402
from faults.soak import Report, soak  # noqa: E402

ALL: Final = 10_000
WITHIN: Final = 1_000
"""Schedules within which every mutant has to be caught."""
SHOWN: Final = 10
"""Failures that are printed with the line that replays them."""

OF_REAL: Final = {
    "leaks": "leaks",
    "double launches": "double_launches",
    "over-spend": "overspent",
    "unfinished": "unfinished",
    "wrong callbacks": "wrong_callbacks",
    "leaked secrets": "leaked_secrets",
    "other": "wrong_outcomes",
}
"""Rows of the table -> what the harness of real processes counts (`counts.Counts`)."""
COUNTED: Final = {
    "drivers killed in them": "kills",
    "drivers frozen in them": "freezes",
    "machines ordered": "machines",
    "machines lost and replaced": "recoveries",
    "machines ended by a reaper": "reaped",
}
"""Rows of the table -> what is counted in schedules and pairs."""

JOBS: Final = 200
HOURS: Final = 24.0
GROWTH: Final = 0.05
"""The soak: so many jobs at a time for so long, and the share by which a driver's memory may not grow."""


def main() -> int:
    """Run what is asked for; 1 where anything bad is not 0."""
    given = _arguments()
    part = given.schedules is not None or given.seed is not None
    first, count = given.seed or 0, given.schedules or (1 if part else ALL)
    began = time.monotonic()
    figures: dict[str, Any] = {
        "schedules": _schedules(range(first, first + count), given.processes)
    }
    if count == 1:
        print(schedule.to_json(schedule.draw(first)))
    if not part:
        figures["pairs"] = _pairs(given.processes)
        figures["mutants"] = _mutants(given.processes)
        figures["real"] = real_kills(all_points=True, say=_say)
        figures["soak"] = soak(JOBS, HOURS, say=_say)
    figures |= {"wall_s": round(time.monotonic() - began, 1), "cpu_s": round(campaign.cpu_s(), 1)}
    is_bad = print_table(figures)
    if given.save:
        save(figures)
    return is_bad


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--schedules", type=_number, help="that many schedules and nothing else")
    parser.add_argument("--seed", type=_number, help="the first schedule's; 0 unless given")
    parser.add_argument("--processes", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("--save", action="store_true", help="write bench/results/faults.json")
    return parser.parse_args()


def _number(text: str) -> int | None:
    return int(text) if text else None


def _schedules(seeds: Sequence[int], processes: int) -> Tally:
    tally = Tally()
    for piece in campaign.run_in_processes(seeds, processes):
        tally.join(piece)
        failed = len(tally.failures)
        _say(f"schedules {tally.schedules} of {len(seeds)}, {failed} failed")
    return tally


def _pairs(processes: int) -> Tally:
    tally = Tally()
    for piece in pairs.run_in_processes(processes):
        tally.join(piece)
        _say(f"pairs {tally.schedules}, {len(tally.failures)} failed")
    return tally


def _mutants(processes: int) -> dict[str, int | None]:
    caught: dict[str, int | None] = {}
    for name, seed in mutants.run_in_processes(range(WITHIN), processes):
        caught[name] = seed
        _say(f"{name}: {'NOT CAUGHT' if seed is None else f'caught by seed {seed}'}")
    return caught


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def print_table(figures: dict[str, Any]) -> int:
    """The table; 1 where anything bad is not 0."""
    both = Tally()
    for name in ("schedules", "pairs"):
        both.join(figures.get(name, Tally()))
    figures["tried"], figures["bad"] = tried(figures, both), bad(figures, both)
    for name, number in (figures["tried"] | figures["bad"]).items():
        print(f"{name:<28}{number:>8,}")
    print(f"{figures['wall_s']:.0f} s, {figures['cpu_s']:.0f} CPU s")
    for name, wrong in both.failures[:SHOWN]:
        print(f"make faults {name}")
        for check, words in wrong.items():
            print(f"    {check}: {words[0]}")
    return int(any(figures["bad"].values()))


def tried(figures: dict[str, Any], both: Tally) -> dict[str, int]:
    """What was done, by the names of the table."""
    rows = {"schedules": figures["schedules"].schedules}
    if "pairs" in figures:
        rows["pairs of crash points"] = figures["pairs"].schedules
    rows |= {name: both.counts[counted] for name, counted in COUNTED.items()}
    if "real" in figures:
        rows |= {
            "real drivers killed (-9)": figures["real"].kills,
            "of them two in one job": figures["real"].pairs,
        }
    if "soak" in figures:
        rows[f"jobs of a day, {JOBS} at a time"] = figures["soak"].jobs
    if "mutants" in figures:
        rows["mutants"] = len(figures["mutants"])
    return rows


def bad(figures: dict[str, Any], both: Tally) -> dict[str, int]:
    """What has to be 0, by the names of the table."""
    real: Counts = figures.get("real", Counts())
    rows = {name: both.bad_of(name) + getattr(real, OF_REAL[name]) for name in BAD}
    if "soak" in figures:
        day: Report = figures["soak"]
        rows["leaks"] += day.left
        rows["unfinished"] += day.unfinished
        rows |= {
            "lost events": day.lost_events,
            "memory growth of 5 %": int(day.growth >= GROWTH),
        }
    if "mutants" in figures:
        rows["mutants that survive"] = sum(
            1 for seed in figures["mutants"].values() if seed is None
        )
    return rows


def save(figures: dict[str, Any]) -> None:
    """Print and keep the figures in `bench/results/faults.json`; the README's table is made of them."""
    import measure

    outcomes = figures["schedules"].counts
    body = {name: figures[name] for name in ("tried", "bad", "wall_s", "cpu_s")}
    body["outcomes"] = {k: outcomes[k] for k in ("completed", "failed", "cancelled", "timed_out")}
    body["mutants"] = figures.get("mutants")
    body["soak"] = figures["soak"]._asdict() if "soak" in figures else None
    measure.write("faults", body)


if __name__ == "__main__":
    sys.exit(main())
