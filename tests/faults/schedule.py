"""Schedules of the simulation: a list of (when, what, facts), drawn from one seed. For tests only.

A schedule holds everything that differs between two runs: what is asked for, what each machine's worker
does, what goes wrong with RunPod, with the drivers and with the clocks, and what the user wishes. What a
schedule does not name is as on a good day, so any part of it may be left out.
"""

import json
import random
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Any, Final, NamedTuple

from podtune.testing.faults import FaultKind
from podtune.testing.scripts import Misfortune

LAG_S: Final = 9
"""How far lists lag at most: a little less than the scaled `settle_s`, as 60 s are in earnest."""


class What(StrEnum):
    """What may stand in a schedule; its facts are named beside it."""

    OFFERS = "offers"
    """The plan's ladder: `gpus`."""
    CEILING = "ceiling"
    """`usd`, `hours`."""
    SCRIPT = "script"
    """Of the `nth` machine: fields of `testing.scripts.Script`."""
    CLOUD = "cloud"
    """Fields of `testing.options.CloudOptions`: how far lists lag, where a pod's own key opens."""
    FAULT = "fault"
    """A rule of `testing.faults.FaultRule`; its times count from the schedule's."""
    PRICE = "price"
    """Prices of orders from then on are `times` as high."""
    NO_COST = "no_cost"
    """RunPod names 0 as every pod's cost from then on."""
    CANCEL = "cancel"
    """The user wishes so."""
    KILL = "kill"
    """A driver dies at the `point`-th point it passes, and another starts `back_s` later."""
    FREEZE = "freeze"
    """A driver stands still at the `point`-th point for `for_s`, and goes on with what it knew."""
    SECOND = "second"
    """A second driver works on the same store from then on."""
    DEAD = "dead"
    """All drivers die at the `point`-th point, and none comes back before everything is quiet."""
    JUMP = "jump"
    """The clock of the drivers' machine is set by `by_s`."""
    RECEIVER = "receiver"
    """What the application answers to callbacks first: `answers`, statuses, 0 for none; then it takes them."""
    REAPER = "reaper"
    """The clock of the second host, on which `podtune reap` runs each minute, differs by `by_s`."""


class Step(NamedTuple):
    """One line of a schedule."""

    at: float
    """Seconds from the start."""
    what: What
    facts: Mapping[str, Any] = {}


Schedule = tuple[Step, ...]

GPUS: Final = ("NVIDIA A40", "NVIDIA RTX A6000", "NVIDIA L40S", "NVIDIA RTX A5000")
"""Of the stand-in's catalogue, with room."""

DRIVER_TROUBLES: Final = (What.KILL, What.FREEZE, What.SECOND, What.DEAD)

ROUTES: Final = ("create_pod", "list_pods", "get_pod", "delete_pod", "proxy", "pod_logs")
_READS: Final = ("list_pods", "get_pod", "proxy", "pod_logs")


def to_json(schedule: Schedule) -> str:
    """A schedule as it is printed, kept and replayed."""
    return json.dumps([[step.at, step.what, dict(step.facts)] for step in schedule])


def from_json(text: str) -> Schedule:
    """What `to_json` made."""
    return tuple(Step(at, What(what), facts) for at, what, facts in json.loads(text))


def draw(seed: int) -> Schedule:
    """The schedule of a seed: the same for ever."""
    return Draw(random.Random(seed)).schedule()


