"""The harness's side of `armed_driver.py`: starts drivers as processes and hears how they end."""

import itertools
import json
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import Future
from pathlib import Path

from faults.armed_driver import Orders

PROGRAM = Path(__file__).with_name("armed_driver.py")
START_S = 60
END_S = 20


class DriverProcess:
    """A driver that was started; its end may be waited for."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._end: Future[int] = Future()

    @property
    def has_ended(self) -> bool:
        return self._end.done()

    def send(self, number: int) -> None:
        if not self.has_ended:
            os.kill(self.pid, number)

    def wait(self, seconds: float = END_S) -> int:
        """Exit code; minus the signal's number where one ended it."""
        return self._end.result(seconds)

    def end(self) -> None:
        """Tell it to go, and see that it does."""
        self.send(signal.SIGTERM)
        self.wait()


class Drivers:
    """Starts drivers; all of them end with it. Safe for threads."""

    def __init__(self) -> None:
        self._server = subprocess.Popen(
            [sys.executable, PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self._lock = threading.Lock()
        self._orders = itertools.count()
        self._asked: dict[int, Future[DriverProcess]] = {}
        self._running: dict[int, DriverProcess] = {}
        self._reader = threading.Thread(target=self._listen, daemon=True)
        self._reader.start()

    def __enter__(self) -> "Drivers":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self, orders: Orders) -> DriverProcess:
        """Start a driver; on return it runs."""
        number, started = next(self._orders), Future[DriverProcess]()
        line = json.dumps({"order": number, "driver": orders._asdict()}).encode() + b"\n"
        with self._lock:
            self._asked[number] = started
            self._server.stdin.write(line)
            self._server.stdin.flush()
        return started.result(START_S)

    def close(self) -> None:
        """End every driver."""
        self._server.stdin.close()
        self._server.wait(END_S)
        self._reader.join(END_S)
        self._server.stdout.close()

    def _listen(self) -> None:
        for line in self._server.stdout:
            told = json.loads(line)
            with self._lock:
                if "started" in told:
                    made = DriverProcess(told["started"])
                    self._running[made.pid] = made
                    self._asked.pop(told["order"]).set_result(made)
                else:
                    self._running.pop(told["ended"])._end.set_result(told["code"])
