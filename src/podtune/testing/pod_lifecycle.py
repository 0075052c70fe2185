"""The life of a pod: its statuses, which action is allowed in which, and what happens by itself.

    create -> PROVISIONING -> STARTING -> RUNNING <-> (its command ends: the container starts again)
    stop -> EXITED -> start -> STARTING;   a broken host -> ERROR;   terminate -> TERMINATED

`Lifecycle` is the only place where a pod's status changes. A container whose command ends is started
again and billing goes on: so does RunPod (runpod.md 0.5).
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from podtune.testing.account import Account, Pod
from podtune.testing.executor import ContainerSpec, Mount
from podtune.testing.faults import FaultKind
from podtune.testing.meter import Meter

ACTIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "PROVISIONING": ("stop", "terminate"),
    "STARTING": ("stop", "terminate"),
    "RUNNING": ("stop", "restart", "terminate"),
    "EXITED": ("start", "terminate"),
    "ERROR": ("start", "terminate"),
    "TERMINATED": (),
}
"""What may be asked of a pod (OpenAPI document of REST v2, podAction, 2026-08-18)."""

FORGET_AFTER: Final = timedelta(days=1)
"""A terminated pod is forgotten then; what it cost stays in the billing."""
OLD_CUDA: Final = "11.8"
"""What the driver of a `wrong_cuda_host` reports."""
SETTLE_EVERY: Final = timedelta(seconds=1)
"""How often everything is charged, and the balance looked at."""
NEVER: Final = datetime.max.replace(tzinfo=UTC)


class Lifecycle:
    """Moves pods along.

    Args:
        account: Whose pods.
        meter: Told of every change of what a pod costs.
    """

    def __init__(self, account: Account, meter: Meter) -> None:
        self._account = account
        self._meter = meter
        self._settled = account.now

    def begin(self, pod: Pod) -> None:
        """A pod was created: it is billed from now on."""
        account = self._account
        account.pods[pod.id] = account.live[pod.id] = pod
        pod.billed_to = account.now
        pod.due = account.now + timedelta(seconds=account.options.provisioning_s)
        for rule in account.faults.for_pod(pod.name, account.now):
            pod.fates[rule.kind] = rule.seconds
            account.note("fault", pod, rule.kind)
        if FaultKind.WRONG_CUDA_HOST in pod.fates:
            pod.cuda = OLD_CUDA
        account.note("created", pod, f"{pod.gpu_count} x {pod.gpu_id}, ${pod.usd_per_hour}/h")

    def tick(self) -> None:
        """Let everything happen that is due, in the order of time."""
        now = self._account.now
        while due := [pod for pod in self._account.live_pods() if _due(pod) <= now]:
            for pod in sorted(due, key=_due):
                if pod.terminated_at is None and _due(pod) <= now:
                    self._step(pod, _due(pod))
        for pod in self._account.live_pods():
            if pod.has_container:
                self._look(pod, now)
        if now - self._settled < SETTLE_EVERY:
            return
        self._settled = now
        self._meter.settle()
        self._forget()
        if self._account.balance_usd <= 0:
            self._out_of_money()

    def next_event(self) -> datetime | None:
        """When the next thing is due."""
        first = min(map(_due, self._account.live_pods()), default=NEVER)
        return None if first == NEVER else first

    def stop(self, pod: Pod, at: datetime | None = None, why: str = "stopped") -> None:
        """Stop a pod: its container is gone, its own disk stays and costs."""
        self._end_container(pod)
        self._set(pod, "EXITED", None, at)
        self._system(pod, "stop container", at)
        self._account.note(why, pod)

    def start(self, pod: Pod) -> None:
        """Start a stopped pod again on the same host."""
        options = self._account.options
        self._set(pod, "STARTING", self._account.now + timedelta(seconds=options.restart_s))
        self._account.note("started", pod)

    def restart(self, pod: Pod) -> None:
        """Restart a pod's container in place."""
        self._end_container(pod)
        self._system(pod, "restart container")
        pod.due = self._account.now + timedelta(seconds=self._account.options.restart_s)
        self._account.note("restarted", pod, "asked for")

    def terminate(self, pod: Pod, why: str = "terminated") -> None:
        """End a pod for good; its own disk goes with it."""
        self.collect_logs(pod)
        self._account.executor.stop(pod.id, 0)
        self._account.executor.remove(pod.id)
        pod.has_container = False
        self._set(pod, "TERMINATED", None)
        pod.fate_due = None
        pod.terminated_at = self._account.now
        self._account.live.pop(pod.id, None)
        self._account.note(why, pod, f"cost ${self._meter.total(pod.id):.4f}")

    def _forget(self) -> None:
        """Drop pods that were terminated long ago."""
        limit = self._account.now - FORGET_AFTER
        for pod in list(self._account.pods.values()):
            if pod.terminated_at is not None and pod.terminated_at < limit:
                del self._account.pods[pod.id]

    def collect_logs(self, pod: Pod) -> None:
        """Take what the pod's container printed."""
        now = self._account.now
        gap_s = pod.fates.get(FaultKind.LOG_GAP, 0.0)
        is_lost = pod.started_at is not None and now < pod.started_at + timedelta(seconds=gap_s)
        skew = timedelta(seconds=pod.fates.get(FaultKind.CLOCK_SKEW, 0.0))
        for line in self._account.executor.lines(pod.id):
            if not is_lost:
                pod.logs.write("container", line, now + skew)

    def _step(self, pod: Pod, at: datetime) -> None:
        if pod.fate_due is not None and at == pod.fate_due:
            pod.fate_due = None
            self._system(pod, "host is going away", at)
            self.stop(pod, at, "evicted")
        elif pod.status == "PROVISIONING":
            self._pull(pod, at)
        else:
            self._start_container(pod, at)

    def _pull(self, pod: Pod, at: datetime) -> None:
        options = self._account.options
        self._system(pod, f"create container {pod.image}", at)
        problem = self._account.executor.pull_problem(pod.image)
        shown = "RUNNING" if options.is_running_while_pulling else "STARTING"
        if problem is not None or FaultKind.STUCK_INITIALISING in pod.fates:
            self._set(pod, "STARTING", None, at)
            self._system(pod, f"error pulling image: {problem}" if problem else "Pulling", at)
            self._account.note("stuck", pod, problem or "")
            return
        self._system(pod, f"{pod.image} Pulling from registry", at)
        self._set(pod, shown, at + timedelta(seconds=options.pull_s), at)

    def _start_container(self, pod: Pod, at: datetime) -> None:
        if pod.starts == 0:
            self._system(pod, f"Status: Downloaded newer image for {pod.image}", at)
        if FaultKind.WRONG_CUDA_HOST in pod.fates:
            self._system(pod, "start container: OCI runtime create failed: driver too old", at)
            self._set(pod, "ERROR", None, at)
            self._account.note("error", pod, "OCI runtime create failed")
            return
        self._system(pod, f"start container for {pod.image}: begin", at)
        pod.starts += 1
        pod.started_at = at
        self._set(pod, "RUNNING", None, at)
        if FaultKind.CRASH_LOOP in pod.fates:
            pod.due = at + timedelta(seconds=max(1.0, self._account.options.restart_s))
            return
        pod.has_container = True
        self._account.executor.start(self._container(pod))
        if pod.starts == 1:
            self._account.note("running", pod, pod.data_center)
            if FaultKind.EVICTION in pod.fates:
                pod.fate_due = at + timedelta(seconds=pod.fates[FaultKind.EVICTION])

    def _look(self, pod: Pod, now: datetime) -> None:
        code = self._account.executor.poll(pod.id)
        self.collect_logs(pod)
        if code is None or not pod.has_container or pod.status != "RUNNING":
            return
        pod.has_container = False
        pod.due = now + timedelta(seconds=self._account.options.restart_s)
        self._account.note("restarted", pod, f"its command ended with {code}")

    def _end_container(self, pod: Pod) -> None:
        if pod.has_container:
            self._account.executor.stop(pod.id, self._account.options.stop_grace_s)
        pod.has_container = False

    def _out_of_money(self) -> None:
        """Pods without a network volume are terminated, others stopped (runpod.md 3)."""
        for pod in self._account.live_pods():
            if pod.network is None:
                self.terminate(pod, "terminated: balance is 0")
            elif "stop" in ACTIONS[pod.status]:
                self.stop(pod, why="stopped: balance is 0")

    def _set(self, pod: Pod, status: str, due: datetime | None, at: datetime | None = None) -> None:
        self._meter.settle_pod(pod, at)
        pod.status, pod.due = status, due

    def _system(self, pod: Pod, text: str, at: datetime | None = None) -> None:
        pod.logs.write("system", text, at or self._account.now)

    def _container(self, pod: Pod) -> ContainerSpec:
        mount = None
        if pod.persistent:
            mount = Mount(pod.persistent[1], pod.id)
        elif pod.network:
            mount = Mount(pod.network[1], pod.network[0], is_network=True)
        return ContainerSpec(
            pod_id=pod.id,
            image=pod.image,
            args=pod.args,
            env=platform_env(pod, self._account) | pod.env,
            ports=tuple(pod.ports),
            disk_gb=pod.disk_gb,
            mount=mount,
            gpu_id=pod.gpu_id,
            gpu_count=pod.gpu_count,
            name=pod.name,
            clock_skew_s=pod.fates.get(FaultKind.CLOCK_SKEW, 0.0),
        )


def platform_env(pod: Pod, account: Account) -> dict[str, str]:
    """What the platform itself sets in a pod's environment (runpod.md 3), pointing back here."""
    base = account.options.base_url
    env = {
        "RUNPOD_POD_ID": pod.id,
        "RUNPOD_API_KEY": pod.key,
        "RUNPOD_DC_ID": pod.data_center,
        "RUNPOD_POD_HOSTNAME": f"{pod.id}-64411eb2",
        "RUNPOD_GPU_COUNT": str(pod.gpu_count),
        "RUNPOD_CPU_COUNT": "2",
        "RUNPOD_PUBLIC_IP": "127.0.0.1",
        "RUNPOD_REST_BASE_URL": f"{base}/v2",
        "RUNPOD_API_BASE_URL": f"{base}/graphql",
    }
    if pod.cuda:
        env["CUDA_VERSION"] = pod.cuda
    if pod.network:
        env["RUNPOD_VOLUME_ID"] = pod.network[0]
    if pod.start_ssh and account.ssh_keys:
        env["PUBLIC_KEY"] = "\n".join(account.ssh_keys)
    return env


def _due(pod: Pod) -> datetime:
    return min(pod.due or NEVER, pod.fate_due or NEVER)
