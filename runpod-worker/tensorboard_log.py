"""Training curves as TensorBoard event files.

Records are written by tensorboardX's own classes, but not by its `SummaryWriter`: that puts this
machine's name into the file's, and values through a queue and a thread of its own.
"""

import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

FOLDER = "tensorboard"
"""Of the job's `work` folder, while it trains, and of the artifact."""

VERSION = "brain.Event:2"
LARGEST = 3.4028234663852886e38
"""Of a 32-bit float, which is what an event holds."""


class EventFile:
    """One event file; every record is on the disk when `write` returns."""

    def __init__(
        self, folder: Path, *, step: int = 0, clock: Callable[[], float] = time.time
    ) -> None:
        """Begin a new file that sorts after the ones that are there.

        Args:
            folder: Made if need be.
            step: Steps done already. On resuming, TensorBoard drops what an earlier file says of
                later steps.
            clock: Seconds since 1970.
        """
        from tensorboardX.proto.event_pb2 import SessionLog
        from tensorboardX.record_writer import RecordWriter

        folder.mkdir(parents=True, exist_ok=True)
        self._clock = clock
        number = len(list(folder.glob("events.out.tfevents.*")))
        name = f"events.out.tfevents.{int(clock()):010d}.{number:03d}.podtune"
        self._records = RecordWriter(str(folder / name))
        self._write(file_version=VERSION)
        if step:
            self._write(step=step + 1, session_log=SessionLog(status=SessionLog.START))

    def write(self, scalars: Mapping[str, float], step: int) -> None:
        """Values of one step, by tag."""
        from tensorboardX.proto.summary_pb2 import Summary

        values = [Summary.Value(tag=t, simple_value=_single(v)) for t, v in scalars.items()]
        self._write(step=step, summary=Summary(value=values))

    def close(self) -> None:
        """Nothing more comes."""
        self._records.close()

    def _write(self, **fields: Any) -> None:
        from tensorboardX.proto.event_pb2 import Event

        self._records.write(Event(wall_time=self._clock(), **fields).SerializeToString())
        self._records.flush()


def callback(folder: Path) -> Any:
    """A TrainerCallback that writes each log, under the tags transformers' own uses."""
    from transformers import TrainerCallback

    class Curves(TrainerCallback):
        file: EventFile | None = None

        def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if state.is_world_process_zero:
                self.file = EventFile(folder, step=state.global_step)

        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
            scalars = {_tag(k): float(v) for k, v in (logs or {}).items() if _is_number(v)}
            if self.file is not None and scalars:
                self.file.write(scalars, state.global_step)

        def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if self.file is not None:
                self.file.close()
                self.file = None

    return Curves()


def keep(work: Path, artifact: Path) -> None:
    """Put the curves into the artifact as well, where there are any; nothing requires them."""
    if (work / FOLDER).is_dir():
        shutil.copytree(work / FOLDER, artifact / FOLDER, dirs_exist_ok=True)


def _tag(name: str) -> str:
    """`loss` -> `train/loss`, `eval_loss` -> `eval/loss`."""
    return f"eval/{name.removeprefix('eval_')}" if name.startswith("eval_") else f"train/{name}"


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _single(value: float) -> float:
    """A value as a 32-bit float can hold it; what is too large for one is infinite."""
    return float("inf") * value if abs(value) > LARGEST else value
