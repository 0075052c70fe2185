"""A simulated world: a cloud, drivers, a user, a second host, and one clock for all. For tests only.

    with Stage() as stage, stage.playing():
        audit = World(stage, schedule).run()

Single-threaded. Whoever waits or stands still lets the others go on (`elapse`), so that two drivers
meet in every order that a schedule asks for. Time leaps from one event to the next.
"""

import heapq
import json
import logging
import random
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime
from typing import Any, Final

import httpx2
from sqlalchemy import select
from standardwebhooks import Webhook

from faults.host import NEVER, Died, Host
from faults.ledger import Audit, Callback, Ledger, Machine, Rows
from faults.reaper import SecondHost
from faults.schedule import DRIVER_TROUBLES, Schedule, Step, What
from faults.stage import CALLBACK, HOST, STEPS, Stage
from podtune.app import callbacks
from podtune.core.errors import UnavailableError
from podtune.core.states import JobPhase
from podtune.testing.account import Pod
from podtune.testing.clock import VirtualClock
from podtune.testing.cloud import Cloud
from podtune.testing.executor import ContainerSpec
from podtune.testing.faults import FaultRule
from podtune.testing.gpus import GPUS
from podtune.testing.options import CloudOptions
from podtune.testing.scripted_pods import ScriptedPods
from podtune.testing.scripts import Script
from podtune.testing.transport import transport
from podtune.workflow.courier import Answer
from podtune.workflow.database import reading
from podtune.workflow.outbox import Message
from podtune.workflow.store import JobStore
from podtune.workflow.tables import metadata, outbox

SCRIPT: Final = Script(
    listen_s=2, install_s=4, check_s=1, load_s=2, step_s=2, steps=STEPS, save_s=1, prove_s=2,
    file_bytes=64,
)  # fmt: skip
CLOUD: Final = CloudOptions(
    provisioning_s=1, pull_s=2, restart_s=1, stop_grace_s=0, is_playground=False,
    balance_usd=Decimal(1000),
)  # fmt: skip

LONGEST: Final = timedelta(days=4)
MOST_ROUNDS: Final = 20_000
QUIET_S: Final = 90.0
"""For how long nothing may come to life any more once all is done."""


