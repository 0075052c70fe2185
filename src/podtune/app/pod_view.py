"""Pictures of a pod for people who watch: from its own status, or from what RunPod says of it."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from podtune.app import machine_view, pod_logs
from podtune.app.machine_view import MachineView
from podtune.app.pod_logs import PodLogs
from podtune.core.errors import PodtuneError
from podtune.core.handover import GpuUse, PodStatus
from podtune.core.job import Job
from podtune.core.units import GIB
from podtune.providers.runpod.pods import RunPodProvider
from podtune.workflow.rental import offer_of


class PodView:
    """Writes `machine.json` of jobs."""

    def __init__(
        self,
        jobs: Path,
        provider: RunPodProvider,
        logs: PodLogs,
        clock: Callable[[], datetime],
    ) -> None:
        """`jobs` holds the jobs' folders."""
        self._jobs, self._provider, self._logs, self._clock = jobs, provider, logs, clock

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

    def boot(self, job: Job) -> None:
        """What RunPod says while the machine itself says nothing yet."""
        lines = self._logs.new(job.instance_id or "", "system")
        if lines:
            self.show(job, "starting", pod_logs.shown(lines[-1].line))
            return
        known = machine_view.read(self._jobs / job.id)
        if known is None or known.attempt != job.attempt:
            self.show(job, "starting", "waiting for its first word")

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
        machine_view.write(self._jobs / job.id, view)


def _share(total: int, percent: float | None) -> int | None:
    return None if percent is None else int(total * percent / 100)
