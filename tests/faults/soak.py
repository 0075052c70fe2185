"""Many jobs at once for a virtual day: does a driver's memory grow, is an event lost, is a machine left?

    python -m faults.soak --jobs 200 --hours 24

The driver runs the real workflow code in a process of its own, so that its memory is its own; the other
process is the stand-in cloud, with RunPod's limits on requests and a share of machines that are lost. They
share a virtual clock over a pipe. As many jobs run at any time as are asked for, each one to six hours long.
"""

import argparse
import gc
import json
import logging
import multiprocessing
import os
import random
import shutil
import sys
import time
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from multiprocessing.connection import Connection
from typing import Any, Final, NamedTuple

import httpx2
import psutil
from pydantic import SecretStr

from faults.far_side import FarSide
from faults.host import ACCOUNT
from faults.stage import Stage
from podtune.app.effects import TRAIN_FILE
from podtune.app.pod_effects import PodEffects, Tools
from podtune.core.events import parse_line
from podtune.core.job import Job
from podtune.core.limits import DEFAULTS
from podtune.core.spec import Place
from podtune.core.states import Outcome
from podtune.providers.runpod.client import RunPodClient
from podtune.providers.runpod.pods import RunPodProvider
from podtune.storage.pod_port import PodPort
from podtune.testing.clock import START
from podtune.workflow.folder import JobFolder
from podtune.workflow.lease import Driver
from podtune.workflow.reconciler import Reconciler
from podtune.workflow.sites import Site
from podtune.workflow.store import JobStore
from support.executors import Inline

WARM: Final = 0.25
"""Share of the day after which every kind of job has come and gone: what is kept from then on grows."""

TICK_S: Final = 5.0
GPUS: Final = ("NVIDIA A40", "NVIDIA RTX A6000")
STOCK_ROUNDS: Final = 10
"""Between two looks for jobs that are over."""

LOOK_S: Final = 20.0
REST_S: Final = 60.0
PULL_S: Final = 300.0
"""The driver looks, rests and pulls more seldom than in earnest, so that a day fits into minutes."""


class Report(NamedTuple):
    """What a day was like."""

    jobs: int
    """Brought to their end."""
    completed: int
    otherwise: dict[str, int]
    """How the others ended, by error code."""
    machines: int
    recovered: int
    """Jobs that went on with another machine."""
    lost_events: int
    """Events of workers that are not here, or twice, or out of order."""
    left: int
    """Machines alive at the end."""
    unfinished: int
    rss_warm_mb: float
    rss_end_mb: float
    growth: float
    """Of the driver's memory from warm to the day's end, as a share."""
    driver_cpu_s: float


class Lane:
    """The driver's way to the cloud, and its clock."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self._now = START

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return (self._now - START).total_seconds()

    def sleep(self, seconds: float) -> None:
        self.leap(self._now + timedelta(seconds=max(0.0, seconds)), past_events=True)

    def leap(self, target: datetime, *, past_events: bool = False) -> None:
        """On to a moment, or to the cloud's next event before it."""
        self._now = self._ask("leap", target, past_events)

    def facts(self) -> dict[str, Any]:
        return self._ask("facts")

    def forget(self, job_id: str) -> None:
        self._ask("forget", job_id)

    def wire(self) -> httpx2.MockTransport:
        def answer(request: httpx2.Request) -> httpx2.Response:
            sent = (request.method, str(request.url), dict(request.headers), request.read())
            kind, *told = self._ask("http", *sent, request.extensions.get("timeout", {}))
            if kind == "timeout":
                raise httpx2.ReadTimeout("no answer", request=request)
            if kind == "reset":
                raise httpx2.ReadError("reset", request=request)
            status, headers, content, self._now = told
            return httpx2.Response(status, headers=headers, content=content)

        return httpx2.MockTransport(answer)

    def _ask(self, *message: Any) -> Any:
        self._pipe.send(message)
        return self._pipe.recv()


