"""One worker for each job: who holds a job's folder, as which attempt, and until when.

The platform gives a job out once more when its worker does not report; on a network volume both find the
same folder. Each attempt is a file that only one worker can make; the holder says every 10 s that it
lives. Who sees a greater attempt than its own has been taken for dead, and stops. An orchestrator's own
count of its attempts stands beside that: where it has called a greater one, who holds a lesser one lets go.
"""

import asyncio
import json
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

OWNER: Final = "owner.json"
ATTEMPTS: Final = "attempts"
CALLED: Final = "called"

BEAT_S: Final = 10.0
"""Between two signs of life."""

FRESH_S: Final = 60.0
"""How long a sign of life counts. Above the platform's 40 s of patience with a silent worker
(runpod-plugins-official, path 15, 2026-08-06), and several signs."""

LOOK_S: Final = 1.0


class Owner(BaseModel):
    """Who holds a job's folder."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    worker: str
    """The platform's id of the worker: a container, and what is started in it again."""
    process: str
    """Which start of it; chosen by chance."""
    attempt: int = Field(ge=1)
    beat_at: float
    """Unix seconds of its last sign of life."""
    left: bool = False
    """Whether it let go by itself."""

    def lives(self, now: float, worker: str) -> bool:
        """Whether its process may still train. Another start of one's own container ended the first."""
        if self.left or self.worker == worker:
            return False
        return abs(now - self.beat_at) < FRESH_S


class Claim:
    """One worker's hold on one job's folder.

    Args:
        folder: The job's; it exists.
        worker: The platform's id of this worker.
        process: A word by chance, the same for the life of this process.
        clock: Unix seconds, which workers of one volume have to compare.
        asked_attempt: The orchestrator's count of its attempts.
    """

    def __init__(
        self,
        folder: Path,
        worker: str,
        process: str,
        clock: Callable[[], float] = time.time,
        asked_attempt: int = 1,
    ) -> None:
        self._folder, self._worker, self._process = folder, worker, process
        self._clock = clock
        self._asked_attempt = asked_attempt
        self.attempt = 0

    def call(self) -> bool:
        """Say that the orchestrator's attempt has come; False where it has sent a greater one before."""
        called = self._folder / CALLED
        called.mkdir(exist_ok=True)
        (called / str(self._asked_attempt)).touch()
        return not self.is_superseded()

    def is_superseded(self) -> bool:
        """Whether the orchestrator has sent a greater attempt."""
        return _newest(self._folder / CALLED) > self._asked_attempt

    async def take(self, until: float, is_over: Callable[[], bool]) -> bool:
        """Take the folder once nobody else holds it.

        Args:
            until: Unix seconds to wait at most.
            is_over: Whether the one who holds it has finished the job.

        Returns:
            True with the next attempt; False where the job was finished meanwhile, another attempt was
            called, or time is over.
        """
        while True:
            if await asyncio.to_thread(lambda: is_over() or self.is_superseded()):
                return False
            owner = await asyncio.to_thread(self.owner)
            if owner is None or not owner.lives(self._clock(), self._worker):
                return await asyncio.to_thread(self._begin)
            if self._clock() >= until:
                return False
            await asyncio.sleep(LOOK_S)

    def beat(self) -> bool:
        """Say that this worker lives; False where another holds the job now, or is to have it."""
        if self.is_lost() or self.is_superseded():
            return False
        self._write(left=False)
        return True

    def leave(self) -> None:
        """Let go, so that another need not wait."""
        if not self.is_lost():
            self._write(left=True)

    def is_lost(self) -> bool:
        """Whether a greater attempt has begun."""
        return _newest(self._folder / ATTEMPTS) > self.attempt

    def owner(self) -> Owner | None:
        """Who holds the folder; None where nobody does or it cannot be read."""
        try:
            return Owner.model_validate_json((self._folder / OWNER).read_bytes())
        except FileNotFoundError:
            return None
        except ValidationError:  # written by something else: nobody is known to hold it
            return None

    def _begin(self) -> bool:
        """Make the file of the next attempt; of several workers one succeeds for each number."""
        attempts = self._folder / ATTEMPTS
        attempts.mkdir(exist_ok=True)
        while True:
            number = _newest(attempts) + 1
            try:
                with (attempts / str(number)).open("x", encoding="ascii") as stream:
                    stream.write(self._worker)
            except FileExistsError:
                continue
            self.attempt = number
            self._write(left=False)
            return True

    def _write(self, *, left: bool) -> None:
        owner = Owner(
            worker=self._worker,
            process=self._process,
            attempt=self.attempt,
            beat_at=self._clock(),
            left=left,
        )
        write_atomically(self._folder / OWNER, owner.model_dump(mode="json"))


async def keep_alive(claim: Claim, lost: asyncio.Event, beat_s: float = BEAT_S) -> None:
    """Give signs of life until the job is taken away; then `lost` is set. Runs until it is cancelled."""
    while True:
        try:
            if not await asyncio.to_thread(claim.beat):
                lost.set()
                return
        except OSError:  # a volume that hangs: the next sign may pass, and a later attempt tells
            await asyncio.sleep(beat_s / 10)
        await asyncio.sleep(beat_s)


def write_atomically(path: Path, value: object) -> None:
    """Write JSON whole or not at all."""
    # Pids of two workers on one volume may be the same.
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}.tmp")
    temporary.write_text(json.dumps(value, ensure_ascii=False, indent=1), encoding="utf-8")
    temporary.replace(path)


def _newest(attempts: Path) -> int:
    if not attempts.is_dir():
        return 0
    return max((int(p.name) for p in attempts.iterdir() if p.name.isdecimal()), default=0)
