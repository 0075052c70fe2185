"""Workers as processes of this machine, each in a session (and so a process group) of its own.

An instance id names pid and start, so a reused pid is never taken for ours; a worker is found
again by the unique name on its command line, so one whose id was never written is adopted, not
started twice. Output goes to a file: a pipe would kill the worker with its reader.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import psutil

from podtune.core.clock import monotonic, sleep, utc_now
from podtune.core.errors import ProviderError
from podtune.core.job import Instance, TerminationProof
from podtune.providers.base import LOG, InstanceState, LaunchRequest
from podtune.providers.local import identity

MARK: Final = "PODTUNE_INSTANCE"
"""Variable that carries the instance's name to the worker and to every child of it."""

GRACE_S: Final = 10.0
"""Between SIGTERM and SIGKILL: a worker that trains writes a checkpoint first, so that a cancelled job
can be resumed from where it was. One that has nothing to save ends at once."""


class LocalProvider:
    """Starts and ends workers on this machine."""

    def __init__(self, worker: Path, *, grace_s: float = GRACE_S) -> None:
        """`worker` is the folder with train_lora.py."""
        self._worker = worker
        self._grace_s = grace_s
        self._children: dict[int, subprocess.Popen[bytes]] = {}

    def launch(self, request: LaunchRequest) -> Instance:
        """Start `train_lora.py` on the job's folder, or adopt the one that runs.

        Raises:
            ProviderError: the process cannot be started.
        """
        running = next(_by_name(request.name), None)
        if running is not None:
            return _instance(running, request.name)
        request.confirm()
        command = [
            sys.executable,
            str(self._worker / "train_lora.py"),
            str(request.folder),
            "--name",
            request.name,
        ]
        try:
            with (request.folder / LOG).open("ab") as log:
                child = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    cwd=request.folder,
                    env={**request.environment, MARK: request.name},
                    start_new_session=True,
                )
        except OSError as error:
            raise ProviderError(
                f"the worker cannot be started: {error.strerror or error}",
                code="launch_failed",
                hint="`podtune doctor` checks what it needs",
            ) from error
        self._children[child.pid] = child
        self._wait_until_named(child, request.name)
        try:
            return _instance(psutil.Process(child.pid), request.name)
        except psutil.NoSuchProcess:  # already over; its log and events say why
            return Instance(id=f"{child.pid}:0", name=request.name, started_at=utc_now())

    def _wait_until_named(self, child: "subprocess.Popen[bytes]", name: str) -> None:
        """For some milliseconds a new process has no command line to be found by."""
        deadline = monotonic() + self._grace_s
        while child.poll() is None and monotonic() < deadline:
            if any(process.pid == child.pid for process in _by_name(name)):
                return
            sleep(0.005)

    def inspect(self, instance_id: str) -> InstanceState:
        """Whether that very process still runs; a zombie has ended."""
        found = identity.find(instance_id)
        self._reap()  # after the look: what ended just before it is no zombie once this says so
        return InstanceState.RUNNING if found else InstanceState.GONE

    def terminate(self, name: str, instance_id: str | None) -> TerminationProof | None:
        """End the whole process group: politely, then by force, then look again."""
        victims = self._members(name, instance_id)
        for process in victims:
            _signal(process, signal.SIGTERM)
        for process in self._still_running(victims):
            _signal(process, getattr(signal, "SIGKILL", signal.SIGTERM))
        self._still_running(victims)
        self._reap()
        if self._members(name, instance_id):
            return None
        return TerminationProof(
            instance_id=instance_id,
            ended=len(victims),
            absent_at=utc_now(),
            method="no process of the worker's session or name is left",
        )

    def owned(self, owner: str) -> Sequence[Instance]:
        """Workers on this machine whose name carries our owner."""
        return [
            _instance(process, name)
            for process, name in _named()
            if name.startswith(f"pt-{owner}-")
        ]

    def _members(self, name: str, instance_id: str | None) -> list[psutil.Process]:
        """Every process of the worker: by its command line, its session, or the mark it inherited.

        The mark also finds children that outlived their leader; a number alone never convicts.
        """
        leader = identity.find(instance_id) if instance_id else None
        sessions = {leader.pid} if leader else set[int]()
        sessions.update(process.pid for process in _by_name(name))
        return [
            process
            for process in psutil.process_iter()
            if (_session(process.pid) in sessions or _mark(process) == name)
            and identity.runs(process)
        ]

    def _still_running(self, processes: Sequence[psutil.Process]) -> list[psutil.Process]:
        """Wait for processes to end, for the grace at most; those that have not.

        A zombie has ended, though only its parent can take it away.
        """
        deadline = monotonic() + self._grace_s
        left = [p for p in processes if identity.runs(p)]
        while left and monotonic() < deadline:
            self._reap()
            sleep(0.02)
            left = [p for p in left if identity.runs(p)]
        return left

    def _reap(self) -> None:
        """Collect children that ended, so that none stays as a zombie."""
        for pid, child in list(self._children.items()):
            if child.poll() is not None:
                del self._children[pid]


def _named() -> Iterator[tuple[psutil.Process, str]]:
    for process in psutil.process_iter(["cmdline"]):
        arguments: list[str] = process.info.get("cmdline") or []
        if "--name" in arguments and any(a.endswith("train_lora.py") for a in arguments):
            at = arguments.index("--name") + 1
            if at < len(arguments) and identity.runs(process):
                yield process, arguments[at]


def _by_name(wanted: str) -> Iterator[psutil.Process]:
    return (process for process, name in _named() if name == wanted)


def _instance(process: psutil.Process, name: str) -> Instance:
    return Instance(
        id=identity.of(process),
        name=name,
        started_at=datetime.fromtimestamp(process.create_time(), UTC),
    )


def _mark(process: psutil.Process) -> str | None:
    try:
        return process.environ().get(MARK)
    except (psutil.Error, OSError):
        return None


def _session(pid: int) -> int:
    try:
        return os.getsid(pid)
    except (OSError, AttributeError):  # AttributeError: native Windows, where nothing is launched
        return -2


def _signal(process: psutil.Process, number: int) -> None:
    try:
        process.send_signal(number)
    except psutil.Error:  # gone, or not ours to signal: looking again tells
        return
