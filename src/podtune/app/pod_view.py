"""Pictures of a pod for people who watch: from its own status, or from what RunPod says of it."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Final

from podtune.app import machine_view, pod_logs
from podtune.app.machine_view import MachineView
from podtune.app.pod_logs import PodLogs
from podtune.core.clock import Clock
from podtune.core.errors import PodtuneError
from podtune.core.handover import GpuUse, PodStatus
from podtune.core.job import Job
from podtune.core.units import GIB
from podtune.providers.runpod.pods import RunPodProvider
from podtune.workflow.leaving import CRASH_STARTS
from podtune.workflow.rental import offer_of
from podtune.workflow.steps import Heard

log = logging.getLogger(__name__)

_STARTS: Final = ("start container for", "start container:")
"""How the system log tells a start of the container, and one that failed; several before our first word
are a crash loop (`reference/runpod.md` 1.2, 2026-11-22)."""


class PodView:
    """Writes `machine.json` of jobs."""

    def __init__(
        self,
        jobs: Path,
        provider: RunPodProvider,
        logs: PodLogs,
        clock: Clock,
    ) -> None:
        """`jobs` holds the jobs' folders."""
        self._jobs, self._provider, self._logs, self._clock = jobs, provider, logs, clock
        self._starts: dict[str, int] = {}

    def show(self, job: Job, step: str, detail: str) -> None:
        """Say what is being done."""
        self._write(
            job, MachineView(attempt=job.attempt, step=step, detail=detail, at=self._clock())
        )

    def status(self, job: Job, status: PodStatus) -> None:
        """What the machine says of itself."""
        now = self._clock()
        view = MachineView(
            attempt=job.attempt,
            step=status.phase,
            detail=pod_logs.shown(status.detail),
            at=now,
            heard_at=now,
            uptime_s=status.uptime_s,
            gpus=status.gpus or self._load(job),
        )
        self._write(job, view)

    def boot(self, job: Job) -> Heard:
        """What RunPod's log says while the machine itself says nothing yet, where it was time to look."""
        pod_id = job.instance_id or ""
        is_due = self._logs.is_due(pod_id, "system")
        lines = self._logs.new(pod_id, "system")
        starts = self._starts.get(pod_id, 0) + sum(one.line.startswith(_STARTS) for one in lines)
        self._starts[pod_id] = starts
        if lines:
            said = pod_logs.shown(lines[-1].line)
            told = f"{said} (started {starts} times)" if starts >= CRASH_STARTS else said
            self.show(job, "starting", f"machine starts: {told}")
            return Heard(said=said, log_read=True, starts=starts)
        known = machine_view.read(self._jobs / job.id)
        if known is None or known.attempt != job.attempt:
            self.show(job, "starting", "waiting for its first word")
        return Heard(log_read=is_due, starts=starts)

    def progress(self, job: Job, step: str, detail: str) -> Callable[[int, int | None], None]:
        """A picture after every piece that is sent or fetched."""

        def show(done: int, total: int | None) -> None:
            now = self._clock()
            view = MachineView(
                attempt=job.attempt,
                step=step,
                detail=detail,
                at=now,
                heard_at=now,
                done_bytes=done,
                total_bytes=total or 0,
            )
            self._write(job, view)

        return show

    def _load(self, job: Job) -> tuple[GpuUse, ...]:
        """The cards' load as RunPod sees it, where the machine itself cannot tell."""
        try:
            seen = self._provider.runtime(job.instance_id or "")
        except PodtuneError:
            return ()
        total = int(offer_of(job).vram_gib * GIB)
        return tuple(
            GpuUse(
                util=card.util,
                memory_used_bytes=_share(total, card.memory_util),
                memory_total_bytes=total,
            )
            for card in (seen.gpus if seen else ())
        )

    def _write(self, job: Job, view: MachineView) -> None:
        try:
            machine_view.write(self._jobs / job.id, view)
        except OSError as error:  # a picture for people: nothing waits for it, least of all an end
            log.warning("job %s: no picture of its machine: %s", job.id, error)


def _share(total: int, percent: float | None) -> int | None:
    return None if percent is None else int(total * percent / 100)
