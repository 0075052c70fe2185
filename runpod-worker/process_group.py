"""Who this process is among those that train together, and what they do in step.

A training on several devices is one process for each, on one machine or on several. They find
each other by the field's standard variables (RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR ...),
whoever set them: `launch.py`, torchrun or a cluster. Alone, every function here does nothing and
costs nothing. Knows nothing of models or data.
"""

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Generator, Mapping
from datetime import timedelta
from typing import Any, Final, NamedTuple, TypeVar

import failures
from podtune.core.events import EventKind, WorkerResult
from podtune.core.states import WorkerStage
from progress import EventWriter

T = TypeVar("T")

WAIT: Final = timedelta(hours=6)
"""How long a process waits for the others: a download or the answers before may take hours on one
of them. A process that died is noticed at once by whoever started it, not by this."""

LAUNCHED: Final = "PODTUNE_LAUNCHED"
"""Set for processes that `launch.py` started: it has the last word, and is followed when it dies."""

_LOST_WORDS: Final = (
    "Connection closed by peer",
    "Connection reset by peer",
    "Broken pipe",
    "recvValue failed",
    "remote process exited",
    "NCCL communicator was aborted",
)
"""How gloo and NCCL say that another process is gone."""


class Member(NamedTuple):
    """One process of a training."""

    rank: int = 0
    """0 speaks, saves and proves."""
    world: int = 1
    """Processes on all machines."""
    local_rank: int = 0
    """Which of this machine's processes, and so which of its devices."""
    local_world: int = 1
    launched: bool = False
    """Started by `launch.py`, which has the last word."""

    @property
    def is_main(self) -> bool:
        """Whether this is the one that speaks and saves."""
        return self.rank == 0

    @property
    def is_alone(self) -> bool:
        """Whether nobody else trains along."""
        return self.world == 1

    def device(self, kind: str) -> str:
        """This process's own device of a kind: `cuda` -> `cuda:1` for the second on a machine."""
        return f"cuda:{self.local_rank}" if kind == "cuda" and not self.is_alone else kind

    def cores(self, planned: int) -> int:
        """This process's share of the machine's cores; at least one."""
        return max(1, planned // self.local_world)


class QuietWriter(EventWriter):
    """Stands where a voice is expected in the processes that do not speak.

    It touches no file: the main process writes them.
    """

    def __init__(self) -> None:
        """Says nothing, ever."""

    def stage(self, stage: WorkerStage) -> None:
        """Say nothing."""

    def task(self, name: str, done: float, total: float | None, unit: str) -> None:
        """Say nothing."""

    def result(self, result: WorkerResult) -> None:
        """Say nothing."""

    def emit(self, kind: EventKind, **fields: Any) -> None:
        """Say nothing."""


def variables() -> dict[str, str]:
    """The environment, read here and nowhere else in the training."""
    return dict(os.environ)  # noqa: TID251 - RANK and its kin are the standard way to be told


def member(environment: Mapping[str, str] | None = None) -> Member:
    """Who this process is; alone unless RANK says otherwise.

    A cluster may set WORLD_SIZE for a whole machine: without RANK it names nobody.
    """
    known = variables() if environment is None else environment
    if "RANK" not in known:
        return Member()
    world = int(known.get("WORLD_SIZE", "1"))
    return Member(
        rank=int(known["RANK"]),
        world=world,
        local_rank=int(known.get("LOCAL_RANK", known["RANK"])),
        local_world=int(known.get("LOCAL_WORLD_SIZE", world)),
        launched=LAUNCHED in known,
    )


def join(kind: str, planned: int) -> Member:
    """Meet the other processes, once, before anything is loaded.

    Args:
        kind: `cpu` (gloo) or `cuda` (NCCL for the devices, gloo for what is said between them).
        planned: Processes the plan counted on, over all machines.

    Raises:
        PlanMismatchError: another number of processes is there.
    """
    me = member()
    refuse_other_world(me.world, planned)
    if me.is_alone:
        return me
    import torch

    if kind == "cuda":
        torch.cuda.set_device(me.local_rank)
    if not torch.distributed.is_initialized():
        backend = "cpu:gloo,cuda:nccl" if kind == "cuda" else "gloo"
        torch.distributed.init_process_group(
            backend, rank=me.rank, world_size=me.world, timeout=WAIT
        )
    if me.launched:
        _follow_launcher()
    return me


def leave() -> None:
    """Part, when every process is done with what they do together."""
    if is_together():
        import torch

        barrier()
        torch.distributed.destroy_process_group()


def refuse_other_world(found: int, planned: int) -> None:
    """Raise when another number of processes trains than was planned.

    A launcher that starts one process where two were asked for does so silently, and half the
    rows would be trained on. (`accelerate launch --cpu --num_processes 2` does, 1.15.)

    Raises:
        PlanMismatchError: with both figures.
    """
    if found != planned:
        raise failures.PlanMismatchError(
            f"{found} processes train together, planned were {planned}",
            code="world_size",
            hint="start train_lora.py once on each machine and let it start its processes itself, "
            "or plan again with the where.count and where.nodes that are there",
        )


def barrier() -> None:
    """Wait until every process is here."""
    total(0)


def total(*numbers: float) -> tuple[float, ...]:
    """Each number summed over all processes; whole numbers up to 2^53 stay exact."""
    if not is_together():
        return tuple(float(n) for n in numbers)
    import torch

    summed = torch.tensor(numbers, dtype=torch.float64)
    torch.distributed.all_reduce(summed)
    return tuple(summed.tolist())


def any_rank(flag: bool) -> bool:
    """Whether it is so in any process; all get the same answer, so all do the same next."""
    return total(flag)[0] > 0


def share(value: T) -> T:
    """The main process's value, in every process."""
    if not is_together():
        return value
    import torch

    box = [value]
    torch.distributed.broadcast_object_list(box, src=0)
    return box[0]


@contextlib.contextmanager
def main_first() -> Generator[None]:
    """One process of each machine goes through first, the others follow with its files there.

    For downloads and conversions: what the first one fetched, the others find. When the first one
    fails, whoever started the processes ends the others.
    """
    first = member().local_rank == 0
    if not first:
        barrier()
    yield
    if first:
        barrier()


@contextlib.contextmanager
def in_turns() -> Generator[None]:
    """The processes of each machine go through one after the other.

    For loading: the memory then holds one whole model at a time, not one for each device.
    """
    me = member()
    for turn in range(_largest_machine(me)):
        if turn == me.local_rank:
            yield
        barrier()


def is_lost_peer(error: BaseException) -> bool:
    """Whether an exception only says that another process is gone."""
    if type(error).__name__ in ("DistBackendError", "DistNetworkError"):
        return True
    return isinstance(error, RuntimeError) and any(word in str(error) for word in _LOST_WORDS)


def _largest_machine(me: Member) -> int:
    """Processes of the machine that has the most of them."""
    if not is_together():
        return me.local_rank + 1
    import torch

    most = torch.tensor(me.local_world)
    torch.distributed.all_reduce(most, op=torch.distributed.ReduceOp.MAX)
    return int(most)


def is_together() -> bool:
    """Whether there is a process group; torch is not imported to find out."""
    torch = sys.modules.get("torch")
    return bool(torch and torch.distributed.is_available() and torch.distributed.is_initialized())


def _follow_launcher() -> None:
    """End when the launcher is gone: its end of the pipe closes with it, however it died.

    A launched process leads a process group of its own; what it started (the proof) ends with it.
    """

    def watch() -> None:
        os.read(sys.stdin.fileno(), 1)  # not by the stream: its lock would be held at the exit
        os.killpg(0, signal.SIGKILL)

    threading.Thread(target=watch, daemon=True, name="launcher watch").start()
