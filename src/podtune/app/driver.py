"""The driver process: `python -m podtune.app.driver`, started by any command with unfinished work.

One a home, in a session of its own: whatever happens to the command that started it, it goes on.
"""

import logging
import signal
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from types import FrameType

import psutil

from podtune.app import settings as settings_module
from podtune.app import wiring
from podtune.app.settings import Settings
from podtune.providers.local import identity
from podtune.workflow import driver
from podtune.workflow.folder import JobFolder
from podtune.workflow.reconciler import Reconciler

log = logging.getLogger("podtune.driver")


def spawn(settings: Settings) -> "subprocess.Popen[bytes]":
    """Start a driver for a home and return at once."""
    settings.home.mkdir(parents=True, exist_ok=True)
    with settings.driver_log.open("ab") as stream:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "podtune.app.driver"],
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            cwd=settings.home,
            env=settings_module.driver_environment(settings),
            start_new_session=True,
        )


def holder_name() -> str:
    """This process as a lease holder: host, pid and start time."""
    return f"{socket.gethostname()}:{identity.of(psutil.Process())}"


def is_dead(holder: str) -> bool:
    """Whether a lease holder on this host is a process that no longer runs."""
    host, pid, stamp = holder.rsplit(":", 2)
    return host == socket.gethostname() and identity.find(f"{pid}:{stamp}") is None


def main() -> None:
    """Drive until idle."""
    logging.basicConfig(
        stream=sys.stderr,
        level=logging.INFO,
        format="%(asctime)s %(levelname)s %(message)s",
    )
    settings = settings_module.load(read_file=False).settings
    stop = threading.Event()

    def on_signal(number: int, frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_signal)
    store = wiring.job_store(settings)
    provider = wiring.local_provider()
    with ThreadPoolExecutor(max_workers=4) as executor:
        reconciler = Reconciler(
            store,
            provider,
            wiring.local_effects(settings, provider),
            lambda job_id: JobFolder(settings.jobs / job_id),
            executor=executor,
            clock=lambda: datetime.now(UTC),
            places=settings.places,
        )
        log.info("driver %s starts", holder_name())
        reason = driver.run(store, reconciler, holder=holder_name(), stop=stop, is_dead=is_dead)
        log.info("driver ends: %s", reason)
    store.close()


if __name__ == "__main__":
    main()
