"""Training curves as TensorBoard event files, without TensorBoard's libraries.

The format is small: records of (length, checksum of it, an `Event` message, checksum of it). A
library for it would bring protobuf, a thread with a queue, a second of imports, and put this
machine's name into the file's. Source: tensorflow/core/lib/io/record_writer.h and
tensorflow/core/util/event.proto; the tests read the files with tensorboardX's own classes.
"""

import shutil
import struct
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

FOLDER = "tensorboard"
"""Of the job's `work` folder, while it trains, and of the artifact."""

VERSION = b"brain.Event:2"
_POLYNOMIAL = 0x82F63B78
"""CRC-32C (Castagnoli), bits reversed."""


class EventFile:
    """One event file; every record is on the disk's side of the process when `write` returns."""

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
        folder.mkdir(parents=True, exist_ok=True)
        self._clock = clock
        number = len(list(folder.glob("events.out.tfevents.*")))
        name = f"events.out.tfevents.{int(clock()):010d}.{number:03d}.podtune"
        self._stream = (folder / name).open("ab")
        self._record(_field(3, VERSION))
        if step:
            self._record(_integer(2, step + 1) + _field(7, _integer(1, 1)))  # session log: START

    def write(self, scalars: Mapping[str, float], step: int) -> None:
        """Values of one step, by tag."""
        values = b"".join(
            _field(1, _field(1, tag.encode()) + _float(2, value)) for tag, value in scalars.items()
        )
        self._record(_integer(2, step) + _field(5, values))

    def close(self) -> None:
        """Nothing more comes."""
        self._stream.close()

    def _record(self, message: bytes) -> None:
        message = struct.pack("<Bd", 1 << 3 | 1, self._clock()) + message
        length = struct.pack("<Q", len(message))
        self._stream.write(length + _checksum(length) + message + _checksum(message))
        self._stream.flush()


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


def _field(number: int, content: bytes) -> bytes:
    """A length-delimited field of a message."""
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _integer(number: int, value: int) -> bytes:
    return _varint(number << 3) + _varint(value)


def _float(number: int, value: float) -> bytes:
    """A 32-bit float field; what is too large for one is infinite."""
    try:
        packed = struct.pack("<f", value)
    except OverflowError:
        packed = struct.pack("<f", float("inf") if value > 0 else float("-inf"))
    return _varint(number << 3 | 5) + packed


def _varint(value: int) -> bytes:
    """Seven bits a byte, the lowest first."""
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*encoded, value))


def _table() -> tuple[int, ...]:
    rows: list[int] = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (_POLYNOMIAL if byte & 1 else 0)
        rows.append(byte)
    return tuple(rows)


_TABLE = _table()


def _checksum(content: bytes) -> bytes:
    """CRC-32C, masked as the record format wants it (rotated right by 15 bits, plus a constant)."""
    register = 0xFFFFFFFF
    for byte in content:
        register = register >> 8 ^ _TABLE[(register ^ byte) & 0xFF]
    register ^= 0xFFFFFFFF
    rotated = (register >> 15 | register << 17) & 0xFFFFFFFF
    return struct.pack("<I", (rotated + 0xA282EAD8) & 0xFFFFFFFF)
