"""A worker that only says what a worker would say, at the times of a script.

Deterministic and cheap: no process, no waiting, no model. It moves when it is told the time, writes
training events and an artifact whose checksums fit, and meets with the misfortune of its script.
"""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, cast

from podtune.core.artifact import ADAPTER_WEIGHTS
from podtune.core.events import EventKind, Metrics, TrainingEvent, WorkerResult
from podtune.core.handover import signed_line
from podtune.core.states import WorkerStage
from podtune.testing.scripted_files import artifact, cargo_of, content_of, sha256_of
from podtune.testing.scripts import FAILURES, Misfortune, Script

SEAL: Final = "complete.json"
"""Written last into a checkpoint (runpod-worker/checkpoints.py)."""

KILL_AFTER_S: Final = 30.0
"""A worker that hangs does not hear SIGTERM; SIGKILL comes so much later."""

STEPS: Final = 10
"""Of a training whose bundle holds no order."""


@dataclass
class Disk:
    """What outlives a container: the pod's volume."""

    begun: set[int] = field(default_factory=set[int])
    """Attempts whose worker was started."""
    ended: set[int] = field(default_factory=set[int])
    """Attempts that gave a result."""
    bundle: bytes = b""
    order: Mapping[str, Any] = field(default_factory=dict[str, Any])
    events: bytes = b""
    log: bytes = b""
    artifact: dict[str, bytes] = field(default_factory=dict[str, bytes])
    checkpoints: dict[int, dict[str, bytes]] = field(default_factory=dict[int, dict[str, bytes]])


