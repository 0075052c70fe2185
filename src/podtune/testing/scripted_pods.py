"""Pods that are played: workers on the cloud's clock, no process and no waiting.

For simulations of thousands of jobs: the pods answer the same messages as real ones, end themselves as
their watchdog would, and meet with misfortune by script. Only pods that carry the variables of a job do
anything; what their command says does not matter.
"""

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final

from podtune.core.handover import PORT
from podtune.testing.clock import Clock
from podtune.testing.executor import ContainerSpec, Usage
from podtune.testing.http import Request, Response
from podtune.testing.proxy import plain
from podtune.testing.scripted_port import BUSY, ScriptedPort
from podtune.testing.scripted_worker import Disk, ScriptedWorker
from podtune.testing.scripts import Misfortune, Script

SKEW_S: Final = 120.0
"""How far two machines' clocks may differ before the deadline counts (reliability-security.md R11)."""

FAILED_HOLD_S: Final = 600.0
"""How long a failed attempt's checkpoints may be picked up (runpod-worker/pod/attempt.py)."""

HUNG_TIMES: Final = 2.0
"""Silence limits without progress before a busy worker is given up (runpod-worker/pod/watchdog.py)."""

ASK_EVERY_S: Final = 10.0
"""Between two rounds of asking to be ended."""

KILLED: Final = 137

Handle = Callable[[Request], Response]
Scripts = Callable[[ContainerSpec], Script]
OnCloud = Callable[[datetime], datetime]
"""A deadline of the pod's own clock, as a time of the cloud's."""


class ScriptedPods:
    """Plays containers.

    Args:
        clock: The cloud's.
        script: For every pod, or a function that chooses by pod (its name tells job and attempt).
    """

    def __init__(self, clock: Clock, script: Script | Scripts | None = None) -> None:
        self._clock = clock
        self._script = script or Script()
        self._handle: Handle | None = None
        self._pods: dict[str, _Pod] = {}
        self._disks: dict[str, Disk] = {}
        self._lock = threading.RLock()

    def connect(self, handle: Handle) -> None:
        """Say where the pods reach the cloud (`Cloud.handle`); without it they cannot end themselves."""
        self._handle = handle

    def pull_problem(self, image: str) -> str | None:
        """No image is refused."""

    def start(self, pod: ContainerSpec) -> None:
        """Start a container on the disk that is there."""
        key = pod.mount.key if pod.mount else f"container of {pod.pod_id}"
        script = self._script if isinstance(self._script, Script) else self._script(pod)
        with self._lock:
            if pod.mount is None:
                self._disks.pop(key, None)
            disk = self._disks.setdefault(key, Disk())
            self._pods[pod.pod_id] = _Pod(pod, script, disk, self._clock.now())

    def poll(self, pod_id: str) -> int | None:
        """Let happen what is due; exit code once the container ended."""
        with self._lock:
            pod = self._pods.get(pod_id)
            if pod is None:
                return None
            return pod.move(self._clock.now(), self._handle)

    def stop(self, pod_id: str, grace_s: float) -> None:
        """End the container; its disk stays."""
        with self._lock:
            self._pods.pop(pod_id, None)

    def remove(self, pod_id: str) -> None:
        """Drop the pod's own disk."""
        with self._lock:
            self._pods.pop(pod_id, None)
            self._disks.pop(pod_id, None)

    def lines(self, pod_id: str) -> Sequence[str]:
        """New output."""
        with self._lock:
            pod = self._pods.get(pod_id)
            return pod.worker.take_lines() if pod and pod.worker else ()

    def request(self, pod_id: str, port: int, request: Request) -> Response:
        """Ask the pod's port."""
        with self._lock:
            pod = self._pods.get(pod_id)
            if pod is None or port != PORT:
                return plain(404, "error code: 404")
            return pod.answer(request, self._clock.now())

    def usage(self, pod_id: str) -> Usage:
        """A busy card while the worker trains."""
        with self._lock:
            pod = self._pods.get(pod_id)
            is_training = (
                pod is not None and pod.worker is not None and pod.worker.phase == "training"
            )
        return Usage(97.0, 42.0, 30.0, 20.0) if is_training else Usage(0.0, 1.0, 2.0, 5.0)

    def next_event(self) -> datetime | None:
        """When the next thing happens in any pod (a virtual clock may leap there).

        What was due and could not be done is not named: only what is still to come.
        """
        with self._lock:
            now = self._clock.now()
            times = [pod.due(now) for pod in self._pods.values()]
        return min((time for time in times if time is not None), default=None)


