"""What a round over 5,000 running jobs costs: rows, list, decisions, and the looks at machines that are due.

Real are the loop, the job store (SQLite), the provider and its client with lists of 5,000 pods; a look at a
machine's own port is an empty call. CPU seconds. Goal: 100 ms a round, with one list call.
"""

import gc
import sys
import tempfile
import time
from concurrent.futures import Executor, Future
from datetime import timedelta
from pathlib import Path

import httpx2
import measure
import msgspec
import psutil
from lists import PODS, pod
from pydantic import SecretStr

sys.path.insert(0, str(measure.ROOT / "tests"))

from podtune.app.driver import GARBAGE
from podtune.core.limits import Limits
from podtune.core.spec import Place
from podtune.core.states import JobPhase
from podtune.providers.runpod.access import RunPodAccess
from podtune.providers.runpod.client import RunPodClient
from podtune.providers.runpod.pods import RunPodProvider
from podtune.workflow.folder import JobFolder
from podtune.workflow.reconciler import Reconciler
from podtune.workflow.sites import Site
from podtune.workflow.steps import Heard
from podtune.workflow.store import JobStore
from support import build, driving, rented_jobs
from support.runpod_account import KEY, START

VIRTUAL_S = 250.0
"""So long it takes until each machine was looked at once (`pauses.LOOKS_PER_S`)."""
TICK_S = 0.4
"""As the driver's pace."""

WARM_ROUNDS = 250
"""Behind the first looks at all machines, which come at once here; the next ones are spread."""


class Inline(Executor):
    """Runs at once."""

    def submit(self, fn, /, *args, **kwargs):
        future = Future()
        future.set_result(fn(*args, **kwargs))
        return future


class Clock:
    """Stands still until it is pushed."""

    now = START

    def __call__(self):
        return self.now


class Looks:
    """Effects of jobs whose machines run: only looks are asked for."""

    def __init__(self, clock) -> None:
        self.clock, self.count = clock, 0

    def pull(self, job):
        self.count += 1
        return Heard(at=self.clock())


class Account:
    """An account of 5,000 pods."""

    def __init__(self) -> None:
        self.body = msgspec.json.encode({"pods": [pod(i) for i in range(PODS)]})
        self.lists = 0

    def __call__(self, request):
        assert request.url.path == "/v2/pods", request.url
        self.lists += 1
        return httpx2.Response(200, content=self.body, headers={"content-type": "application/json"})


def fill(store: JobStore) -> None:
    """5,000 jobs in training, each with its order and its machine."""
    plan = rented_jobs.plan()
    intended = {"phase": JobPhase.TRAINING, "first_intent_at": START, "intent_at": START}
    for number in range(PODS):
        name = f"pt-owner123-job{number}-1-x1800000000"
        job = build.job(id=f"job{number}", plan=plan, account="acc", created_at=START)
        store.add(job)
        mine = driving.held(store, job)
        instance = {"instance_id": f"pod{number:011d}", "instance_name": name}
        store.apply(mine, {**intended, **instance, "deadline": START + timedelta(hours=9)}, None)


def cpu(work) -> float:
    """CPU milliseconds of a call."""
    begun = time.process_time()
    work()
    return 1000 * (time.process_time() - begun)


def main() -> None:
    """Fill, take over, and drive for some virtual minutes, with the collector set as a driver does."""
    gc.set_threshold(*GARBAGE)
    with tempfile.TemporaryDirectory() as folder:
        clock, account = Clock(), Account()
        store = JobStore(Path(folder) / "podtune.db", clock=clock)
        begun = time.process_time()
        fill(store)
        filled = time.process_time() - begun
        access = RunPodAccess(SecretStr(KEY), rest_url="https://api.test/v2")
        client = RunPodClient(access, transport=httpx2.MockTransport(account))
        provider = RunPodProvider(client, Limits(), clock=clock)
        looks = Looks(clock)

        def observe(wanted):
            pods = provider.observe()
            return {i: pods[i].state if i in pods else provider.inspect(i) for i in wanted}

        store.leave("me")
        driver = driving.ME._replace(holder="bench", account="acc")
        reconciler = Reconciler(
            store,
            {Place.RUNPOD: Site(provider, looks, PODS, observe=observe, account="acc")},
            lambda job_id: JobFolder(Path(folder) / job_id),
            driver=driver,
            executor=Inline(),
            clock=clock,
        )

        def round_() -> None:
            clock.now += timedelta(seconds=TICK_S)
            store.hold(driver, 20)
            reconciler.tick()

        first = cpu(round_)
        for _ in range(WARM_ROUNDS):
            round_()
        looks.count = account.lists = 0
        rounds, with_list = [], []
        for _ in range(int(VIRTUAL_S / TICK_S)):
            before = account.lists
            rounds.append(cpu(round_))
            with_list += rounds[-1:] if account.lists > before else []
        store.close()
    measure.write(
        "reconciler",
        {
            "running_jobs": PODS,
            "rounds": len(rounds),
            "round_mean_ms": round(sum(rounds) / len(rounds), 1),
            "round_with_list_mean_ms": round(sum(with_list) / len(with_list), 1),
            "round_worst_ms": round(max(rounds), 1),
            "share_of_a_core": round(sum(rounds) / 1000 / VIRTUAL_S, 3),
            "list_calls": account.lists,
            "looks_at_machines": looks.count,
            "take_over_ms": round(first, 1),
            "submit_and_order_ms_each": round(1000 * filled / PODS, 2),
            "rss_mb": round(psutil.Process().memory_info().rss / 1e6),
        },
    )


if __name__ == "__main__":
    main()
