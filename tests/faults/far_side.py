"""The stand-in cloud at the far end of a pipe, with the clock that both sides share. For tests only."""

import random
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from multiprocessing.connection import Connection
from typing import Any, Final

import httpx2

from podtune.testing.clock import VirtualClock
from podtune.testing.cloud import Cloud
from podtune.testing.executor import ContainerSpec
from podtune.testing.options import CloudOptions
from podtune.testing.scripted_pods import ScriptedPods
from podtune.testing.scripts import Misfortune, Script
from podtune.testing.transport import transport

STEP_S: Final = 300.0
LOST: Final = 0.1
"""Share of the machines that are lost at some step."""

OPTIONS: Final = CloudOptions(
    provisioning_s=5, pull_s=20, balance_usd=Decimal(100_000), spend_limit_usd=Decimal(10_000),
    is_playground=False,
)  # fmt: skip


class FarSide:
    """Answers a driver until it says that its day is over."""

    def __init__(self, pipe: Connection, seed: int, say: Callable[[str], None]) -> None:
        self._pipe, self._say = pipe, say
        self._chance = random.Random(seed)
        self._clock = VirtualClock()
        self._pods = ScriptedPods(self._clock, self._script)
        self._cloud = Cloud(self._clock, seed, self._pods, OPTIONS)
        self._pods.connect(self._cloud.handle)
        self._wire = transport(self._cloud, self._elapse)
        self._machines = self._hour = 0

    def serve(self) -> tuple[Any, ...]:
        """The driver's report."""
        answers = {
            "http": self._http,
            "leap": self._leap,
            "facts": self._facts,
            "forget": self._forget,
        }
        while True:
            kind, *given = self._pipe.recv()
            if kind == "over":
                return tuple(given[0])
            self._pipe.send(answers[kind](*given))

    def _http(
        self, method: str, url: str, headers: dict[str, str], body: bytes, timeout: dict[str, Any]
    ) -> tuple[Any, ...]:
        request = httpx2.Request(
            method, url, headers=headers, content=body, extensions={"timeout": timeout}
        )
        try:
            response = self._wire.handle_request(request)
            content = response.read()
        except httpx2.TimeoutException:
            return ("timeout",)
        except httpx2.TransportError:
            return ("reset",)
        return ("answer", response.status_code, dict(response.headers), content, self._clock.now())

    def _leap(self, target: datetime, past_events: bool) -> datetime:
        """On to a moment, or to the first event before it; all events on the way happen."""
        while True:
            now = self._clock.now()
            events = [self._cloud.next_event(), self._pods.next_event()]
            due = [event for event in events if event is not None]
            goal = min([target, *(max(now, event) for event in due)])
            self._clock.advance(max(0.0, (goal - now).total_seconds()))
            self._cloud.tick()
            if goal >= target or not past_events:
                self._tell()
                return self._clock.now()
            if goal <= now:  # what was due has happened, or cannot yet
                self._clock.advance(0.05)

    def _elapse(self, seconds: float) -> None:
        self._clock.advance(max(0.0, seconds))

    def _facts(self) -> dict[str, Any]:
        return {"machines": self._machines, "left": len(self._cloud.account.live)}

    def _forget(self, job_id: str) -> bool:
        """Pods of a job that is over are of no interest any more."""
        account = self._cloud.account
        for pod in [pod for pod in account.pods.values() if f"-{job_id}-" in pod.name]:
            if pod.terminated_at is not None:
                del account.pods[pod.id]
        return True

    def _script(self, pod: ContainerSpec) -> Script:
        """An hour to six, and now and then a machine that is lost."""
        self._machines += 1
        steps = int(self._chance.uniform(1, 6) * 3600 / STEP_S)
        is_lost = self._chance.random() < LOST
        return Script(
            listen_s=3, install_s=60, check_s=5, load_s=30, step_s=STEP_S, steps=steps,
            save_every=3, file_bytes=256, at_step=self._chance.randrange(1, steps),
            misfortune=Misfortune.LOST if is_lost else None,
        )  # fmt: skip

    def _tell(self) -> None:
        hour = int(self._clock.now().timestamp() // 3600)
        if hour != self._hour:
            self._hour = hour
            self._say(f"{self._clock.now():%d %H:%M}  {self._machines} machines so far")