class _Pod:
    """A container of the moment: its worker, its port, its watchdog."""

    def __init__(self, spec: ContainerSpec, script: Script, disk: Disk, now: datetime) -> None:
        self.worker: ScriptedWorker | None = None
        self._port: ScriptedPort | None = None
        self._spec, self._script = spec, script
        self._started_at = now
        self._listens_at = now + timedelta(seconds=script.listen_s)
        self._asked_at: datetime | None = None
        self._failed_at: datetime | None = None
        env = spec.env
        if "PODTUNE_TOKEN_SHA256" not in env:
            return
        job, attempt = env["PODTUNE_JOB"], int(env["PODTUNE_ATTEMPT"])
        self.worker = ScriptedWorker(script, disk, job, attempt, spec.clock_skew_s)
        self._port = ScriptedPort(self.worker, disk, script, env, now)
        self._limits = _Limits.of(env, timedelta(seconds=spec.clock_skew_s), now)
        if attempt in disk.begun:
            self.worker.serve_again(now)

    def answer(self, request: Request, now: datetime) -> Response:
        is_closed = self._script.misfortune is Misfortune.NEVER_LISTENS or now < self._listens_at
        if self.worker is None or self._port is None or is_closed:
            return plain(502, "error code: 502")
        self.worker.advance(now)
        if self.worker.is_lost:
            return plain(502, "error code: 502")
        if self.worker.is_deaf:
            return plain(524, "error code: 524")
        response = self._port.answer(request, now)
        if self._port.handed is not None:
            self._limits.shorten(self._port.handed.deadline)
        return response

    def move(self, now: datetime, handle: Handle | None) -> int | None:
        worker, port = self.worker, self._port
        if worker is None or port is None:
            return None
        if self._limits.must_save(now) and worker.phase in BUSY:
            worker.cancel(max(self._limits.saves_at, worker.moved_at or self._limits.saves_at))
        worker.advance(now)
        if worker.is_lost:
            return KILLED
        if worker.phase == "failed" and self._failed_at is None:
            self._failed_at = worker.moved_at or now
        is_due = self._asked_at is None or now >= self._asked_at + timedelta(seconds=ASK_EVERY_S)
        has_dog = self._script.misfortune is not Misfortune.WATCHDOG_DEAD
        if handle is not None and has_dog and is_due and self._must_end(now):
            self._asked_at = now
            _end(self._spec, handle)
        return None

    def due(self, now: datetime) -> datetime | None:
        """When something happens next."""
        worker = self.worker
        if worker is None:
            return None
        times = [self._limits.ends_at, self._limits.saves_at, worker.due]
        if self._failed_at is not None:
            times.append(self._failed_at + self._limits.hold)
        if self._port is not None and self._port.handed is None:
            times.append(self._limits.boots_until)
        if worker.moved_at is not None:
            times.append(worker.moved_at + self._limits.silence)
        if self._asked_at is not None:
            times.append(self._asked_at + timedelta(seconds=ASK_EVERY_S))
        return min((time for time in times if time is not None and time > now), default=None)

    def _must_end(self, now: datetime) -> bool:
        port, worker, limits = self._port, self.worker, self._limits
        if port is None or worker is None:
            return False
        if port.is_released or now >= limits.ends_at:
            return True
        if port.handed is None and worker.phase == "waiting":
            return now >= limits.boots_until
        if self._failed_at is not None:
            return now >= self._failed_at + limits.hold
        is_silent = worker.moved_at is not None and now >= worker.moved_at + limits.silence
        return worker.phase in BUSY and worker.due is None and is_silent


