"""An account of the stand-in cloud, a job store, and reapers over both, on one virtual clock. For tests only."""

import json
import random
from datetime import timedelta
from decimal import Decimal

from pydantic import SecretStr

from podtune.core.job import Job
from podtune.core.limits import Limits
from podtune.core.states import JobPhase
from podtune.providers.runpod.access import RunPodAccess
from podtune.providers.runpod.client import RunPodClient
from podtune.providers.runpod.pods import RunPodProvider
from podtune.testing.clock import START, VirtualClock
from podtune.testing.cloud import Cloud
from podtune.testing.http import Request
from podtune.testing.options import CloudOptions
from podtune.testing.transport import transport
from podtune.workflow import strays
from podtune.workflow.lease import Driver
from podtune.workflow.reaper import Reaper
from podtune.workflow.store import JobStore
from podtune.workflow.strays import Stray
from support import rented_jobs, stand_in
from support.driving import LONG_S
from support.executors import Inline

OWNER = "owner123"
ME = Driver("me", OWNER, "here", "acc")
LIMITS = Limits(reap_every_s=60)
DEADLINE = START + timedelta(hours=4)


def name(job="job1", attempt=1, deadline=DEADLINE, owner=OWNER):
    """A machine's name."""
    return f"pt-{owner}-{job}-{attempt}-x{int(deadline.timestamp())}"


def stray(number="p9", called=None, **changes):
    """A machine whose job is over, seen at the start."""
    values = {
        "account": "acc", "job": None, "usd_per_hour": Decimal("0.40"), "reason": "its job is over",
        "first_seen_at": START, "asked_at": None, "absent_at": None, "proof": None,
    }  # fmt: skip
    return Stray(id=number, name=called or name(), **(values | changes))


def remember_stray(path, one=None):
    """Put a stray into the store of a home; that store is made where there is none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    store = JobStore(path)
    with store.transaction() as connection:
        strays.see(connection, one or stray())
    store.close()


class World:
    """One account; stores and reapers come and go."""

    def __init__(self, folder, *faults, **options):
        self.clock = VirtualClock()
        self.cloud = Cloud(self.clock, 1, options=CloudOptions(**options), faults=faults)
        self.path = folder / "podtune.db"
        self.store = JobStore(self.path, clock=self.clock.now)
        self.answers = []
        self.reaper = self.another()

    def close(self):
        self.store.close()

    def client(self):
        return RunPodClient(
            RunPodAccess(api_key=SecretStr("rpa_reaping0123456789")),
            transport=transport(self.cloud),
            sleep=self.clock.advance,
            clock=lambda: self.clock.now().timestamp(),
            chance=random.Random(0),
        )

    def provider(self, limits=LIMITS):
        return RunPodProvider(self.client(), limits, clock=self.clock.now)

    def another(self, driver=ME, store=None, clock=None, **options):
        """A reaper as of a driver that has just started."""
        return Reaper(
            store or self.store, self.provider(), driver, executor=Inline(),
            clock=clock or self.clock.now, limits=LIMITS, on_answer=self.answers.append, **options,
        )  # fmt: skip

    def order(self, called):
        """A pod of a name, past our own workflow; its id."""
        told = {"user-agent": "test", "authorization": "Bearer rpa_reaping0123456789"}
        raw = json.dumps(stand_in.order(called)).encode()
        answer = self.cloud.handle(Request.of("POST", "https://x/v2/pods", told, raw))
        assert answer.status == 201, answer.content()
        return answer.json()["id"]

    def live(self):
        return {pod.name for pod in self.cloud.account.live_pods()}

    def remember(self, number="job1", phase=JobPhase.TRAINING, **changes) -> Job:
        """A job in the store that ordered its machine just now, by name."""
        self.store.add(
            rented_jobs.job(
                JobPhase.STAGING, id=number, intent_at=None, first_intent_at=None, account=ME.account,
                instance_name=None, instance_id=None, deadline=None,
            )
        )  # fmt: skip
        self.store.hold(ME, LONG_S)
        self.store.claim(ME)
        intent = {
            "intent_at": self.clock.now(),
            "instance_name": name(number),
            "deadline": DEADLINE,
        }
        job = self.store.apply(self.store.get(number), {**intent, "phase": JobPhase.PROVISIONING}, "orders")  # fmt: skip
        return self.store.apply(job, {"phase": phase, **changes}, "goes on")

    def strays(self):
        with self.store.transaction() as connection:
            return strays.unproved(connection)

    def stray(self, machine_id):
        with self.store.transaction() as connection:
            return strays.find(connection, machine_id)

    def lasts(self, seconds, reaper=None, step_s=2.0):
        """Let time pass while a reaper works."""
        until = self.clock.now() + timedelta(seconds=seconds)
        while self.clock.now() < until:
            (reaper or self.reaper).due()
            self.clock.advance(step_s)
            self.cloud.tick()
