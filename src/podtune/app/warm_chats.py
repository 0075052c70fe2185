"""Adapters that answer: worker programs kept warm for a while, each asked by one conversation at a time.

Bounded: a model fills memory, so few are held at once, and who finds none free waits, then is refused. Nothing of a
conversation is kept.
"""

import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from podtune.app import device as devices
from podtune.app import wiring
from podtune.app.chat_program import ChatProgram, Ended
from podtune.app.settings import Settings
from podtune.core.clock import Monotonic, monotonic
from podtune.core.errors import StateError
from podtune.core.job import Job
from podtune.core.units import gib

KEPT_S: Final = 300.0
"""How long an adapter stays loaded when nobody asks it. Chosen: as long as somebody tries things out."""
MOST: Final = 1
"""Adapters loaded at once. Chosen: one already takes the base model's memory."""
WAIT_S: Final = 60.0
"""How long a conversation waits for its turn. Chosen: half of what clients wait for."""
WAITING: Final = 8
"""Conversations that wait at once; more are refused immediately. Chosen."""
ROOM: Final = 0.8
"""Share of the memory that weights may take. Chosen: the rest is for activations and everybody else."""

Start = Callable[[Path], ChatProgram]
"""Starts a program on an artifact's folder."""


@dataclass
class _Warm:
    program: ChatProgram
    busy: bool = False
    used_at: float = 0.0


class WarmChats:
    """The programs of one gateway. Safe to use from several threads."""

    def __init__(
        self,
        settings: Settings,
        *,
        start: Start | None = None,
        clock: Monotonic = monotonic,
        kept_s: float = KEPT_S,
        wait_s: float = WAIT_S,
        most: int = MOST,
    ) -> None:
        """Nothing is started before it is asked."""
        self._settings = settings
        self._start = start or self._started
        self._clock, self._kept_s, self._wait_s, self._most = clock, kept_s, wait_s, most
        self._warm: dict[Path, _Warm] = {}
        self._waiting = 0
        self._starting = 0
        self._closed = False
        self._changed = threading.Condition()
        self._timer: threading.Timer | None = None

    def close(self) -> None:
        """End every program, whatever it is doing."""
        with self._changed:
            self._closed = True
            programs = [one.program for one in self._warm.values()]
            self._warm.clear()
            if self._timer is not None:
                self._timer.cancel()
            self._changed.notify_all()
        for program in programs:
            program.kill()
            program.close()

    def complete(self, folder: Path, asked: Mapping[str, object]) -> Generator[str | Ended]:
        """Have a conversation answered by the adapter of a folder: pieces, then how it ended.

        Whoever stops asking before the end has the program ended: it would go on computing.

        Raises:
            StateError: code `busy`: too many conversations wait.
            SpecError: the model cannot take it.
            TrainingError: the program failed.
        """
        with self._lent(folder) as program:
            yield from program.complete(asked)

    @contextmanager
    def _lent(self, folder: Path) -> Generator[ChatProgram]:
        warm = self._taken(folder)
        is_whole = False
        try:
            yield warm.program
            is_whole = True
        except StateError:
            raise
        except Exception as error:
            # A conversation that was refused leaves the program as it was.
            is_whole = getattr(error, "code", "") == "bad_conversation"
            raise
        finally:
            self._given_back(folder, warm, is_whole and warm.program.is_alive)

    def _taken(self, folder: Path) -> _Warm:
        """A program that is ours until it is given back."""
        with self._changed:
            if self._waiting >= WAITING:
                raise _busy()
            self._waiting += 1
            try:
                if not self._changed.wait_for(lambda: self._is_free(folder), self._wait_s):
                    raise _busy()
            finally:
                self._waiting -= 1
            if self._closed:
                raise StateError("the gateway is closing", code="busy")
            found = self._warm.get(folder)
            if found is not None and found.program.is_alive:
                found.busy = True
                return found
            gone = self._made_room(folder)
            self._starting += 1
        try:
            for program in gone:
                program.close()
            return self._begun(folder)
        finally:
            with self._changed:
                self._starting -= 1
                self._changed.notify_all()

    def _is_free(self, folder: Path) -> bool:
        if self._closed:
            return True
        found = self._warm.get(folder)
        if found is not None:
            return not found.busy
        busy = sum(one.busy for one in self._warm.values())
        return busy + self._starting < self._most

    def _made_room(self, folder: Path) -> list[ChatProgram]:
        """Programs that go, so that one more may come."""
        gone = [self._warm.pop(folder).program] if folder in self._warm else []
        idle = sorted((w.used_at, f) for f, w in self._warm.items() if not w.busy)
        while idle and len(self._warm) + self._starting >= self._most:
            gone.append(self._warm.pop(idle.pop(0)[1]).program)
        return gone

    def _begun(self, folder: Path) -> _Warm:
        program = self._start(folder)
        try:
            program.wait_ready()
        except BaseException:
            program.kill()
            program.close()
            raise
        with self._changed:
            if not self._closed:
                warm = self._warm[folder] = _Warm(program, busy=True)
                return warm
        program.kill()
        program.close()
        raise StateError("the gateway is closing", code="busy")

    def _given_back(self, folder: Path, warm: _Warm, is_whole: bool) -> None:
        with self._changed:
            warm.busy, warm.used_at = False, self._clock()
            is_ours = self._warm.get(folder) is warm
            if is_ours and not is_whole:
                del self._warm[folder]
            self._look_later()
            self._changed.notify_all()
        if is_ours and not is_whole:
            warm.program.kill()
            warm.program.close()

    def _look_later(self) -> None:
        """Have idle programs ended once their time is over."""
        if self._timer is not None:
            self._timer.cancel()
        if self._closed or not self._warm:
            return
        self._timer = threading.Timer(self._kept_s, self._end_idle)
        self._timer.daemon = True
        self._timer.start()

    def _end_idle(self) -> None:
        with self._changed:
            over = self._clock() - self._kept_s
            old = [f for f, w in self._warm.items() if not w.busy and w.used_at <= over]
            programs = [self._warm.pop(folder).program for folder in old]
            self._look_later()
        for program in programs:
            program.close()

    def _started(self, folder: Path) -> ChatProgram:
        program = wiring.worker_folder() / "chat.py"
        return ChatProgram(program, folder, self._settings.models, wiring.program_environment())


def hindrance(job: Job) -> str | None:
    """Why this machine cannot answer with what a job trained; None where it can."""
    spec, facts = job.plan.spec, job.plan.base_model
    bits = spec.adapter.bits if isinstance(spec.adapter.bits, int) else 16
    needed = facts.total_parameters * bits / 8
    device = devices.detect("auto")
    if needed > ROOM * device.memory_bytes:
        return (
            f"{facts.name} takes {gib(round(needed))} in {bits} bits, and this machine's {device.kind} has "
            f"{gib(device.memory_bytes)}"
        )
    return None


def _busy() -> StateError:
    return StateError(
        "too many conversations wait for an adapter",
        code="busy",
        hint="try again in a minute, or serve the adapter elsewhere: podtune export JOB",
    )