class _Limits:
    """The pod's orders, in times of the cloud's clock."""

    def __init__(
        self, ends_at: datetime, saves_at: datetime, boots_until: datetime, on_cloud: OnCloud
    ) -> None:
        self.ends_at, self.saves_at, self.boots_until = ends_at, saves_at, boots_until
        self.silence = timedelta()
        self.hold = timedelta()
        self._on_cloud = on_cloud
        self._reserve = timedelta()

    @classmethod
    def of(cls, env: Mapping[str, str], skew: timedelta, now: datetime) -> "_Limits":
        def seconds(name: str, default: float) -> timedelta:
            return timedelta(seconds=float(env.get(f"PODTUNE_{name}", default)))

        def moment(name: str) -> datetime:
            return datetime.fromtimestamp(float(env[f"PODTUNE_{name}"]), UTC)

        started, deadline = moment("STARTED"), moment("DEADLINE")

        def on_cloud(deadline: datetime) -> datetime:
            # by its own clock, and never longer than it was meant to live (runpod-worker/pod/lifetime.py)
            return min(deadline - skew, now + (deadline - started))

        deadline = on_cloud(deadline)
        paid = _paid_for(env)
        broke_at = now + paid - max(timedelta(), now + skew - started) if paid else deadline
        left_until = min(deadline, broke_at)
        ends_at = deadline + timedelta(seconds=SKEW_S)
        limits = cls(
            min(ends_at, broke_at) if paid else ends_at,
            left_until - seconds("UPLOAD_RESERVE_S", 120),
            now + seconds("BOOT_LIMIT_S", 900),
            on_cloud,
        )
        limits._reserve = seconds("UPLOAD_RESERVE_S", 120)
        limits.silence = HUNG_TIMES * seconds("SILENCE_LIMIT_S", 600)
        limits.hold = max(timedelta(seconds=FAILED_HOLD_S), seconds("KEEP_ON_FAILURE_S", 0))
        return limits

    def shorten(self, to: int | None) -> None:
        """The work that was handed over may say that it has to end earlier (`HandOver.deadline`)."""
        if to is not None:
            deadline = self._on_cloud(datetime.fromtimestamp(to, UTC))
            self.ends_at = min(self.ends_at, deadline + timedelta(seconds=SKEW_S))
            self.saves_at = min(self.saves_at, deadline - self._reserve)

    def must_save(self, now: datetime) -> bool:
        """Whether the worker is asked to stop, so that there is time to bring away what it has."""
        return now >= self.saves_at


def _paid_for(env: Mapping[str, str]) -> timedelta | None:
    """How long the budget lasts; None without one."""
    budget = Decimal(env.get("PODTUNE_MAX_USD", "0"))
    price = Decimal(env.get("PODTUNE_USD_PER_HOUR", "0"))
    if budget <= 0 or price <= 0:
        return None
    return timedelta(seconds=float(budget / price * 3600))


def _end(pod: ContainerSpec, handle: Handle) -> None:
    """Ask the cloud to end the pod with its own key: REST v2, else GraphQL."""
    key, headers = pod.env.get("RUNPOD_API_KEY", ""), {"user-agent": "podtune-pod/1"}
    headers["authorization"] = f"Bearer {key}"
    if handle(Request.of("DELETE", f"/v2/pods/{pod.pod_id}", headers)).status < 300:
        return
    for name, fields in (("podTerminate", ""), ("podStop", " { id }")):
        query = f"mutation ($pod: String!) {{ {name}(input: {{podId: $pod}}){fields} }}"
        body = json.dumps({"query": query, "variables": {"pod": pod.pod_id}}).encode()
        answer = handle(Request.of("POST", "/graphql", headers, body))
        if answer.status < 300 and b'"errors"' not in answer.content():
            return
