"""Start one process for each device of this machine, and end them all when one fails.

What torchrun does for one attempt, without importing torch in the parent (seconds) and with two
things it lacks: SIGTERM is passed on and waited for, so that a checkpoint can be written, and the
first failure in time becomes the attempt's typed result, not the complaints of the processes it
left alone. A process started by torchrun itself finds RANK set and is not launched again.

Exit code: 0, or that of the first process that failed (128 + signal when it was killed). A process
that ends with `restarts.AGAIN` asks for all of them to be started once more.
"""

import contextlib
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Final, NamedTuple

import failures
import process_group
import rank_results
import restarts
from podtune.core.job import WorkerOrder
from podtune.core.spec import WhereSpec
from progress import EventWriter
from rank_results import Attendance, Ended

GRACE_S: Final = 5.0
"""Between the first failure and SIGKILL for the others: time to write down their own."""

STOP_GRACE_S: Final = 30.0
"""The same after SIGTERM: a checkpoint is written within 10 s, then the processes end."""

_LOOPBACK_NAMES: Final = ("lo", "lo0")


class Meeting(NamedTuple):
    """Where the processes find each other, and which machine this is."""

    address: str
    port: int
    node: int = 0
    nodes: int = 1


def needed(order: WorkerOrder) -> bool:
    """Whether this process has to start the ones that train: several are planned, none started."""
    return world(order.plan.spec.where) > 1 and "RANK" not in process_group.variables()


def world(where: WhereSpec) -> int:
    """Processes over all machines."""
    return where.count * where.nodes


def run(program: Path, job: Path, order: WorkerOrder) -> int:
    """Train with a process for each device, and report how it went if they cannot.

    Args:
        program: train_lora.py.
        job: The job's folder, `program`'s argument.
        order: What stands in it.
    """
    where = order.plan.spec.where
    try:
        place = meeting(where.nodes, process_group.variables())
    except failures.TrainingError as error:
        EventWriter(job / "events.jsonl", job=order.job, attempt=order.attempt).result(
            failures.describe(error)
        )
        return 5
    rank_results.forget_words(job)
    command = [sys.executable, str(program), str(job)]
    while True:
        ranks = environments(place, where.count, order.plan.device.cores)
        seen = attend(command, ranks)
        again = any(e.code == restarts.AGAIN for e in seen.ended)
        if not again or seen.stopped or place.nodes > 1:  # other machines would not start again
            break
    failed = [e for e in seen.ended if e.code]
    if not failed or any(e.rank == 0 and not e.code for e in seen.ended):
        return 0
    if place.node == 0 and not rank_results.has_result(job / "events.jsonl", order.attempt):
        voice = EventWriter(job / "events.jsonl", job=order.job, attempt=order.attempt)
        voice.result(rank_results.cause(seen, rank_results.words(job), world(where)))
    return rank_results.exit_code(failed[0].code)


def meeting(nodes: int, environment: Mapping[str, str]) -> Meeting:
    """Where to meet: a free port of this machine, or what the cluster's variables say.

    Raises:
        PlanMismatchError: several machines are planned and the variables do not name them.
    """
    if nodes == 1:
        return Meeting("127.0.0.1", free_port())

    def known(name: str, default: str = "") -> str:
        return environment.get(name) or environment.get(f"PET_{name}") or default

    said = known("NNODES", known("NUM_NODES", str(nodes)))
    if said != str(nodes):
        raise failures.PlanMismatchError(
            f"{said} machines are here, planned were {nodes}",
            code="world_size",
            hint="plan again with where.nodes as it is",
        )
    missing = [name for name in ("MASTER_ADDR", "NODE_RANK") if not known(name)]
    if missing:
        raise failures.PlanMismatchError(
            f"{nodes} machines are planned, and {' and '.join(missing)} is not set",
            code="world_size",
            hint="set MASTER_ADDR (the first machine), MASTER_PORT and NODE_RANK (0, 1, ...) on "
            "each machine and start train_lora.py there",
        )
    port = int(known("MASTER_PORT", "29500"))
    return Meeting(known("MASTER_ADDR"), port, int(known("NODE_RANK")), nodes)


