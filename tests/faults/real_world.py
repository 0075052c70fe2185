"""A stand-in cloud on a socket, a home with jobs, real driver processes, and an auditor.

The cloud plays its pods on real time, in short scripts: the drivers and the kills are what is real here.
What the auditor says comes from the cloud's own books and from the job store.
"""

import itertools
import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, Self

from pydantic import SecretStr

from faults.armed_driver import Orders
from faults.real_drivers import DriverProcess, Drivers
from podtune.app import installation, planner, receipts, wiring
from podtune.app.service import Service
from podtune.app.settings import Settings
from podtune.core.job import Job
from podtune.core.states import Outcome
from podtune.providers.runpod.access import RunPodAccess
from podtune.testing.clock import RealClock
from podtune.testing.cloud import Cloud
from podtune.testing.dev import laptop_cloud
from podtune.testing.executor import ContainerSpec
from podtune.testing.faults import parse_rule
from podtune.testing.options import CloudOptions, RateLimits
from podtune.testing.scripted_pods import ScriptedPods
from podtune.testing.scripts import Script
from podtune.testing.server import CloudServer
from podtune.workflow.folder import EventTail, JobFolder
from podtune.workflow.store import JobStore
from support import homes
from support.hook_receiver import HookReceiver
from support.waiting import until

SHORT = Script(
    listen_s=0.1, install_s=0.1, check_s=0.05, load_s=0.05, step_s=0.05, save_s=0.05, prove_s=0.1,
    steps=8, save_every=2,
)  # fmt: skip
"""A worker of a second."""

LIMITS = {
    "settle_s": 1.5, "proof_window_s": 0.8, "boot_limit_s": 30, "silence_limit_s": 20, "pull_s": 0.15,
    "upload_reserve_s": 5, "overrun_reserve_s": 5, "terminate_alarm_s": 20, "rented_places": 64,
    "reap_every_s": 5, "reap_grace_s": 600,
}  # fmt: skip
"""The waiting windows, as settings."""

PACE = {"tick_s": 0.05, "lease_s": 3.0, "idle_s": 0.5}
LAG_S = 0.5
"""How long lists lag behind: less than an order may take to settle, and close to the window of proof."""

END_S = 90.0
CARDS = "NVIDIA A40,NVIDIA RTX A6000"
CEILING_USD = 1.0


WIRE = {
    Outcome.COMPLETED: "completed",
    Outcome.CANCELLED: "failed",
    Outcome.FAILED: "failed",
    Outcome.TIMED_OUT: "failed",
}
"""What an application is told: it knows three words."""


class Wrong(NamedTuple):
    """What the auditor found, in the words of `counts.Counts`."""

    leaks: int = 0
    double_launches: int = 0
    overspent: int = 0
    unfinished: int = 0
    wrong_outcomes: int = 0
    wrong_callbacks: int = 0


class Template:
    """A home with one planned job, made by the real planner; worlds copy it.

    Without a model that can be trained it is for pods that are played.
    """

    def __init__(self, folder: Path, model: Path | None = None, **stated: object) -> None:
        self.folder = folder
        self.settings = Settings(home=folder / "home")
        self.model = model or homes.model(folder / "model", hidden_size=32, num_hidden_layers=1)
        self.data = homes.data(folder)
        self.receiver = HookReceiver()
        fields = {
            "deliver.callback_url": self.receiver.url,
            "base_model.name": str(self.model), "where.on": "runpod", "where.max_usd": CEILING_USD,
            "where.gpu_any_of": CARDS, **{k.replace("__", "."): v for k, v in stated.items()},
        }  # fmt: skip
        try:
            self.job = self._submitted(fields)
        except BaseException:
            self.receiver.__exit__()
            raise
        installation.signing_key(self.settings.home)
        self.empty = folder / "empty.db"
        JobStore(self.empty).close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.receiver.__exit__()

    def _submitted(self, fields: dict[str, object]) -> Job:
        """Plan and submit; the prices are a stand-in's."""
        self.settings = self.settings.model_copy(update=self.egress())
        with CloudServer(Cloud(None, 0, None, _options())) as server, _environment(server):
            plan = planner.make_plan(planner.source_request(str(self.data), fields), self.settings)
            service = Service(self.settings)
            service._drivers.ensure = lambda store: None  # this home is only a mould
            try:
                return service.submit(plan)
            finally:
                service.close()

    def egress(self) -> dict[str, object]:
        """Settings that let callbacks reach the receiver, on this machine."""
        return {"egress_http": True, "egress_private_hosts": f"127.0.0.1:{self.receiver.port}"}

    def received(self, job: str) -> list[tuple[str, str]]:
        """Id and status of every callback that came for a job."""
        calls = [
            call
            for call in list(self.receiver.calls)
            if call.headers["webhook-id"].startswith(f"{job}:")
        ]
        return [(c.headers["webhook-id"], json.loads(c.body)["data"]["status"]) for c in calls]


