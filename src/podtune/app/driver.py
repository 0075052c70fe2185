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
from podtune.workflow import driver
from podtune.workflow.folder import JobFolder
from podtune.workflow.reconciler import Reconciler

log = logging.getLogger("podtune.driver")


def spawn(settings: Settings) -> None:
    """Start a driver for a home and return at once."""
    settings.home.mkdir(parents=True, exist_ok=True)
    with settings.driver_log.open("ab") as stream:
        subprocess.Popen(
            [sys.executable, "-m", "podtune.app.driver"],
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            cwd=settings.home,
            env=settings_module.driver_environment(settings.home),
            start_new_session=True,
        )


def holder_name() -> str:
    """This process as a lease holder: host, pid and start time."""
    process = psutil.Process()
    return f"{socket.gethostname()}:{process.pid}:{process.create_time():.2f}"


def is_dead(holder: str) -> bool:
    """Whether a lease holder on this host is a process that no longer runs."""
    host, pid, created = holder.rsplit(":", 2)
    if host != socket.gethostname():
        return False
    try:
        process = psutil.Process(int(pid))
        same = abs(process.create_time() - float(created)) < 1.0
        return not same or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def main() -> None:
    """Drive until idle."""
    logging.basicConfig(
        stream=sys.stderr,
        level=logging.INFO,
        format="%(asctime)s %(levelname)s %(message)s",
    )
    settings = settings_module.load().settings
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