def free_port() -> int:
    """A port of this machine that nobody uses at the moment."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def environments(place: Meeting, count: int, cores: int) -> dict[int, dict[str, str]]:
    """Rank -> the environment of its process, for the processes of this machine."""
    shared = {
        **process_group.variables(),
        "WORLD_SIZE": str(count * place.nodes),
        "LOCAL_WORLD_SIZE": str(count),
        "NODE_RANK": str(place.node),
        "MASTER_ADDR": place.address,
        "MASTER_PORT": str(place.port),
        "OMP_NUM_THREADS": str(max(1, cores // count)),
        process_group.LAUNCHED: "1",
    }
    loopback = [name for _, name in socket.if_nameindex() if name in _LOOPBACK_NAMES]
    if place.nodes == 1 and loopback:
        # gloo asks for the host's name otherwise, which a laptop behind a VPN resolves elsewhere
        shared["GLOO_SOCKET_IFNAME"] = loopback[0]
    first = place.node * count
    return {
        first + local: {**shared, "RANK": str(first + local), "LOCAL_RANK": str(local)}
        for local in range(count)
    }


def attend(
    command: Sequence[str],
    environments: Mapping[int, Mapping[str, str]],
    *,
    grace_s: float = GRACE_S,
) -> Attendance:
    """Start the processes, pass signals on, and wait until each one is over.

    After the first failure the others get `grace_s` to end by themselves, then SIGKILL, with all
    they started. Every process leads a process group and sees its standard input close when this
    one dies, however it dies.
    """
    processes: dict[int, subprocess.Popen[bytes]] = {}
    news: queue.SimpleQueue[Ended] = queue.SimpleQueue()
    ended: list[Ended] = []
    deadline: float | None = None
    with _passing_signals_on(processes) as stopping, _leaving_nothing(processes, ended):
        for rank, variables in environments.items():
            processes[rank] = _start(command, variables)
            threading.Thread(target=_await, args=(rank, processes[rank], news)).start()
        while len(ended) < len(processes):
            try:
                ended.append(news.get(timeout=_left(deadline)))
            except queue.Empty:
                killed = _kill_rest(processes, ended)
                ended += [news.get()._replace(by_us=True) for _ in range(killed)]
            if ended[-1].code and deadline is None:
                deadline = time.monotonic() + (STOP_GRACE_S if stopping.is_set() else grace_s)
    return Attendance(ended, stopping.is_set())


def end(me: process_group.Member, code: int) -> int:
    """The exit code; a launched process that failed ends at once.

    Taking a process group down in order may wait for processes that wait for this one.
    """
    if me.launched and code:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    return code


def _start(command: Sequence[str], variables: Mapping[str, str]) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(command, stdin=subprocess.PIPE, env=variables, process_group=0)


def _await(rank: int, process: "subprocess.Popen[bytes]", news: "queue.SimpleQueue[Ended]") -> None:
    """Tell that a process is over, after ending what it started and left behind.

    Until it is waited for, its number is its own, and so is its group's.
    """
    if hasattr(os, "waitid"):  # not on macOS before Python 3.13
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        _kill_group(process)
    with process:  # closes its standard input
        news.put(Ended(rank, process.wait()))


def _kill_rest(processes: Mapping[int, "subprocess.Popen[bytes]"], ended: Sequence[Ended]) -> int:
    """End the processes that still run; how many they were."""
    over = {e.rank for e in ended}
    rest = [process for rank, process in processes.items() if rank not in over]
    for process in rest:
        _kill_group(process)
    return len(rest)


@contextlib.contextmanager
def _leaving_nothing(
    processes: Mapping[int, "subprocess.Popen[bytes]"], ended: Sequence[Ended]
) -> Generator[None]:
    """Whatever is raised within ends the processes too."""
    try:
        yield
    except BaseException:
        _kill_rest(processes, ended)
        raise


def _left(deadline: float | None) -> float | None:
    return None if deadline is None else max(0.0, deadline - time.monotonic())


def _kill_group(process: "subprocess.Popen[bytes]") -> None:
    """SIGKILL for a process and everything it started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS refuses dead groups
        os.killpg(process.pid, signal.SIGKILL)


@contextlib.contextmanager
def _passing_signals_on(
    processes: Mapping[int, "subprocess.Popen[bytes]"],
) -> Generator[threading.Event]:
    """SIGTERM and SIGINT go to every process; the event says that one came."""
    stopping = threading.Event()

    def forward(number: int, frame: FrameType | None) -> None:
        del frame
        stopping.set()
        for process in list(processes.values()):
            process.send_signal(number)  # nothing happens to one that is over

    before = {n: signal.signal(n, forward) for n in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stopping
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
