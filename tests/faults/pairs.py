"""Every pair of crash points over a whole job: a driver dies at the first, its follower at the second.

Points are those after which something is different outside of the process: a commit, a request that
changes something, an effect. A crash before a point is a crash behind the one before it. For tests only.
"""

import multiprocessing
from collections.abc import Iterator, Mapping
from typing import Final

from faults import invariants
from faults.campaign import Tally
from faults.ledger import Audit
from faults.schedule import Schedule, Step, What
from faults.stage import Stage
from faults.world import World

STORIES: Final[Mapping[str, Schedule]] = {
    "a good day": (),
    "cancelled while it trains": (Step(35, What.CANCEL),),
    "the order's answer is lost": (
        Step(0, What.FAULT, {"kind": "after_effect", "route": "create_pod", "nth": [1]}),
        Step(0, What.CLOUD, {"listing_lag_s": 3}),
    ),
    "the machine is lost": (Step(0, What.FAULT, {"kind": "eviction", "seconds": 15, "nth": [1]}),),
}
"""What happens to a job whose drivers die."""

BACK_S: Final = 1.0


def points(stage: Stage, story: Schedule) -> int:
    """How many there are in a story without a crash."""
    counting = _Crashes(())
    World(stage, story, on_point=counting).run()
    return counting.passed


def pairs(stage: Stage, story: Schedule, *, every: int = 1) -> Iterator[tuple[int, int]]:
    """Numbers of both points; of the second, how many points behind the first. Every n-th pair."""
    count = points(stage, story)
    found = [(i, j) for i in range(1, count + 1) for j in range(1, count + 2 - i)]
    yield from found[::every]


def play(
    stage: Stage, story: Schedule, numbers: tuple[int, ...]
) -> tuple[Audit, dict[str, list[str]]]:
    """Die at a point, then so many points later again."""
    audit = World(stage, story, on_point=_Crashes(numbers)).run()
    return audit, invariants.broken(audit)


class _Crashes:
    """Kills at points counted over all drivers."""

    def __init__(self, numbers: tuple[int, ...]) -> None:
        self.passed = 0
        self._at: list[int] = []
        total = 0
        for number in numbers:
            total += number
            self._at.append(total)

    def __call__(self, world: World, host: object, where: str, is_effect: bool) -> None:
        if not is_effect or where.startswith("before"):
            return
        self.passed += 1
        if self.passed in self._at:
            world.kill(host, BACK_S)


def run_in_processes(processes: int) -> Iterator[Tally]:
    """All pairs of all stories; a tally for each piece as it is done."""
    with Stage() as stage, stage.playing():
        numbered = [(name, pair) for name, story in STORIES.items() for pair in pairs(stage, story)]
    pieces = [numbered[at : at + 100] for at in range(0, len(numbered), 100)]
    with multiprocessing.get_context("fork").Pool(processes) as pool:
        yield from pool.imap_unordered(_run_piece, pieces)


def _run_piece(numbered: list[tuple[str, tuple[int, int]]]) -> Tally:
    tally = Tally()
    with Stage() as stage, stage.playing():
        for name, pair in numbered:
            audit, wrong = play(stage, STORIES[name], pair)
            tally.add(f"(pair {pair} of {name!r})", audit, wrong)
    return tally
