"""Faults of the stand-in cloud, by rule and by seed.

A rule says where (a route, a pod's name, which call) and what goes wrong. Whether it strikes is
drawn from the cloud's one random source; what struck is written down, so that a run with the same
seed, rules and requests goes wrong in the same way. Faults of the connection are only marked here; the
shells carry them out.
"""

import random
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Final, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from podtune.core.errors import SpecError
from podtune.testing.http import Fault, TransportFault


class FaultKind(StrEnum):
    """What goes wrong."""

    BEFORE_EFFECT = "before_effect"
    """`status` (500) is answered and nothing is done."""
    AFTER_EFFECT = "after_effect"
    """It is done, and `status` (500) is answered."""
    NO_EFFECT = "no_effect"
    """Success is answered and nothing is done (deletes and actions)."""
    WRONG_BODY = "wrong_body"
    """It is done, and the answer is no JSON."""
    STALE_READ = "stale_read"
    """A read gives what the same read gave before."""
    DUPLICATE = "duplicate"
    """The request is carried out twice."""
    DELAY = "delay"
    """The answer comes `seconds` later."""
    RESET = "reset"
    """It is done, and the connection is reset before the answer."""
    SLOW_DRIP = "slow_drip"
    """The answer comes byte by byte over `seconds`."""
    CAPACITY_DROUGHT = "capacity_drought"
    """Nothing of a GPU type (`gpu`) is free."""
    EVICTION = "eviction"
    """The host takes the pod away `seconds` after its container started: EXITED."""
    STUCK_INITIALISING = "stuck_initialising"
    """The pod never gets beyond STARTING, and is billed."""
    CRASH_LOOP = "crash_loop"
    """The container ends as soon as it starts, again and again."""
    WRONG_CUDA_HOST = "wrong_cuda_host"
    """The host's driver is too old: the container is never made, status ERROR."""
    LOG_GAP = "log_gap"
    """What the container prints in its first `seconds` is missing from the log stream."""
    CLOCK_SKEW = "clock_skew"
    """The machine's clock is `seconds` ahead (below 0: behind)."""


REQUEST_FAULTS: Final = frozenset(
    {
        FaultKind.BEFORE_EFFECT,
        FaultKind.AFTER_EFFECT,
        FaultKind.NO_EFFECT,
        FaultKind.WRONG_BODY,
        FaultKind.STALE_READ,
        FaultKind.DUPLICATE,
        FaultKind.DELAY,
        FaultKind.RESET,
        FaultKind.SLOW_DRIP,
    }
)
"""Drawn for each request."""
POD_FAULTS: Final = frozenset(
    {
        FaultKind.EVICTION,
        FaultKind.STUCK_INITIALISING,
        FaultKind.CRASH_LOOP,
        FaultKind.WRONG_CUDA_HOST,
        FaultKind.LOG_GAP,
        FaultKind.CLOCK_SKEW,
    }
)
"""Drawn once for each pod, when it is created."""
TRANSPORT: Final[Mapping[FaultKind, TransportFault]] = {
    FaultKind.DELAY: TransportFault.DELAY,
    FaultKind.RESET: TransportFault.RESET,
    FaultKind.SLOW_DRIP: TransportFault.SLOW_DRIP,
}


class FaultRule(BaseModel):
    """Where and how often something goes wrong."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: FaultKind
    route: str = "*"
    """Name of a route, such as `create_pod`; `*` and `?` stand for any signs."""
    pod: str = "*"
    """Name of a pod, with the same signs; requests that name no pod fit `*` only."""
    gpu: str = "*"
    """GPU type of a drought."""
    nth: tuple[int, ...] = ()
    """Which of the fitting calls, from 1; all of them when empty."""
    probability: float = Field(default=1.0, ge=0, le=1)
    times: int | None = Field(default=None, ge=1)
    """At most this often."""
    after_s: float = Field(default=0.0, ge=0)
    """Only from so long after the cloud's start."""
    until_s: float | None = Field(default=None, ge=0)
    """Only until so long after the cloud's start."""
    seconds: float = 0.0
    """How long, how late or how far: what that means stands at the kinds."""
    status: int = Field(default=500, ge=400, le=599)
    is_before: bool = False
    """A reset or delay that comes before anything is done."""


class Drawn(NamedTuple):
    """A fault that struck; with the seed it makes a run repeatable."""

    at: datetime
    kind: FaultKind
    where: str
    """Route, or `pod`."""
    pod: str
    call: int
    """Which of the rule's fitting calls it was, from 1."""
    seed: int


class _Standing:
    """A rule, and what became of it so far."""

    def __init__(self, rule: FaultRule) -> None:
        self.rule = rule
        self.calls = 0
        self.struck = 0


