"""Drivers that can die, and stand still, at any moment. For tests only.

Real are the loop, the job store, the effects, the provider and its client, the port's client and all
files; only the process is not: its death is an exception that nothing catches but the world, and
whatever was in memory is dropped.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import httpx2
from pydantic import SecretStr

from faults.ledger import Wish
from podtune.app import callbacks
from podtune.app.pod_effects import PodEffects, Tools
from podtune.app.rounds import round_of
from podtune.core.clock import Steady
from podtune.core.job import Job
from podtune.core.spec import Place
from podtune.providers.base import InstanceState
from podtune.providers.runpod.client import RunPodClient
from podtune.providers.runpod.pods import RunPodProvider
from podtune.storage.pod_port import PodPort
from podtune.workflow.courier import Answer, Courier
from podtune.workflow.database import reading
from podtune.workflow.folder import JobFolder
from podtune.workflow.lease import Driver
from podtune.workflow.outbox import Message
from podtune.workflow.reconciler import Reconciler
from podtune.workflow.shifts import Orphan
from podtune.workflow.sites import Site
from podtune.workflow.steps import Effect
from podtune.workflow.store import JobStore
from support.executors import Inline

if TYPE_CHECKING:
    from faults.world import World

ACCOUNT: Final = "account-of-it"
TICK_S: Final = 0.4
"""Between two rounds (`workflow.driver.Pace`)."""
LEASE_S: Final = 40.0
HOLD_EVERY_S: Final = 10.0
LOOK_S: Final = 10.0
REST_S: Final = 20.0
IDLE_S: Final = 10.0
"""A driver without jobs looks this often for one."""

NEVER: Final = datetime.max.replace(tzinfo=UTC)

WRITES: Final = ("record_instance", "record_absence", "hold", "leave", "hinder", "take_lease")
"""Verbs of the store before and after which a driver may die, besides `apply` and `claim`."""


class Died(BaseException):
    """SIGKILL: nothing that runs may catch it."""


class MortalStore(JobStore):
    """The job store of one driver: passes a point before and after each write."""

    def __init__(self, host: "Host", clock: Callable[[], datetime]) -> None:
        self._engine, self._clock, self._host = host.world.stage.engine, clock, host
        self._reads = reading(self._engine)

    def beat(self, driver: Driver) -> tuple[int, int]:
        """Claimed only where a job is not this driver's: the rest of the time there is nothing to take."""
        if self._others(driver):
            _claim(self, driver)
        return self.pulse(driver.holder)

    def orphaned(self, driver: Driver) -> Sequence[Orphan]:
        return super().orphaned(driver) if self._others(driver) else ()

    def _others(self, driver: Driver) -> bool:
        raw: Any = self._engine.raw_connection()
        found = raw.execute(_OTHERS, (driver.holder,)).fetchone()
        raw.close()
        return found is not None

    def apply(self, job: Job, changes: Mapping[str, Any], note: str | None, **more: Any) -> Job:
        self._host.point("before apply", is_effect=True)
        changed = super().apply(job, changes, note, **more)
        self._host.committed(changed, changes, note, more.get("message"))
        self._host.point("after apply", is_effect=True)
        return changed


def _mortal(name: str) -> Callable[..., Any]:
    real = getattr(JobStore, name)
    counts = name.startswith("record")

    def write(self: MortalStore, *given: Any, **more: Any) -> Any:
        self._host.point(f"before {name}", is_effect=counts)
        done = real(self, *given, **more)
        self._host.point(f"after {name}", is_effect=counts)
        return done

    return write


_claim: Final = _mortal("claim")
_OTHERS: Final = (
    "SELECT 1 FROM jobs WHERE phase != 'done' AND (holder IS NULL OR holder != ?) LIMIT 1"
)
for _name in WRITES:
    setattr(MortalStore, _name, _mortal(_name))


class MortalEffects(PodEffects):
    """Passes a point before and after each effect."""

    host: "Host"


def _effect(name: str) -> Callable[..., Any]:
    real = getattr(PodEffects, name)

    def act(self: MortalEffects, job: Job) -> Any:
        self.host.point(f"before {name}")
        done = real(self, job)
        self.host.point(f"after {name}", is_effect=True)
        return done

    return act


for _one in Effect:
    setattr(MortalEffects, _one.value, _effect(_one.value))