class Day:
    """One virtual day of one driver."""

    def __init__(self, stage: Stage, lane: Lane, *, jobs: int, seed: int) -> None:
        self.stage, self.lane, self.wanted = stage, lane, jobs
        limits = DEFAULTS.model_dump() | {"pull_s": PULL_S}
        self.settings = stage.settings.model_copy(update=limits)
        self.chance = random.Random(seed)
        self.store = JobStore(stage.settings.database, clock=lane.now)
        self.driver = Driver("soak:1:0", stage.owner, "host", ACCOUNT)
        self.reconciler = self._driven()
        self.open: set[str] = set()
        self.otherwise = Counter[str]()
        self.number = self.ended = self.completed = self.recovered = self.lost = self.rounds = 0

    def run(self, hours: float) -> Report:
        """Let the day pass, then let what runs come to its end."""
        begun, warm = time.process_time(), 0.0
        while self._hours() < hours:
            self._submit()
            self._round()
            if not warm and self._hours() >= WARM * hours:
                warm = _rss_mb()
        end = _rss_mb()
        while self.open and self._hours() < 2 * hours + 12:
            self._round()
        facts = self.lane.facts()
        return Report(
            jobs=self.ended,
            completed=self.completed,
            otherwise=dict(self.otherwise),
            machines=facts["machines"],
            recovered=self.recovered,
            lost_events=self.lost,
            left=facts["left"],
            unfinished=len(self.open),
            rss_warm_mb=round(warm, 1),
            rss_end_mb=round(end, 1),
            growth=round(end / warm - 1, 4),
            driver_cpu_s=round(time.process_time() - begun, 1),
        )

    def _driven(self) -> Reconciler:
        lane, settings = self.lane, self.settings
        client = RunPodClient(
            self.stage.access, transport=lane.wire(), sleep=lane.sleep, clock=lane.monotonic,
            chance=self.chance,
        )  # fmt: skip
        provider = RunPodProvider(client, settings, clock=lane.now)

        def observe(wanted: Any) -> Any:
            pods = provider.observe()
            return {i: pods[i].state if i in pods else provider.inspect(i) for i in wanted}

        def port(url: str, token: SecretStr) -> PodPort:
            return PodPort(
                url, token, transport=lane.wire(), clock=lane.monotonic, sleep=lane.sleep
            )

        tools = Tools(lane.now, self.store.orders, port=port, confirm=self.store.confirm)
        effects = PodEffects(settings, provider, client, self.stage.access, tools)
        return Reconciler(
            self.store,
            {Place.RUNPOD: Site(provider, effects, 500, observe=observe, account=ACCOUNT)},
            lambda job: JobFolder(settings.jobs / job),
            driver=self.driver,
            executor=Inline(),
            clock=lane.now,
            limits=settings,
            look_s=LOOK_S,
            rest_s=REST_S,
        )

    def _hours(self) -> float:
        return self.lane.monotonic() / 3600

    def _submit(self) -> None:
        """As many jobs as are wanted, at most one a round: nobody submits two hundred in a moment."""
        if len(self.open) >= self.wanted:
            return
        self.number += 1
        name = f"soak{self.number}-{self.chance.randrange(10**6):06d}"
        folder = JobFolder(self.settings.jobs / name)
        folder.data.mkdir(parents=True)
        os.link(self.stage.rows, folder.data_file(TRAIN_FILE))
        now = self.lane.now()
        made = self.stage.job(GPUS, Decimal(20), 12.0)
        fresh = {"id": name, "account": ACCOUNT, "created_at": now, "updated_at": now}
        self.store.add(made.model_copy(update=fresh))
        self.open.add(name)

    def _round(self) -> None:
        self.store.hold(self.driver, 1e6)
        self.reconciler.tick()
        self.rounds += 1
        if self.rounds % STOCK_ROUNDS == 0:
            for name in self.open - self.store.held(self.driver.holder).keys():
                self._take_stock(self.store.get(name))
        soonest = self.lane.now() + timedelta(seconds=TICK_S)
        self.lane.leap(max(soonest, self.reconciler.next_at() or soonest))

    def _take_stock(self, job: Job) -> None:
        if not job.is_finished:  # just submitted
            return
        self.open.discard(job.id)
        self.ended += 1
        self.completed += job.outcome is Outcome.COMPLETED
        if job.outcome is not Outcome.COMPLETED:
            self.otherwise[job.error_code or str(job.outcome)] += 1
        self.recovered += job.recoveries > 0
        self.lost += lost_events(JobFolder(self.settings.jobs / job.id), job)
        self.lane.forget(job.id)
        shutil.rmtree(self.settings.jobs / job.id)


def lost_events(folder: JobFolder, job: Job) -> int:
    """Gaps and repetitions in the worker's events of each attempt; all that is missing of a completed one."""
    by_attempt: dict[int, list[int]] = {}
    has_result = False
    text = folder.events.read_text(encoding="utf-8") if folder.events.is_file() else ""
    for line in text.splitlines():
        event = parse_line(line)
        if event is not None:
            by_attempt.setdefault(event.attempt, []).append(event.seq)
            has_result |= event.result is not None and event.attempt == job.attempt
    wrong = sum(seen != want for seqs in by_attempt.values() for want, seen in enumerate(seqs))
    return wrong + (job.outcome is Outcome.COMPLETED and not has_result)


def _rss_mb() -> float:
    gc.collect()
    return psutil.Process().memory_info().rss / 1e6


def _drive(pipe: Connection, jobs: int, hours: float, seed: int) -> None:
    """The driver's process."""
    logging.disable(logging.CRITICAL)
    with Stage() as stage, stage.playing():
        report = Day(stage, Lane(pipe), jobs=jobs, seed=seed).run(hours)
    pipe.send(("over", report))


def soak(
    jobs: int, hours: float, seed: int = 1, say: Callable[[str], None] = lambda text: None
) -> Report:
    """Run a day; the report of it."""
    ours, theirs = multiprocessing.Pipe()
    child = multiprocessing.get_context("spawn").Process(
        target=_drive, args=(theirs, jobs, hours, seed), daemon=True
    )
    child.start()
    theirs.close()
    report = FarSide(ours, seed, say).serve()
    child.join()
    return Report(*report)


def main() -> int:
    """Run one and print it; 1 when something was lost or left, or memory grew."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--jobs", type=int, default=200)
    parser.add_argument("--hours", type=float, default=24)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    report = soak(given.jobs, given.hours, given.seed, lambda text: print(text, file=sys.stderr))
    print(json.dumps(report._asdict(), indent=1))
    return int(bool(report.lost_events or report.left or report.unfinished or report.growth > 0.05))


if __name__ == "__main__":
    raise SystemExit(main())