class Faults:
    """The rules of one cloud.

    Args:
        source: The cloud's random source.
        seed: What it was seeded with, written into the history.
        start: The cloud's start; rules count their times from it.
        rules: To begin with.
    """

    def __init__(
        self, source: random.Random, seed: int, start: datetime, rules: tuple[FaultRule, ...] = ()
    ) -> None:
        self._random = source
        self._start = start
        self.seed = seed
        self._standing: list[_Standing] = []
        self.history: list[Drawn] = []
        self.replace(rules)

    @property
    def rules(self) -> tuple[FaultRule, ...]:
        """The rules in force."""
        return tuple(standing.rule for standing in self._standing)

    def replace(self, rules: tuple[FaultRule, ...]) -> None:
        """Put rules in force, in place of those before."""
        self._standing = [_Standing(rule) for rule in rules]

    def add(self, *rules: FaultRule) -> None:
        """Put further rules in force."""
        self._standing += [_Standing(rule) for rule in rules]

    def has(self, kind: FaultKind) -> bool:
        """Whether any rule is of this kind."""
        return any(standing.rule.kind is kind for standing in self._standing)

    def for_request(self, route: str, pod: str, at: datetime) -> tuple[FaultRule, ...]:
        """What strikes a request."""
        return self._draw(REQUEST_FAULTS, route, pod, "", at)

    def for_pod(self, name: str, at: datetime) -> tuple[FaultRule, ...]:
        """What will strike a new pod."""
        return self._draw(POD_FAULTS, "", name, "", at)

    def is_drought(self, gpu: str, pod: str, at: datetime) -> bool:
        """Whether an order of a GPU type finds nothing."""
        kinds = frozenset({FaultKind.CAPACITY_DROUGHT})
        return bool(self._draw(kinds, "create_pod", pod, gpu, at))

    def shows_drought(self, gpu: str, at: datetime) -> bool:
        """Whether the catalogue too says so: a rule that holds for every order just now."""
        return any(
            rule.kind is FaultKind.CAPACITY_DROUGHT
            and fnmatchcase(gpu, rule.gpu)
            and self._is_time(rule, at)
            and rule.model_fields_set <= {"kind", "gpu", "after_s", "until_s"}
            for rule in self.rules
        )

    def _is_time(self, rule: FaultRule, at: datetime) -> bool:
        elapsed_s = (at - self._start).total_seconds()
        return rule.after_s <= elapsed_s and (rule.until_s is None or elapsed_s < rule.until_s)

    def _draw(
        self, kinds: frozenset[FaultKind], route: str, pod: str, gpu: str, at: datetime
    ) -> tuple[FaultRule, ...]:
        struck: list[FaultRule] = []
        for standing in self._standing:
            rule = standing.rule
            if (
                rule.kind not in kinds
                or not _fits(rule, route, pod, gpu)
                or not self._is_time(rule, at)
            ):
                continue
            standing.calls += 1
            if not self._strikes(standing):
                continue
            standing.struck += 1
            struck.append(rule)
            where = route or "pod"
            self.history.append(Drawn(at, rule.kind, where, pod, standing.calls, self.seed))
        return tuple(struck)

    def _strikes(self, standing: _Standing) -> bool:
        rule = standing.rule
        if rule.times is not None and standing.struck >= rule.times:
            return False
        if rule.nth and standing.calls not in rule.nth:
            return False
        return rule.probability >= 1 or self._random.random() < rule.probability


def parse_rule(text: str) -> FaultRule:
    """A rule from one line: its kind, then settings.

    Raises:
        SpecError: no such kind or setting, or a value out of its range.

    >>> parse_rule("after_effect,route=create_pod,nth=1,status=502").status
    502
    """
    kind, *settings = (part.strip() for part in text.split(","))
    values: dict[str, object] = {"kind": kind}
    for setting in settings:
        name, _, value = setting.partition("=")
        values[name] = value.split("+") if name == "nth" else value
    try:
        return FaultRule.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise SpecError(
            f"fault rule {text!r}: {place}: {first['msg']}",
            code="bad_fault_rule",
            hint="KIND[,route=NAME][,pod=NAME][,gpu=ID][,nth=1+2][,probability=P][,times=N]"
            f"[,after_s=S][,until_s=S][,seconds=S][,status=N]; kinds: {', '.join(FaultKind)}",
        ) from error


def transport_fault(rules: tuple[FaultRule, ...]) -> Fault | None:
    """What a shell has to do to the answer."""
    for rule in rules:
        if rule.kind in TRANSPORT:
            return Fault(TRANSPORT[rule.kind], rule.seconds)
    return None


def _fits(rule: FaultRule, route: str, pod: str, gpu: str) -> bool:
    return (
        fnmatchcase(route, rule.route) and fnmatchcase(pod, rule.pod) and fnmatchcase(gpu, rule.gpu)
    )