class Host:
    """One driver process after another, under one name."""

    def __init__(self, world: "World", name: str) -> None:
        self.world, self.name = world, name
        self.is_busy = False
        self.is_late = False
        """It stood still just before the request that it sends next."""
        self.is_doomed = False
        """Dies at its next point."""
        self.back_at: datetime | None = None
        """When the next process starts; None while one runs."""
        self._processes = 0
        self._last: datetime | None = None
        self._held: datetime | None = None
        self.start()

    def now(self) -> datetime:
        """As the process tells the time: by its machine's clock at its start, and what passed since."""
        return self._now()

    def point(self, where: str, *, is_effect: bool = False) -> None:
        """A moment at which the process may end or stand still."""
        self.world.pass_point(self, where, is_effect=is_effect)

    def committed(
        self, job: Job, changes: Mapping[str, Any], note: str | None, message: Any
    ) -> None:
        ledger = self.world.ledger
        proved = changes.get("proof") is not None
        outcome = str(job.outcome) if job.outcome else None
        now = self.world.clock.now()
        ledger.writes.append(Wish(now, str(job.phase), job.attempt, outcome, proved, self.now()))
        if note:
            ledger.notes.append(note)
        if message is not None:
            ledger.messages.append(message)

    def start(self) -> None:
        """A new process: nothing is known but what the database and the folder hold."""
        world = self.world
        self._processes += 1
        world.ledger.counts["starts by a clock set forward"] += world.jumped > timedelta(0)
        world.ledger.counts["starts by a clock set back"] += world.jumped < timedelta(0)
        self.back_at, self.is_doomed, self._held = None, False, None
        self.driver = Driver(f"{self.name}:{self._processes}:0", world.stage.owner, "host", ACCOUNT)
        self.store = MortalStore(self, world.now)
        self._now = Steady(self.store.newest(), wall=world.now, elapsed=world.monotonic)
        self.store.keep_time(self._now)
        settings, executor = world.stage.settings, Inline()
        self.reconciler = Reconciler(
            self.store,
            {Place.RUNPOD: self._site()},
            lambda job: JobFolder(settings.jobs / job),
            driver=self.driver,
            executor=executor,
            clock=self._now,
            limits=settings,
            look_s=LOOK_S,
            rest_s=REST_S,
            announce=callbacks.announcer(settings, self.store.orders, self._now),
        )
        self.courier = Courier(
            self.store.messages, self.driver, self._send, executor=executor, clock=self._now,
            chance=world.chance,
        )  # fmt: skip
        self.reaper = round_of(
            settings, self.store, self.driver, self._client(), executor=executor, clock=self._now
        )

    def due(self) -> datetime:
        """When the next round is."""
        if self.back_at is not None:
            return self.back_at
        now = self.world.clock.now()
        if self._last is None:
            return now
        moments = [self.reconciler.next_at()]
        if self.world.ledger.messages:
            moments.append(self.courier.next_at())
        if moments[0] is not None or self.reaper.is_busy():
            moments.append(self.reaper.next_at() or self._now())
        known = [moment for moment in moments if moment is not None]
        if not known:
            return self._last + timedelta(seconds=IDLE_S) if self.world.has_work() else NEVER
        wait = (min(known) - self._now()).total_seconds()
        return max(now + timedelta(seconds=wait), self._last + timedelta(seconds=TICK_S))

    def wake(self) -> None:
        """Something was written: the next round is soon."""
        self._last = None

    def act(self) -> None:
        """One round, or the start of the next process."""
        self.is_busy = True
        try:
            if self.back_at is not None:
                self.start()
            self._bury()
            now = self.world.clock.now()
            if self._held is None or (now - self._held).total_seconds() >= HOLD_EVERY_S:
                self.store.hold(self.driver, LEASE_S)
                self._held = now
            self.reconciler.tick()
            if self.world.ledger.messages:
                self.courier.due()
            self.reaper.due()
        except Died:
            self.world.buried(self)
        finally:
            self._last = self.world.clock.now()
            self.is_busy = False

    def _bury(self) -> None:
        """What dead processes of this machine held is free at once (`workflow.driver._bury`)."""
        while self.world.dead_holders:
            dead = self.world.dead_holders[-1]
            self.store.leave(dead)
            if dead in self.world.dead_holders:  # time may have passed, and the other was quicker
                self.world.dead_holders.remove(dead)

    def _site(self) -> Site:
        world = self.world
        client = self._client()
        provider = RunPodProvider(client, world.stage.settings, clock=self._now)

        def observe(wanted: Sequence[str]) -> Mapping[str, InstanceState]:
            pods = provider.observe()
            return {i: pods[i].state if i in pods else provider.inspect(i) for i in wanted}

        def port(url: str, token: SecretStr) -> PodPort:
            return PodPort(
                url, token, transport=self._wire(), clock=world.monotonic, sleep=world.elapse
            )

        tools = Tools(
            self._now,
            self.store.orders,
            port=port,
            confirm=self.store.confirm,
            monotonic=world.monotonic,
        )
        effects = MortalEffects(world.stage.settings, provider, client, world.stage.access, tools)
        effects.host = self
        return Site(provider, effects, 4, observe=observe, account=ACCOUNT)

    def _client(self) -> RunPodClient:
        world = self.world
        return RunPodClient(
            world.stage.access,
            transport=self._wire(),
            sleep=world.elapse,
            clock=world.monotonic,
            chance=world.chance,
        )

    def _send(self, message: Message) -> Answer:
        """A callback on its way: signed as it is sent, and the receiver may be away."""
        self.point("before callback", is_effect=True)
        secrets = callbacks.secrets(self.world.stage.settings.home)
        answer = self.world.receive(message, callbacks.signed(message, secrets, self._now()))
        self.point("after callback", is_effect=True)
        return answer

    def _wire(self) -> httpx2.MockTransport:
        """The way to RunPod and to pods, on which a driver may die before and after each request."""

        def answer(request: httpx2.Request) -> httpx2.Response:
            self.world.note_request(request)
            told = f"{request.method} {request.url.path}"
            changes = request.method != "GET"
            self.point(f"before {told}", is_effect=changes)
            self.world.is_late, self.is_late = self.is_late, False
            response = self.world.wire.handle_request(request)
            self.point(f"after {told}", is_effect=changes)
            return response

        return httpx2.MockTransport(answer)