class World:
    """One run of one schedule."""

    def __init__(self, stage: Stage, schedule: Schedule, *, on_point: Any = None) -> None:
        self.stage, self.schedule = stage, schedule
        self.ledger = Ledger()
        self.chance = random.Random(json.dumps([s.at for s in schedule]))
        self.clock = VirtualClock()
        self.jumped = timedelta()
        self.dead_holders: list[str] = []
        self._start = self.clock.now()
        self._on_point = on_point
        self._agenda: list[tuple[float, int, Step]] = []
        self._armed: list[Step] = []
        self._nobody = False
        self._rounds = 0
        self._minute = (0, 0)
        self._seconds: set[str] = set()
        self.is_late = False
        """The order that is being sent is of a driver that stood still since its last look."""
        self._machines: dict[str, Pod] = {}
        self._scripts: dict[int, Script] = {}
        self._numbers: dict[str, int] = {}
        self._no_cost = False
        self._requests = self._births = 0
        """Requests to the cloud, and the one that made the newest machine: one that makes two is RunPod's."""
        self._set_up()

    def run(self) -> Audit:
        """Bring it to its end, and give what is to be checked."""
        problem = None
        with _logged(self.ledger.log):
            try:
                self._play()
            except _UnfinishedError as error:
                problem = str(error)
            return self._audit(problem)

    # -- what hosts need ------------------------------------------------------------------------

    def monotonic(self) -> float:
        return (self.clock.now() - self._start).total_seconds()

    def elapse(self, seconds: float) -> None:
        """Let time pass for one that waits, and let the others go on."""
        self._until(self.clock.now() + timedelta(seconds=max(0.0, seconds)))

    def has_work(self) -> bool:
        """Whether there is something that a driver may come to drive."""
        return self._phase() != JobPhase.DONE

    def receive(self, message: Message, headers: list[tuple[str, str]]) -> Answer:
        """The application's side of a callback."""
        if self._receiver:
            status = self._receiver.pop()
            if status == 0:
                raise UnavailableError("the receiver does not answer")
            self.ledger.is_unwanted |= status == 410
            if status >= 300:
                return Answer(status)
        told = dict(headers)
        moment = datetime.fromtimestamp(int(told["webhook-timestamp"]), UTC)
        signed = Webhook(self._secret).sign(told["webhook-id"], moment, message.body)
        if signed != told["webhook-signature"]:
            return Answer(401)
        self.ledger.callbacks.append(Callback(told["webhook-id"], message.body))
        return Answer(204)

    def note_request(self, request: httpx2.Request) -> None:
        ledger = self.ledger
        ledger.hosts.add(request.url.host)
        ledger.asked.append(f"{request.method} {request.url}")
        if request.url.path.startswith("/proxy/"):
            return
        minute = int(self.monotonic() // 60)
        number = self._minute[1] + 1 if self._minute[0] == minute else 1
        self._minute = (minute, number)
        ledger.busiest_minute = max(ledger.busiest_minute, number)

    def pass_point(self, host: Host, where: str, *, is_effect: bool) -> None:
        """Kill or halt a driver here, if the schedule says so."""
        self.ledger.points += is_effect
        if self._on_point is not None:
            self._on_point(self, host, where, is_effect)
        if host.is_doomed:
            raise Died
        if not self._armed:
            return
        step = self._armed[0]
        left = int(step.facts["point"]) - 1
        if left > 0:
            self._armed[0] = step._replace(facts={**step.facts, "point": left})
            return
        self._armed.pop(0)
        if step.what is What.FREEZE and where == "before POST /v2/pods":
            host.is_late = True
            self.ledger.counts["late orders"] += 1
        self._strike(host, step)

    def kill(self, host: Host, back_s: float) -> None:
        """The driver dies here and now; its follower starts later."""
        host.back_at = self.clock.now() + timedelta(seconds=back_s)
        raise Died

    def buried(self, host: Host) -> None:
        """A driver has died; another starts in its place when it is time."""
        self.ledger.counts["kills"] += 1
        self.dead_holders.append(host.driver.holder)
        if host.back_at is None:
            host.back_at = self.clock.now() + timedelta(seconds=0.5)
        if self._nobody:
            host.back_at = NEVER

    # -- the loop -------------------------------------------------------------------------------

    def _set_up(self) -> None:
        facts = {step.what: step.facts for step in self.schedule}
        options = CLOUD.model_copy(update=_options(facts.get(What.CLOUD, {})))
        pods = ScriptedPods(self.clock, self._script)
        rows = [row for row in GPUS if row.manufacturer == "NVIDIA"]
        seed = self.chance.randrange(2**31)
        self.cloud = Cloud(self.clock, seed, pods, options, gpus=rows)
        pods.connect(self.cloud.handle)
        self._pods = pods
        self._watch_births()
        self.wire = self._wire(transport(self.cloud, self.elapse))
        for step in self.schedule:
            self._plan(step)
        self.folder = self.stage.reset()
        self.user = _store(self.stage, self.now)
        offers = tuple(facts.get(What.OFFERS, {}).get("gpus", ("NVIDIA A40",)))
        ceiling = facts.get(What.CEILING, {})
        job = self.stage.job(offers, ceiling.get("usd", 5), ceiling.get("hours", 1))
        self.user.add(job.model_copy(update={"account": "account-of-it"}))
        self.job = job.id
        self.hosts = [Host(self, "one")]
        self._receiver = [int(status) for status in facts.get(What.RECEIVER, {}).get("answers", ())]
        (secret,) = callbacks.secrets(self.stage.settings.home)
        self._secret = secret.get_secret_value()
        by_s = facts.get(What.REAPER, {}).get("by_s", 0)
        self.reaper = SecondHost(self, timedelta(seconds=by_s))

    def now(self) -> datetime:
        """By the clock of the drivers' machine."""
        return self.clock.now() + self.jumped

    def _plan(self, step: Step) -> None:
        if step.what is What.SCRIPT:
            given = {name: value for name, value in step.facts.items() if name != "nth"}
            script = Script.model_validate(SCRIPT.model_dump() | given)
            self._scripts[int(step.facts["nth"])] = script
        elif step.what in _TIMED:
            heapq.heappush(self._agenda, (step.at, len(self._agenda), step))

    def _play(self) -> None:
        done_at: float | None = None
        while True:
            self._act()
            if self._is_done():
                now = self.monotonic()
                done_at = now if done_at is None else done_at
                if now - done_at >= QUIET_S:
                    return
                self._leap(self.clock.now() + timedelta(seconds=QUIET_S - (now - done_at)))
                continue
            done_at = None
            if self._nobody and not self._living() and not self._agenda:
                self._revive()
            self._leap(None)

    def _until(self, end: datetime) -> None:
        """The others go on until a moment."""
        while self.clock.now() < end:
            self._leap(end)
            self._act()

    def _act(self) -> None:
        """Everything that is due now, once."""
        self._rounds += 1
        if self._rounds > MOST_ROUNDS or self.clock.now() - self._start > LONGEST:
            raise _UnfinishedError(
                f"not done after {self._rounds} rounds, {self.monotonic():.0f} s"
            )
        while self._agenda and self._agenda[0][0] <= self.monotonic():
            self._do(heapq.heappop(self._agenda)[2])
        self.cloud.tick()
        if self.reaper.due() <= self.clock.now():
            self.reaper.act()
        now = self.clock.now()
        for host in list(self.hosts):
            if not host.is_busy and host.due() <= now:
                host.act()

    def _leap(self, end: datetime | None) -> None:
        """To the next event, at most to `end`."""
        now = self.clock.now()
        times = [host.due() for host in self.hosts if not host.is_busy]
        times += [t for t in (self.cloud.next_event(), self._pods.next_event()) if t is not None]
        times.append(self.reaper.due())
        if self._agenda:
            times.append(self._start + timedelta(seconds=self._agenda[0][0]))
        if end is not None:
            times.append(end)
        target = min(times)
        if target == NEVER:
            raise _UnfinishedError("nothing happens any more")
        self.clock.advance(max(0.01, (target - now).total_seconds()))

    def _is_done(self) -> bool:
        if self._living() or self._nobody or any(h.is_busy for h in self.hosts):
            return False
        return self._phase() == JobPhase.DONE and not self._is_open()

    def _is_open(self) -> bool:
        """Whether a callback waits, or a stray is not proved gone."""
        raw: Any = self.stage.engine.raw_connection()
        found = raw.execute(_OPEN).fetchone()
        raw.close()
        return found is not None

    def _phase(self) -> str:
        raw: Any = self.stage.engine.raw_connection()
        (phase,) = raw.execute("SELECT phase FROM jobs WHERE id = ?", (self.job,)).fetchone()
        raw.close()
        return str(phase)

    def _living(self) -> list[Pod]:
        return self.cloud.account.live_pods()

    def _revive(self) -> None:
        """Everything is quiet without drivers: one comes back, much later, and finds it."""
        self._nobody = False
        for host in self.hosts[:1]:
            host.back_at = self.clock.now() + timedelta(seconds=300)
        del self.hosts[1:]

    # -- what a schedule does ---------------------------------------------------------------------

    def _do(self, step: Step) -> None:
        if step.what is What.CANCEL:
            self.user.cancel(self.job)
            for host in self.hosts:
                host.wake()
        elif step.what is What.FAULT:
            self.cloud.faults.add(_rule(step))
        elif step.what is What.PRICE:
            self._raise_prices(Decimal(str(step.facts["times"])))
        elif step.what is What.NO_COST:
            self._no_cost = True
        elif step.what is What.SECOND:
            if len(self.hosts) < 2 and not self._nobody:
                self.hosts.append(Host(self, "two"))
        elif step.what is What.JUMP:
            self.jumped += timedelta(seconds=step.facts["by_s"])
        elif step.what in DRIVER_TROUBLES:
            self._armed.append(step)

    def _strike(self, host: Host, step: Step) -> None:
        if step.what is What.KILL:
            self.kill(host, step.facts["back_s"])
        if step.what is What.DEAD:
            self._nobody = True
            for other in self.hosts:
                other.is_doomed = True
                if not other.is_busy:
                    other.back_at = NEVER
            raise Died
        self.ledger.counts["freezes"] += 1
        self.elapse(step.facts["for_s"])
        if host.is_doomed:
            raise Died

    def _raise_prices(self, times: Decimal) -> None:
        rows = self.cloud.catalogue.rows
        for name, row in rows.items():
            rows[name] = row._replace(secure=str(Decimal(row.secure) * times))

    def _wire(self, inner: httpx2.MockTransport) -> httpx2.MockTransport:
        """Every answer says when it was given, as RunPod's do; what pods cost is told or not."""

        def answer(request: httpx2.Request) -> httpx2.Response:
            self._requests += 1
            response = inner.handle_request(request)
            if self._no_cost and request.url.path.startswith("/v2/pods"):
                response = _without_costs(response)
            response.headers["date"] = format_datetime(self.clock.now(), usegmt=True)
            return response

        return httpx2.MockTransport(answer)

    def _script(self, pod: ContainerSpec) -> Script:
        """Of the n-th machine that came so far."""
        number = self._numbers.setdefault(pod.pod_id, len(self._numbers) + 1)
        return self._scripts.get(number, SCRIPT)

    # -- the ledger -------------------------------------------------------------------------------

    def _watch_births(self) -> None:
        """Note every pod at its birth: the cloud forgets those that ended a day ago."""
        lifecycle = self.cloud.lifecycle
        begin = lifecycle.begin

        def born(pod: Pod) -> None:
            begin(pod)
            if self._births == self._requests or self.is_late:
                self._seconds.add(pod.id)
            self.is_late = False
            self._births = self._requests
            self._machines[pod.id] = pod

        lifecycle.begin = born  # type: ignore[method-assign]

    def _audit(self, problem: str | None) -> Audit:
        self.cloud.meter.settle()
        ledger = self.ledger
        ledger.machines = [
            Machine(
                pod.id, pod.name, pod.created_at, pod.terminated_at,
                self.cloud.meter.total(pod.id), pod.id in self._seconds,
            )
            for pod in self._machines.values()
        ]  # fmt: skip
        ledger.is_receiver_up = not self._receiver
        ledger.refused = [
            drawn.at
            for drawn in self.cloud.history
            if drawn.where.startswith(("delete_pod", "list_pods", "graphql"))
        ]
        ledger.kept_alive = [d.at for d in self.cloud.history if d.where.startswith("delete_pod")]
        with self.stage.engine.connect() as connection:
            told = connection.execute(select(outbox.c.id, outbox.c.url, outbox.c.body)).all()
            rowed = [
                str(tuple(row))
                for table in metadata.sorted_tables
                for row in connection.execute(select(table))
            ]
        rows = Rows(
            job=self.user.get(self.job),
            orders=tuple(self.user.orders(self.job)),
            log=tuple(self.user.log(self.job)),
            outbox=tuple(Message(*row) for row in told),
            folder=self.folder.path,
            dump="\n".join(rowed).replace(CALLBACK, ""),
        )
        secrets = {
            secret for pod in self._machines.values() for secret in self.stage.secrets(pod.name)
        }
        secrets |= set(self.stage.secrets(""))
        return Audit(ledger, rows, tuple(sorted(secrets)), frozenset({HOST}), problem)


_OPEN: Final = "SELECT id FROM outbox WHERE next_at IS NOT NULL UNION SELECT id FROM strays WHERE absent_at IS NULL"


class _UnfinishedError(Exception):
    """It does not come to an end."""


_TIMED: Final = frozenset(
    {What.CANCEL, What.FAULT, What.PRICE, What.NO_COST, What.SECOND, What.JUMP, *DRIVER_TROUBLES}
)
"""What happens at a moment; the rest is so from the start."""


def _options(facts: Any) -> dict[str, Any]:
    given = {name: facts[name] for name in facts}
    return {name: getattr(CloudOptions.model_validate(given), name) for name in given}


def _rule(step: Step) -> FaultRule:
    """Its times count from the schedule's moment."""
    facts = dict(step.facts)
    facts["after_s"] = step.at + facts.get("after_s", 0)
    if "until_s" in facts:
        facts["until_s"] = step.at + facts["until_s"]
    return FaultRule.model_validate(facts)


def _without_costs(response: httpx2.Response) -> httpx2.Response:
    if "json" not in response.headers.get("content-type", ""):
        return response
    body = re.sub(rb'"cost": ?"?[0-9.]+"?', b'"cost":0', response.read())
    headers = {k: v for k, v in response.headers.items() if k != "content-length"}
    return httpx2.Response(response.status_code, headers=headers, content=body)


class _UserStore(JobStore):
    """The store as commands of the user open it: they neither die nor drive."""

    def __init__(self, stage: Stage, clock: Callable[[], datetime]) -> None:
        self._engine, self._clock = stage.engine, clock
        self._reads = reading(self._engine)


def _store(stage: Stage, clock: Callable[[], datetime]) -> JobStore:
    return _UserStore(stage, clock)


@contextmanager
def _logged(lines: list[str]) -> Iterator[None]:
    """Everything that is logged meanwhile, as a person could read it."""

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(self.format(record))

    keep, root = Keep(), logging.getLogger("podtune")
    level, spreads = root.level, root.propagate
    root.addHandler(keep)
    root.setLevel(logging.INFO)
    root.propagate = False
    try:
        yield
    finally:
        root.removeHandler(keep)
        root.setLevel(level)
        root.propagate = spreads