class Draw:
    """Draws from one source; `of` decides which kinds of trouble there are."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance

    def schedule(self) -> Schedule:
        """What is asked for, then troubles in the order of time."""
        steps = [*self._plan(), *self._scripts()]
        for trouble in self._troubles():
            steps += trouble()
        if any(
            step.what is What.PRICE for step in steps
        ):  # nobody could tell what a machine costs then
            steps = [step for step in steps if step.what is not What.NO_COST]
        return tuple(sorted(steps, key=lambda step: step.at))

    def _troubles(self) -> Sequence[Callable[[], list[Step]]]:
        """Nought to five, of weighted kinds."""
        kinds: list[tuple[Callable[[], list[Step]], float]] = [
            (self._kill, 5), (self._create_fault, 4), (self._api_fault, 4), (self._delete_fault, 2),
            (self._cancel, 2), (self._freeze, 3), (self._eviction, 2), (self._cloud, 3),
            (self._dead, 3), (self._outage, 1), (self._clocks, 1.5), (self._money, 1.5),
            (self._boot, 1), (self._receiver, 1),
        ]  # fmt: skip
        count = self.chance.choices((0, 1, 2, 3, 4, 5), (1, 3, 5, 5, 3, 2))[0]
        return self.chance.choices([k for k, _ in kinds], [w for _, w in kinds], k=count)

    def _plan(self) -> list[Step]:
        rungs = self.chance.choices((1, 2, 3, 4), (4, 3, 2, 1))[0]
        usd, hours = self.chance.choice(((5, 1), (5, 0.5), (0.25, 4), (0.15, 4), (1, 0.4), (8, 4)))
        return [
            Step(0, What.OFFERS, {"gpus": self.chance.sample(GPUS, rungs)}),
            Step(0, What.CEILING, {"usd": usd, "hours": hours}),
        ]

    def _scripts(self) -> list[Step]:
        return [step for nth in (1, 2, 3) if (step := self._script(nth)) is not None]

    def _script(self, nth: int) -> Step | None:
        """Most machines are good; the first is worse than those behind it."""
        if self.chance.random() > (0.5 if nth == 1 else 0.3):
            return None
        misfortunes: list[Misfortune | None] = [None, *Misfortune]
        facts: dict[str, Any] = {
            "nth": nth,
            "misfortune": self.chance.choice(misfortunes),
            "at_step": self.chance.randint(1, 9),
            "steps": self.chance.choice((3, 6, 10, 20)),
            "step_s": self.chance.choice((1, 3, 10, 40)),
            "save_every": self.chance.choice((2, 5)),
        }
        return Step(0, What.SCRIPT, facts)

    def _kill(self) -> list[Step]:
        at = self._moment()
        return [Step(at, What.KILL, {"point": self._point(), "back_s": self._absence()})]

    def _freeze(self) -> list[Step]:
        """A driver stands still, mostly for longer than its lease, while another goes on, or alone."""
        for_s = self.chance.choice((5, 60, 120, 600, 7200))
        steps = [Step(self._moment(), What.FREEZE, {"point": self._point(), "for_s": for_s})]
        if self.chance.random() < 0.8:
            steps.append(Step(round(self.chance.uniform(0, 60), 1), What.SECOND))
        return steps

    def _dead(self) -> list[Step]:
        return [Step(self._moment(), What.DEAD, {"point": self._point()})]

    def _cancel(self) -> list[Step]:
        at = self._moment()
        again = [Step(at + self.chance.choice((0.1, 5, 60)), What.CANCEL)]
        return [Step(at, What.CANCEL), *(again if self.chance.random() < 0.3 else [])]

    def _create_fault(self) -> list[Step]:
        """Of the order, the one request that must not be repeated."""
        kinds = (FaultKind.BEFORE_EFFECT, FaultKind.AFTER_EFFECT, FaultKind.RESET, FaultKind.WRONG_BODY,
                 FaultKind.DUPLICATE, FaultKind.DELAY)  # fmt: skip
        kind = self.chance.choice(kinds)
        facts: dict[str, Any] = {
            "kind": kind,
            "route": "create_pod",
            "nth": [self.chance.choice((1, 1, 2))],
        }
        if kind is FaultKind.BEFORE_EFFECT:
            facts["status"] = self.chance.choice((400, 401, 402, 403, 404, 422, 429, 500, 502, 503))
        if kind is FaultKind.AFTER_EFFECT:
            facts["status"] = self.chance.choice((500, 502, 504, 524))
        if kind in (FaultKind.RESET, FaultKind.DELAY):
            facts |= {
                "is_before": self.chance.random() < 0.5,
                "seconds": self.chance.choice((5, 70)),
            }
        if self.chance.random() < 0.2:
            gpu = self.chance.choice(GPUS)
            return [Step(0, What.FAULT, {"kind": FaultKind.CAPACITY_DROUGHT, "gpu": gpu})]
        return [Step(0, What.FAULT, facts)]

    def _api_fault(self) -> list[Step]:
        """Of a route, for a while, by chance."""
        route = self.chance.choice(ROUTES)
        kinds = [FaultKind.BEFORE_EFFECT, FaultKind.AFTER_EFFECT, FaultKind.RESET, FaultKind.WRONG_BODY,
                 FaultKind.DELAY, FaultKind.SLOW_DRIP]  # fmt: skip
        kinds += [FaultKind.STALE_READ] if route in _READS[:2] else []
        facts: dict[str, Any] = {
            "kind": self.chance.choice(kinds),
            "route": route,
            "probability": self.chance.choice((0.1, 0.3, 1.0)),
            "status": self.chance.choice((429, 500, 502, 503)),
            "seconds": self.chance.choice((2, 20, 90)),
        }
        if facts["kind"] is FaultKind.AFTER_EFFECT and facts["status"] == 429:
            facts["status"] = 503  # "too many requests" says that nothing was done (R3)
        moment, until_s = self._moment(), self.chance.choice((20, 60, 300))
        if facts["kind"] is FaultKind.STALE_READ:  # the answer of before is given all that time
            until_s = min(until_s, LAG_S)
        return [Step(moment, What.FAULT, {**facts, "until_s": until_s})]

    def _delete_fault(self) -> list[Step]:
        kind = self.chance.choice(
            (FaultKind.NO_EFFECT, FaultKind.AFTER_EFFECT, FaultKind.BEFORE_EFFECT, FaultKind.RESET)
        )
        times = self.chance.choice((1, 2, 5, 20))
        facts: dict[str, Any] = {"kind": kind, "route": "delete_pod", "times": times}
        if kind is FaultKind.BEFORE_EFFECT:
            facts["status"] = self.chance.choice((401, 403, 404, 429, 500, 503))
        return [Step(0, What.FAULT, facts)]

    def _outage(self) -> list[Step]:
        """RunPod's control plane is away; pods and their ports may stay."""
        route = self.chance.choice(("*", "*_pod*"))
        status = self.chance.choice((500, 503, 401))
        facts = {"kind": FaultKind.BEFORE_EFFECT, "route": route, "status": status,
                 "until_s": self.chance.choice((100, 900, 3600))}  # fmt: skip
        return [Step(self._moment(), What.FAULT, facts)]

    def _eviction(self) -> list[Step]:
        seconds = self.chance.choice((0, 3, 20, 60, 120))
        return [Step(0, What.FAULT, {"kind": FaultKind.EVICTION, "seconds": seconds, "nth": [1]})]

    def _boot(self) -> list[Step]:
        kind = self.chance.choice(
            (FaultKind.STUCK_INITIALISING, FaultKind.CRASH_LOOP, FaultKind.WRONG_CUDA_HOST)
        )
        return [Step(0, What.FAULT, {"kind": kind, "nth": [self.chance.choice((1, 2))]})]

    def _cloud(self) -> list[Step]:
        facts: dict[str, Any] = {
            "listing_lag_s": self.chance.choice((0, 3, 9)),
            "removal_lag_s": self.chance.choice((0, 5, 30)),
            "transient_404_s": self.chance.choice((0, 3, 9)),
            "is_running_while_pulling": self.chance.random() < 0.5,
            "page_size": self.chance.choice((0, 1)),
        }
        if self.chance.random() < 0.3:
            facts["pod_key"] = {"rest": self.chance.random() < 0.5, "graphql": True}
        return [Step(0, What.CLOUD, facts)]

    def _clocks(self) -> list[Step]:
        if self.chance.random() < 0.4:
            skew = self.chance.choice((-600, -120, 120, 600))
            return [Step(0, What.FAULT, {"kind": FaultKind.CLOCK_SKEW, "seconds": skew})]
        if self.chance.random() < 0.5:
            long = {"nth": 1, "step_s": 600}  # its machine is there until its deadline
            return [
                Step(0, What.REAPER, {"by_s": self.chance.choice((-119, 119))}),
                Step(0, What.CEILING, {"usd": 5, "hours": 0.2}),
                Step(0, What.SCRIPT, long),
            ]
        return [Step(self._moment(), What.JUMP, {"by_s": self.chance.choice((86400, -3600))})]

    def _receiver(self) -> list[Step]:
        count = self.chance.choice((1, 2, 8, 30))
        statuses = [self.chance.choice((500, 503, 302, 429, 0)) for _ in range(count)]
        if self.chance.random() < 0.1:
            statuses[0] = 410
        return [Step(0, What.RECEIVER, {"answers": statuses})]

    def _money(self) -> list[Step]:
        if self.chance.random() < 0.5:
            return [Step(0, What.NO_COST)]
        return [Step(0, What.PRICE, {"times": self.chance.choice((1.2, 2.5))})]

    def _moment(self) -> float:
        """During a good job, or a little behind it; more often while it is ordered and while it ends."""
        begin, end = self.chance.choices(((0, 90), (0, 4), (60, 80)), (6, 2, 2))[0]
        return round(self.chance.uniform(begin, end), 1)

    def _point(self) -> int:
        return self.chance.randint(1, 40 if self.chance.random() < 0.25 else 12)

    def _absence(self) -> float:
        """Seconds that nobody drives: a restart, a coffee, a night."""
        return self.chance.choice((0.5, 5, 30, 120, 600, 7200))
