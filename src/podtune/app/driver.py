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
from typing import Final

import psutil

from podtune.app import settings as settings_module
from podtune.app import wiring
from podtune.app.settings import Settings
from podtune.core.spec import Place
from podtune.providers.local import identity
from podtune.workflow import driver
from podtune.workflow.folder import JobFolder
from podtune.workflow.lookout import LOOK_S
from podtune.workflow.reconciler import Reconciler

log = logging.getLogger("podtune.driver")

CHATTY: Final = ("httpx2", "httpx", "httpcore2", "httpcore", "huggingface_hub", "urllib3")
"""Libraries that log every request with its address, and a signed address is a secret."""

LEAVE_S: Final = 5.0
"""A driver ends between two rounds; an order that is under way is waited for longer, by the lease."""


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


def ask_to_leave(holder: str) -> None:
    """Ask a driver on this host to stop; what it drives goes on, and the next driver adopts it."""
    host, pid, stamp = holder.rsplit(":", 2)
    process = identity.find(f"{pid}:{stamp}") if host == socket.gethostname() else None
    if process is None:
        return
    try:
        process.terminate()
        process.wait(LEAVE_S)
    except (psutil.NoSuchProcess, psutil.TimeoutExpired):
        log.info("driver %s has not left yet", holder)


def main() -> None:
    """Drive until idle."""
    logging.basicConfig(
        stream=sys.stderr,
        level=logging.INFO,
        format="%(asctime)s %(levelname)s %(message)s",
    )
    for name in CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)
    settings = settings_module.load(read_file=False).settings
    stop = threading.Event()

    def on_signal(number: int, frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_signal)
    store = wiring.job_store(settings)
    sites = wiring.sites(settings, store)
    # A slow effect of one job holds up no other, and a look at all machines has a thread of its own.
    threads = sum(site.places for site in sites.values()) + 4
    with ThreadPoolExecutor(max_workers=threads) as executor:
        reconciler = Reconciler(
            store,
            sites,
            lambda job_id: JobFolder(settings.jobs / job_id),
            executor=executor,
            clock=lambda: datetime.now(UTC),
            limits=settings,
            look_s=min(LOOK_S, max(0.5, settings.settle_s / 4)),
        )
        log.info("driver %s starts", holder_name())
        rented = sites.get(Place.RUNPOD)
        reason = driver.run(
            store,
            reconciler,
            holder=holder_name(),
            stop=stop,
            is_dead=is_dead,
            account=rented.account if rented else None,
        )
        log.info("driver ends: %s", reason)
    store.close()


if __name__ == "__main__":
    main()
