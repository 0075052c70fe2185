"""The first process of a rented machine: starts the watchdog, then the receiver, and stays.

It stays because the vendor starts a container again whose first process ends, and because the
watchdog would die with it. Whatever happens to the receiver, the watchdog ends the machine. Only
the watchdog has the machine's own key in its environment.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

HERE = Path(__file__).resolve().parent
VENDOR_KEYS = ("RUNPOD_API_KEY", "RUNPOD_AI_API_KEY")
POLL_S = 0.2
STOP_GRACE_S = 40.0
"""The worker's 30 s to write a checkpoint, and some for what is around it."""

OLDEST = (3, 10)
"""These programs' own syntax; the worker needs 3.11 and the receiver says so."""


def main() -> int:
    """Start both, keep the watchdog alive, pass SIGTERM on."""
    if sys.version_info < OLDEST:
        sys.stdout.write("podtune: image_unfit: this image's Python is older than 3.10\n")
        sys.stdout.flush()
        return _park()
    import orders as order_book
    import shell_access

    environment = dict(os.environ)
    try:
        orders = order_book.read(environment)
    except ValueError as error:
        order_book.say(f"podtune: this machine's environment is unusable: {error}")
        return _end_now(environment)
    orders.watch.mkdir(parents=True, exist_ok=True)
    for name in ("handed-over", "beat"):  # of a container before this one
        (orders.watch / name).unlink(missing_ok=True)
    if orders.begun.exists():
        order_book.say("podtune: this attempt has begun before; it is not trained again")
    watchdog = _start("watchdog.py", environment)
    receiver = _start("receive.py", {k: v for k, v in environment.items() if k not in VENDOR_KEYS})
    shell_access.allow(orders, environment)
    stopping: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: stopping.append(number))
    told = False
    while not stopping:
        if watchdog.poll() is not None:
            order_book.say("podtune: the watchdog ended; starting it again")
            watchdog = _start("watchdog.py", environment)
        if receiver.poll() is not None and not told:
            told = True
            order_book.say(f"podtune: the receiver ended with code {receiver.returncode}")
            order_book.write(orders.watch / "end", "the receiver ended")
        time.sleep(POLL_S)
    return _stop(watchdog, receiver)


def _start(name: str, environment: Mapping[str, str]) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, str(HERE / name)], stdin=subprocess.DEVNULL,
        env=dict(environment), start_new_session=True,
    )  # fmt: skip


def _stop(watchdog: "subprocess.Popen[bytes]", receiver: "subprocess.Popen[bytes]") -> int:
    """The container is being stopped: let the worker save, then end both."""
    if receiver.poll() is None:
        receiver.terminate()
        try:
            receiver.wait(STOP_GRACE_S)
        except subprocess.TimeoutExpired:
            receiver.kill()
    watchdog.terminate()
    watchdog.wait()
    return 143


def _end_now(environment: Mapping[str, str]) -> int:
    import watchdog

    watchdog.end(watchdog.ways(environment, watchdog.send, watchdog.run))
    return 1


def _park() -> int:
    while True:  # ending would only start the container again
        time.sleep(3600)


if __name__ == "__main__":
    sys.exit(main())