class World:
    """One cloud and one home; use as a context manager. Without a script, pods are real processes."""

    _numbers = itertools.count(1)

    def __init__(
        self,
        template: Template,
        drivers: Drivers,
        folder: Path,
        *,
        script: Script | Callable[[ContainerSpec], Script] | None = SHORT,
        faults: Sequence[str] = (),
        database_url: str | None = None,
        pace: dict[str, float] = PACE,
    ) -> None:
        self.template, self.drivers, self.folder, self.pace = template, drivers, folder, pace
        self.home = Settings(home=folder / "home", **LIMITS)
        self.home.jobs.mkdir(parents=True)
        for name in (installation.OWNER_FILE, installation.KEY_FILE):
            shutil.copy(template.settings.home / name, self.home.home / name)
        shutil.copy(template.empty, self.home.database)
        rules, seed = [parse_rule(text) for text in faults], next(self._numbers)
        if script is None:
            self.cloud = laptop_cloud(folder / "cloud", _options(), seed=seed, faults=rules)
        else:
            clock = RealClock()
            pods = ScriptedPods(clock, script)
            self.cloud = Cloud(clock, seed, pods, _options(), faults=rules)
            pods.connect(self.cloud.handle)
        self.server = CloudServer(self.cloud, tick_s=0.05)
        told = self.server.environment()
        self.account = wiring.account_of(
            RunPodAccess(SecretStr(told["RUNPOD_API_KEY"]), rest_url=told["RUNPOD_REST_BASE_URL"])
        )
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("PODTUNE_", "RUNPOD_"))}
        stated = LIMITS | template.egress()
        limits = {f"PODTUNE_{name.upper()}": str(value) for name, value in stated.items()}
        self.environment = {**kept, **told, **limits, "PODTUNE_HOME": str(self.home.home)}
        if database_url:
            self.environment["PODTUNE_DATABASE_URL"] = database_url
        self.store = JobStore(self.home.database, url=database_url)
        self.started: list[DriverProcess] = []

    def __enter__(self) -> "World":
        self.server.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        for driver in self.started:
            driver.send(9)
        self.store.close()
        self.server.close()

    def submit(self, *names: str, max_hours: float | None = None) -> None:
        """Put jobs into the store, with their rows, as `submit` does.

        `max_hours` replaces the plan's, which the planner keeps above the time that a job may take.
        """
        job = self.template.job
        if max_hours is not None:
            price = job.plan.price.model_copy(update={"max_hours": max_hours})
            plan = job.plan.model_copy(update={"price": price})
            job = job.model_copy(update={"plan": plan, "plan_digest": plan.digest})
        for name in names:
            shutil.copytree(
                self.template.settings.jobs / self.template.job.id, self.home.jobs / name
            )
            self.store.add(job.model_copy(update={"id": name, "account": self.account}))

    def start(
        self, *, at: str | None = None, nth: int = 1, standing: bool = False
    ) -> DriverProcess:
        """Start a driver, which dies at a point if one is named."""
        orders = Orders(
            self.environment, str(self.folder / "points.jsonl"), str(self.folder / "driver.log"),
            at, nth, standing, self.pace,
        )  # fmt: skip
        driver = self.drivers.start(orders)
        self.started.append(driver)
        return driver

    def points(self) -> Iterator[tuple[str, int]]:
        """Every point that drivers passed, and how often (2 means: at least)."""
        for line in (self.folder / "points.jsonl").read_text().splitlines():
            told = json.loads(line)
            yield told["point"], told["nth"]

    def has_ended(self, *names: str) -> bool:
        return all(self.store.get(name).is_finished for name in names)

    def wait_for_end(self, *names: str, seconds: float = END_S) -> None:
        until(lambda: self.has_ended(*names), "the end of every job", seconds)

    def made(self, name: str) -> list[str]:
        """Ids of all pods that were ever made for a job."""
        beginning = f"pt-{self.template.job.owner}-{name}-"
        lines = self.cloud.happenings()
        return [h.pod_id for h in lines if h.what == "created" and h.name.startswith(beginning)]

    def log(self) -> str:
        path = self.folder / "driver.log"
        return path.read_text() if path.is_file() else ""

    def audit(self, name: str, outcome: Outcome, machines: int = 1) -> tuple[Wrong, list[str]]:
        """What is wrong with a job at its end, counted and in words."""
        job = self.store.get(name)
        words = {
            "leaks": self._leaks(job),
            "double_launches": self._launches(job, machines),
            "overspent": self._money(job),
            "unfinished": [] if job.is_finished else [f"{job.phase}"],
            "wrong_outcomes": self._outcome(job, outcome),
            "wrong_callbacks": self._callbacks(job),
        }
        found = [f"{what}: {word}" for what, told in words.items() for word in told]
        return Wrong(**{what: len(told) for what, told in words.items()}), found

    def _leaks(self, job: Job) -> list[str]:
        made = self.made(job.id)
        left = [pod.id for pod in self.cloud.account.live_pods() if pod.id in made]
        open_orders = [o.name for o in self.store.orders(job.id) if o.absent_at is None]
        proof = [] if job.proof or not made else ["no proof of absence"]
        return [*(f"pod {i} is left" for i in left), *proof, *(f"{o} is open" for o in open_orders)]

    def _launches(self, job: Job, machines: int) -> list[str]:
        made = self.made(job.id)
        return [] if len(made) <= machines else [f"{len(made)} pods were made, not {machines}"]

    def _money(self, job: Job) -> list[str]:
        """Our meter is never below the bill, and never over the ceiling."""
        billed, metered = self.cloud.account.spent_usd, sum(self.store.spent(job.id).values())
        if len(self.store.recent()) > 1:  # the cloud's books have one sum
            billed, metered = (
                billed,
                sum(self.store.spent(*(j.id for j in self.store.recent())).values()),
            )
        ceiling = job.plan.price.max_usd * len(self.store.recent())
        return [] if billed <= metered <= ceiling else [f"{billed} <= {metered} <= {ceiling}"]

    def _outcome(self, job: Job, outcome: Outcome) -> list[str]:
        found = (
            []
            if job.outcome is outcome
            else [f"{job.outcome} ({job.error_code}: {job.error_message})"]
        )
        folder = JobFolder(self.home.jobs / job.id)
        told = [
            event.seq for event in EventTail(folder.events).read() if event.attempt == job.attempt
        ]
        if told != list(range(len(told))):
            found.append(f"events {told}")
        if job.outcome is Outcome.COMPLETED:
            receipts.verify(folder.artifact, installation.signing_key(self.home.home).public_base64)
        return found

    def _callbacks(self, job: Job) -> list[str]:
        """One id, however often it came; it says what the store says, and was taken."""
        wanted = {(f"{job.id}:terminal", WIRE[job.outcome])} if job.outcome else set()
        came, sent = set(self.template.received(job.id)), self.store.messages.of(job.id)
        found = [] if came == wanted else [f"came {came}, not {wanted}"]
        waiting = [one.id for one in sent if one.delivered_at is None]
        return [*found, *(f"{i} still waits" for i in waiting)]


@contextmanager
def _environment(server: CloudServer) -> Iterator[None]:
    """This process's own environment leads to the cloud; for the planner, which asks its prices."""
    before = {name: os.environ.get(name) for name in server.environment()}
    os.environ.update(server.environment())
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _options() -> CloudOptions:
    unlimited = RateLimits(per_minute=0, per_hour=0, per_day=0)
    return CloudOptions(
        provisioning_s=0.05, pull_s=0.05, restart_s=0.2, listing_lag_s=LAG_S, removal_lag_s=0.2,
        rate_limits=unlimited, balance_usd=1000,
    )  # fmt: skip
