"""`kill -9` of real drivers at every point of a job, one after the other, and at pairs of points.

A story is played once without a kill, which tells its points; then once for each point with a driver
that dies there, after which another takes over. At the end the auditor looks.
"""

import itertools
import random
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple, Self

from faults.counts import Counts
from faults.real_drivers import DriverProcess, Drivers
from faults.real_world import END_S, SHORT, Template, World
from podtune.core.states import JobPhase, Outcome
from podtune.testing.executor import ContainerSpec
from podtune.testing.scripts import Misfortune, Script
from support.waiting import until

AT_ONCE = 10
"""Worlds beside each other: a job waits more than it works."""

PROGRESS = 50
PAIRS = 60
SEED = 6
SLOW = SHORT.model_copy(update={"steps": 2000})

Say = Callable[[str], None]

Point = tuple[str, int]
"""Its name, and at which passing."""


class Story(NamedTuple):
    """What happens to a job besides the kills, and how it has to end."""

    name: str
    outcome: Outcome = Outcome.COMPLETED
    script: Script | Callable[[ContainerSpec], Script] = SHORT
    faults: tuple[str, ...] = ()
    cancels: bool = False
    """The user wishes so once the job trains."""
    machines: int = 1


def lost_once(pod: ContainerSpec) -> Script:
    """The first machine of a job is lost at its third step."""
    is_first = pod.env.get("PODTUNE_ATTEMPT") == "1"
    return SHORT.model_copy(update={"misfortune": Misfortune.LOST}) if is_first else SHORT


STORIES = (
    Story("completed"),
    Story("cancelled", Outcome.CANCELLED, SLOW, cancels=True),
    Story("answer lost", faults=("after_effect,route=create_pod,nth=1,status=502",)),
    Story("none free", faults=("capacity_drought,nth=1",)),
    Story("lost", script=lost_once, machines=2),
)


class Run(NamedTuple):
    """How one run ended."""

    story: str
    died_at: tuple[Point, ...]
    missed: tuple[Point, ...]
    """Points that a driver was to die at, and never passed."""
    points: tuple[Point, ...]
    counts: Counts
    found: tuple[str, ...]
    """What was wrong, in words."""


class Range:
    """Plays stories; use as a context manager."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.template = Template(folder / "template")
        self.drivers = Drivers()
        self._number = itertools.count(1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.drivers.close()
        self.template.__exit__()

    def play(self, story: Story, at: Sequence[Point] = ()) -> Run:
        """One story, with a driver for each point that dies there, and one that lives."""
        number = next(self._number)
        folder, name = self.folder / str(number), f"job-{number}"
        folder.mkdir()
        with World(
            self.template, self.drivers, folder, script=story.script, faults=story.faults
        ) as world:
            world.submit(name)
            died, missed = list[Point](), list[Point]()
            for point, nth in at:
                code = _see_out(world, name, story, world.start(at=point, nth=nth))
                (died if code == -signal.SIGKILL else missed).append((point, nth))
            code = _see_out(world, name, story, world.start())
            wrong, found = world.audit(name, story.outcome, story.machines)
            if code:
                found.append(f"the last driver ended with {code}")
            if found:
                found += [f"{e.phase}: {e.message}" for e in world.store.log(name)]
                found.append(world.log()[-3000:])
            points, job = tuple(world.points()), world.store.get(name)
        shutil.rmtree(folder)
        counts = Counts(
            kills=len(died), pairs=int(len(died) > 1), recoveries=job.attempt - 1, **wrong._asdict()
        )
        return Run(story.name, tuple(died), tuple(missed), points, counts, tuple(found))

    def play_all(self, plays: Sequence[tuple[Story, Sequence[Point]]]) -> list[Run]:
        """Several beside each other."""
        with ThreadPoolExecutor(AT_ONCE) as executor:
            return list(executor.map(lambda play: self.play(*play), plays))


def _see_out(world: World, name: str, story: Story, driver: DriverProcess) -> int | None:
    """Wait until a driver has ended, and wish what the story wishes meanwhile; its exit code.

    None for one that did not end by itself, and was killed for it.
    """

    def has_ended() -> bool:
        if story.cancels and world.store.get(name).phase is JobPhase.TRAINING:
            world.store.cancel(name)
        return driver.has_ended

    try:
        until(has_ended, "the end of a driver", END_S)
    except AssertionError:
        driver.send(signal.SIGKILL)
        driver.wait()
        return None
    return driver.wait()


def worth(story: Story, points: Sequence[Point]) -> list[Point]:
    """The points to kill at: of the plain story also the second time that each is passed."""
    return [point for point in points if point[1] == 1 or story == STORIES[0]]


def spread(points: Sequence[Point], most: int | None) -> list[Point]:
    """All points, or so many from the whole of them."""
    if most is None or most >= len(points):
        return list(points)
    return [points[i * len(points) // most] for i in range(most)]


def pairs_of(points: Sequence[Point], number: int, seed: int = SEED) -> list[list[Point]]:
    """So many pairs of points, each in the order in which they are passed."""
    chance = random.Random(seed)
    drawn = [sorted(chance.sample(range(len(points)), 2)) for _ in range(number)]
    return [[points[i], points[j]] for i, j in drawn]


def runs(
    stories: Sequence[Story], *, singles: int | None, pairs: int, say: Say = lambda line: None
) -> list[Run]:
    """Play stories: each without a kill, at single points (all where None), and at pairs of points."""
    with tempfile.TemporaryDirectory() as folder, Range(Path(folder)) as range_:
        told = range_.play_all([(story, ()) for story in stories])
        plays = list[tuple[Story, Sequence[Point]]]()
        for story, whole in zip(stories, told, strict=True):
            plays += [(story, [point]) for point in spread(worth(story, whole.points), singles)]
            plays += [(story, pair) for pair in pairs_of(whole.points, pairs)]
        say(f"{len(stories)} stories, {len(plays)} runs with kills")
        played = list[Run](told)
        for begin in range(0, len(plays), PROGRESS):
            played += range_.play_all(plays[begin : begin + PROGRESS])
            say(
                f"{len(played) - len(told)} of {len(plays)}, {sum(bool(r.found) for r in played)} wrong"
            )
        return played


def real_kills(*, all_points: bool, say: Say = lambda line: None) -> Counts:
    """Kill real drivers, and count.

    Args:
        all_points: At every point of every story, and at 60 pairs; else at a few of them.
        say: Told what was wrong, and where.
    """
    share = PAIRS // len(STORIES)
    played = runs(
        STORIES, singles=None if all_points else 4, pairs=share if all_points else 1, say=say
    )
    counts = Counts()
    for run in played:
        counts = counts.plus(run.counts)
        if run.found:
            say(f"{run.story}, killed at {run.died_at}: " + "\n  ".join(run.found))
    missed = [f"{run.story}: {point}" for run in played for point in run.missed]
    if missed:
        say(f"{len(missed)} points were not passed again: " + "; ".join(missed))
    return counts


def main() -> int:
    """`python -m faults.real_kills [all]`: kill, print the counts, exit 1 if any is bad."""
    counts = real_kills(all_points="all" in sys.argv[1:], say=lambda line: print(line, flush=True))
    print(counts)
    return int(bool(counts.bad))


if __name__ == "__main__":
    sys.exit(main())