class ScriptedWorker:
    """One attempt, from the whole bundle to the result.

    Args:
        script: What happens when.
        disk: Where it is left.
        job: The job's id.
        attempt: Which one.
        skew_s: How far the machine's clock is ahead.
    """

    def __init__(
        self, script: Script, disk: Disk, job: str, attempt: int, skew_s: float = 0.0
    ) -> None:
        self.event_key = ""
        """Signs the lines for the container's output; handed over with the work."""
        self.phase = "waiting"
        self.detail = "waiting for work"
        self.exit_code: int | None = None
        self.is_lost = False
        """Everything in the container has ended."""
        self.is_deaf = False
        self.moved_at: datetime | None = None
        """When it last said anything."""
        self._script, self._disk = script, disk
        self._job, self._attempt, self._skew = job, attempt, timedelta(seconds=skew_s)
        self._seq = sum(1 for line in _events(disk) if line.get("attempt") == attempt)
        self._step = max(disk.checkpoints, default=0)
        self._now = datetime.min.replace(tzinfo=UTC)
        self._due: datetime | None = None
        self._story: Iterator[float] = iter(())
        self._lines: list[str] = []
        self._is_cancelled = False

    @property
    def due(self) -> datetime | None:
        """When it moves next."""
        return self._due

    def begin(self, now: datetime) -> None:
        """The bundle is whole: start."""
        cargo = cargo_of(self._disk.bundle)
        self._disk.order, self._disk.bundle = cargo.order, b""
        self._step = max(self._step, cargo.step)
        self._now = self._due = now
        self._story = self._training()
        self.advance(now)

    def serve_again(self, now: datetime) -> None:
        """A container that was started again: nothing is trained, what is there may be fetched."""
        self._now = now
        if self._disk.artifact:
            self.exit_code, self.phase, self.detail = 0, "finished", "started again"
            return
        if self._attempt not in self._disk.ended:
            self._fail("worker_lost", "the machine was started again in mid-training")
        self.phase = "failed"

    def cancel(self, now: datetime) -> None:
        """Save a checkpoint, and end; asked twice, it does so once."""
        self.advance(now)
        if self._is_cancelled or self.phase in ("finished", "failed") or self.is_lost:
            return
        self._is_cancelled = True
        is_hung = self._due is None and self.phase == "training"
        self._now, self._due = now, now
        self._story = self._killed() if is_hung else self._farewell()
        self.advance(now)

    def advance(self, now: datetime) -> None:
        """Do everything that is due by now."""
        while self._due is not None and self._due <= now:
            self._now = self._due
            wait_s = next(self._story, None)
            self._due = None if wait_s is None else self._now + timedelta(seconds=wait_s)

    def take_lines(self) -> list[str]:
        """Output since the last call."""
        taken, self._lines = self._lines, []
        return taken

    def _training(self) -> Iterator[float]:
        """Everything that happens; gives the seconds until the next thing does."""
        script = self._script
        self._enter("installing", "the libraries by hash")
        yield script.install_s
        self._enter("checking", "one small training step")
        yield script.check_s
        if script.misfortune is Misfortune.IMAGE_UNFIT:
            self._fail_by(Misfortune.IMAGE_UNFIT)
            return
        self._enter("training", "the worker runs")
        self._disk.begun.add(self._attempt)
        self._say(EventKind.STAGE, WorkerStage.LOADING)
        yield script.load_s
        self._say(EventKind.STAGE, WorkerStage.TRAINING)
        total = script.steps or _planned_steps(self._disk.order)
        while self._step < total:
            yield script.step_s
            if self._meets_misfortune():
                return
            self._step += 1
            self._tell_step(total)
            if self._step % script.save_every == 0:
                self._save()
        yield from self._finish(total)

    def _finish(self, total: int) -> Iterator[float]:
        script = self._script
        self._say(EventKind.STAGE, WorkerStage.SAVING)
        yield script.save_s
        self._say(EventKind.STAGE, WorkerStage.PROVING)
        yield script.prove_s
        self._disk.artifact = artifact(f"{self._job}-{self._attempt}", script.file_bytes)
        files = {name: sha256_of(content) for name, content in self._disk.artifact.items()}
        self._say(EventKind.FACTS, WorkerStage.PROVING, facts=_facts(total, script.step_s))
        result = WorkerResult(ok=True, files=files)
        self._say(EventKind.RESULT, WorkerStage.PROVING, result=result)
        self._end(0, "finished", "the artifact is ready to be fetched")

    def _farewell(self) -> Iterator[float]:
        if self.phase == "training" and self._step:
            self._save()
        yield self._script.save_s
        self._fail("interrupted", "the training was asked to stop")

    def _killed(self) -> Iterator[float]:
        yield KILL_AFTER_S
        self._fail_by(Misfortune.CRASH)

    def _meets_misfortune(self) -> bool:
        misfortune = self._script.misfortune
        if misfortune is None or self._step + 1 < self._script.at_step:
            return False
        if misfortune is Misfortune.DEAF:
            self.is_deaf = True
        if misfortune is Misfortune.LOST:
            self.is_lost = True
        if misfortune in FAILURES:
            self._fail_by(misfortune)
        return misfortune in {Misfortune.SILENCE, Misfortune.LOST, *FAILURES}

    def _tell_step(self, total: int) -> None:
        loss = round(2.5 * math.exp(-2 * self._step / total), 4)
        metrics = Metrics(training_loss=loss, learning_rate=2e-4, throughput=1000.0)
        self._say(
            EventKind.STEP,
            WorkerStage.TRAINING,
            step=self._step,
            total_steps=total,
            metrics=metrics,
        )

    def _save(self) -> None:
        files = {
            name: content_of(f"{self._job}-{self._step}-{name}", self._script.file_bytes)
            for name in (ADAPTER_WEIGHTS, "trainer_state.json")
        }
        sums = {name: sha256_of(content) for name, content in files.items()}
        files[SEAL] = json.dumps(sums).encode()
        self._disk.checkpoints = {
            step: kept for step, kept in self._disk.checkpoints.items() if step > self._step - 20
        } | {self._step: files}
        self._say(EventKind.CHECKPOINT, WorkerStage.TRAINING, step=self._step)

    def _fail_by(self, misfortune: Misfortune) -> None:
        code, words = FAILURES[misfortune]
        self._fail(code, words.format(step=self._step + 1))

    def _fail(self, code: str, message: str) -> None:
        result = WorkerResult(
            ok=False, error_code=code, error_message=message, advice="`podtune resume JOB`"
        )
        self._say(EventKind.RESULT, WorkerStage.TRAINING, result=result)
        self._end(1, "failed", f"{code}: {message}")

    def _end(self, code: int, phase: str, detail: str) -> None:
        self.exit_code = code
        self._disk.ended.add(self._attempt)
        self._enter(phase, detail)

    def _enter(self, phase: str, detail: str) -> None:
        self.phase, self.detail, self.moved_at = phase, detail, self._now
        self._lines.append(f"podtune: {phase}: {detail}")

    def _say(self, kind: EventKind, stage: WorkerStage, **more: Any) -> None:
        event = TrainingEvent(
            job=self._job, attempt=self._attempt, seq=self._seq, time=self._now + self._skew, kind=kind,
            stage=stage, **more,
        )  # fmt: skip
        self._seq += 1
        self.moved_at = self._now
        line = event.line()
        self._disk.events += line.encode() + b"\n"
        self._disk.log += f"{kind} of {stage}\n".encode()
        if self.event_key:
            self._lines.append(signed_line(line, self.event_key))


def _facts(steps: int, step_s: float) -> dict[str, Any]:
    """What the real worker says of a training (`runpod-worker/optimisation.py`), made up."""
    seconds, tokens = steps * step_s, 1000 * steps
    return {
        "steps": steps,
        "train_rows": 100,
        "train_tokens": tokens,
        "tokens_processed": tokens,
        "train_seconds": seconds,
        "tokens_per_second": tokens / seconds if seconds else 0.0,
        "peak_memory_bytes": 1_000_000_000,
    }


def _planned_steps(order: Mapping[str, Any]) -> int:
    plan = cast("dict[str, Any]", order.get("plan") or {})
    schedule = cast("dict[str, Any]", plan.get("schedule") or {})
    return int(schedule.get("steps") or STEPS)


def _events(disk: Disk) -> Iterator[dict[str, Any]]:
    return (json.loads(line) for line in disk.events.splitlines())
