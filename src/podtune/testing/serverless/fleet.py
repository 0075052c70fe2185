"""Workers of one endpoint: how many there are, and the containers that run them.

A worker is a container of the cloud's executor, started with the variables that RunPod's SDK reads.
Workers started by hand (a test, a person at a laptop) join by asking for work. Decisions use the times
handed in; nothing waits here.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from podtune.testing.executor import ContainerSpec, Mount
from podtune.testing.serverless.endpoint import IDLE_TIMEOUT_S, VOLUME_PATH, Endpoint, Host
from podtune.testing.serverless.queue import EndpointQueue
from podtune.testing.serverless.worker import Desk, Worker, WorkerState, WorkerTimes, environment

LOST_AFTER: Final = timedelta(seconds=90)
"""A worker that somebody else started is forgotten when it is not heard of for so long: the SDK gives
up a call for work after 90 s (runpod 1.12.0, `jobs_fetcher_timeout`)."""

BACKOFF_LIMIT_S: Final = 60.0
"""Longest pause before a crashed worker is started again. Ours: RunPod only says that it goes on for
up to 7 days (runpod-plugins-official, path 15, 2026-08)."""


class Fleet:
    """The workers of one endpoint.

    Args:
        host: The cloud.
        queue: The endpoint's jobs.
        address: Where the endpoint's queue is reached: `http://host/ai/v2/ID`.
        key: What workers show instead of the account's key.
        times: How long their steps take.
    """

    def __init__(
        self, host: Host, queue: EndpointQueue, address: str, key: str, times: WorkerTimes
    ) -> None:
        self._host = host
        self._queue = queue
        self._desk = Desk(address, key, times.ping_interval_s)
        self._times = times
        self._grown_at: datetime | None = None
        self._idle_limit = timedelta(seconds=IDLE_TIMEOUT_S)
        self.workers: dict[str, Worker] = {}

    @property
    def key(self) -> str:
        """What workers of this endpoint show."""
        return self._desk.key

    def hear(self, worker_id: str, now: datetime, *, is_ready: bool = False) -> Worker:
        """A worker called; one that is not known joins."""
        worker = self.workers.get(worker_id)
        if worker is None:
            worker = Worker(worker_id, 0, "", now, is_ours=False, start_at=None, started_at=now)
            self.workers[worker_id] = worker
        worker.seen_at = now
        if is_ready and worker.ready_at is None:
            worker.ready_at = now
            worker.crashes = 0
            worker.problem = None
        return worker

    def told_to_stop(self, worker_id: str, job_id: str, when: datetime) -> None:
        """Remember that a worker must let go of a job."""
        worker = self.workers.get(worker_id)
        if worker is not None:
            worker.stopping[job_id] = when

    def state(self, worker: Worker) -> WorkerState:
        """What a worker does now."""
        if worker.problem is not None:
            return WorkerState.UNHEALTHY
        if worker.is_throttled:
            return WorkerState.THROTTLED
        if worker.ready_at is None:
            return WorkerState.INITIALIZING
        is_busy = bool(worker.stopping) or bool(self._queue.running(worker.id))
        return WorkerState.RUNNING if is_busy else WorkerState.IDLE

    def counts(self) -> Mapping[WorkerState, int]:
        """Workers in each state."""
        states = [self.state(worker) for worker in self.workers.values()]
        return {state: states.count(state) for state in WorkerState}

    def next_event(self) -> datetime | None:
        """When time alone will change a worker next."""
        now, limit = self._host.clock.now(), timedelta(seconds=self._times.stop_limit_s)
        times = [told + limit for w in self.workers.values() for told in w.stopping.values()]
        for worker in self.workers.values():
            times += [at for at in (worker.start_at, worker.leave_by) if at is not None]
            if worker.idle_since is not None:
                times.append(worker.idle_since + self._idle_limit)
        return min((time for time in times if time > now), default=None)

    def tick(self, endpoint: Endpoint, now: datetime) -> None:
        """Look after containers, then have as many workers as the queue asks for."""
        for worker in list(self.workers.values()):
            self._charge(worker, endpoint, now)
            if worker.is_ours:
                self._look_after(worker, endpoint, now)
            elif worker.seen_at is not None and now - worker.seen_at > LOST_AFTER:
                self._remove(worker)
        self._shrink(endpoint, now)
        self._grow(endpoint, now)

    def leave(self, worker: Worker, now: datetime) -> None:
        """Tell a worker of ours to end."""
        if worker.leave_by is None:
            worker.leave_by = now + timedelta(seconds=self._times.grace_s + 1)
            worker.start_at = None
            self._host.executor.stop(worker.id, self._times.grace_s)

    def refresh(self, worker: Worker, now: datetime) -> None:
        """End a worker's container and start it anew (`stopPod` in a result)."""
        if worker.is_ours and worker.leave_by is None and worker.start_at is None:
            worker.log.write("system", "stop container", now)
            self._host.executor.stop(worker.id, self._times.grace_s)
            self._begin_again(worker, now, self._times.restart_s)

    def close(self) -> None:
        """Remove every worker at once."""
        for worker in list(self.workers.values()):
            self._remove(worker)

    def _charge(self, worker: Worker, endpoint: Endpoint, now: datetime) -> None:
        """Bill a container from its start to its end, idle or not.

        RunPod bills "from when a worker starts until it is fully stopped" (docs.runpod.io, pricing);
        another page leaves the start out. The dearer reading is the safer one.
        """
        if worker.billed_to is not None and now > worker.billed_to:
            self._host.charge(endpoint, worker.billed_to, now)
            worker.billed_to = now

    def _remove(self, worker: Worker) -> None:
        if worker.is_ours:
            self._host.executor.remove(worker.id)
            self._host.note("worker ended", worker.id)
        self._queue.forget(worker.id)
        del self.workers[worker.id]

    def _look_after(self, worker: Worker, endpoint: Endpoint, now: datetime) -> None:
        executor = self._host.executor
        for text in executor.lines(worker.id):
            worker.log.write("container", text, now)
        code = executor.poll(worker.id) if worker.start_at is None else None
        if worker.leave_by is not None:
            if code is not None or now >= worker.leave_by:
                self._remove(worker)
        elif worker.start_at is not None:
            if now >= worker.start_at:
                self._start(worker, endpoint, now)
        elif code is not None:
            self._ended(worker, code, now)
        elif self._is_hung(worker, now):
            self.refresh(worker, now)

    def _is_hung(self, worker: Worker, now: datetime) -> bool:
        """Whether it goes on with a job it was told to stop; one that still starts is left alone."""
        if worker.ready_at is None:
            return False
        limit = timedelta(seconds=self._times.stop_limit_s)
        return any(now - told >= limit for told in worker.stopping.values())

    def _ended(self, worker: Worker, code: int, now: datetime) -> None:
        """A container ended by itself: it is started again, after a crash later and later."""
        pause_s = self._times.restart_s
        if code != 0:
            worker.problem = f"the container ended with exit code {code}"
            self._host.note("worker crashed", f"{worker.id} {worker.problem}")
            pause_s = min(BACKOFF_LIMIT_S, pause_s * 2**worker.crashes)
            worker.crashes += 1
        self._begin_again(worker, now, pause_s)

    def _begin_again(self, worker: Worker, now: datetime, pause_s: float) -> None:
        worker.start_at = now + timedelta(seconds=pause_s)
        worker.ready_at = worker.idle_since = worker.started_at = worker.billed_to = None
        worker.stopping.clear()
        self._queue.forget(worker.id)

    def _start(self, worker: Worker, endpoint: Endpoint, now: datetime) -> None:
        worker.is_throttled = not endpoint.has_capacity
        if worker.is_throttled:
            return
        refused = self._host.executor.pull_problem(endpoint.image)
        if refused is not None:  # stays INITIALIZING, as a worker whose image does not come
            worker.log.write("system", refused, now)
            worker.start_at = now + timedelta(seconds=BACKOFF_LIMIT_S)
            return
        worker.start_at = None
        worker.started_at = worker.billed_to = now
        worker.version = endpoint.version
        worker.image = endpoint.image
        worker.log.write("system", "start container", now)
        mount = Mount(VOLUME_PATH, endpoint.volume_id, True) if endpoint.volume_id else None
        spec = ContainerSpec(
            pod_id=worker.id,
            image=endpoint.image,
            args=endpoint.args,
            env={**endpoint.env, **environment(worker.id, endpoint, self._desk)},
            ports=(),
            disk_gb=endpoint.disk_gb,
            mount=mount,
            gpu_id=endpoint.gpu_id,
            gpu_count=endpoint.gpu_count,
        )
        self._host.executor.start(spec)
        self._host.note("worker started", f"{endpoint.id} {worker.id}")

    def _grow(self, endpoint: Endpoint, now: datetime) -> None:
        staying = [w for w in self.workers.values() if w.leave_by is None]
        missing = self._wanted(endpoint, staying, now) - len(staying)
        for _ in range(missing):
            worker_id = f"{self._host.random.getrandbits(56):014x}"
            start_at = now + timedelta(seconds=self._times.boot_s)
            self.workers[worker_id] = Worker(
                worker_id, endpoint.version, endpoint.image, now, is_ours=True, start_at=start_at
            )
            self._grown_at = now

    def _wanted(self, endpoint: Endpoint, staying: list[Worker], now: datetime) -> int:
        """Workers the endpoint should have; never fewer than there are."""
        waiting = self._queue.waiting(with_low_priority=False)
        wanted = max(endpoint.workers_min, len(staying))
        if endpoint.queue_delay_s is None:
            jobs = len(waiting) + len(self._queue.running())
            wanted = max(wanted, -(-jobs // max(1, endpoint.request_count)))
        elif waiting and not staying:
            wanted = max(wanted, 1)
        elif waiting:
            delay = timedelta(seconds=endpoint.queue_delay_s)
            is_late = now - waiting[0].queued_at > delay
            is_recent = self._grown_at is not None and now - self._grown_at <= delay
            free = sum(1 for w in staying if self.state(w) is not WorkerState.RUNNING)
            if is_late and not is_recent and len(waiting) > free:
                wanted += 1
        return max(len(staying), min(wanted, endpoint.workers_max))

    def _shrink(self, endpoint: Endpoint, now: datetime) -> None:
        ours = [w for w in self.workers.values() if w.is_ours and w.leave_by is None]
        self._idle_limit = timedelta(seconds=endpoint.idle_timeout_s)
        for worker in ours:
            is_idle = self.state(worker) is WorkerState.IDLE
            worker.idle_since = (worker.idle_since or now) if is_idle else None
            is_extra = len(ours) > endpoint.workers_max
            is_spent = worker.idle_since is not None and now - worker.idle_since >= self._idle_limit
            is_spare = is_spent and len(ours) > endpoint.workers_min
            is_stale = worker.version != endpoint.version
            if is_idle and (is_extra or is_spare or is_stale):
                self.leave(worker, now)
                ours = [w for w in ours if w is not worker]
        if endpoint.workers_max == 0:
            for worker in ours:
                if self.state(worker) is not WorkerState.RUNNING:
                    self.leave(worker, now)
