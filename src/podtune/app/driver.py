"""The driver process: `python -m podtune.app.driver`, started by any command with unfinished work.

In a session of its own: whatever happens to the command that started it, it goes on. Where one like it
lives already, it leaves at once (`workflow.driver`).
"""

import gc
import logging
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import FrameType
from typing import Final, NamedTuple

import psutil

from podtune.app import callbacks, hosted_events, wiring
from podtune.app import settings as settings_module
from podtune.app.installation import host, owner
from podtune.app.settings import Settings
from podtune.core.clock import Steady
from podtune.core.spec import Place
from podtune.providers.local import identity
from podtune.workflow import driver
from podtune.workflow.courier import AT_ONCE as COURIERS
from podtune.workflow.folder import JobFolder
from podtune.workflow.lease import Driver
from podtune.workflow.lookout import LOOK_S
from podtune.workflow.reconciler import Reconciler
from podtune.workflow.sites import Site
from podtune.workflow.store import JobStore

log = logging.getLogger("podtune.driver")

CHATTY: Final = ("httpx2", "httpx", "httpcore2", "httpcore", "huggingface_hub", "urllib3")
"""Libraries that log every request with its address, and a signed address is a secret."""

ENDINGS: Final = (
    signal.SIGTERM,
    signal.SIGINT,
    *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else []),
)
"""What a user ends a program in the foreground with; Windows has no SIGHUP."""

GARBAGE: Final = (50_000, 10, 10)
"""When the collector runs (`gc.set_threshold`). A driver of 5,000 jobs keeps half a million objects, and each
list of their machines makes thousands of short-lived ones: with Python's own 700 every other list had
all of them looked through (200 ms CPU a round and not 90; `bench/reconciler.py`, 2026-11-23)."""


class Parts(NamedTuple):
    """What a driver is made of; tests put others in their place."""

    store: Callable[[Settings], JobStore] = wiring.job_store
    sites: Callable[[Settings, JobStore], Mapping[Place, Site]] = wiring.sites
    pace: driver.Pace = driver.PACE


PARTS: Final = Parts()


def spawn(settings: Settings) -> "subprocess.Popen[bytes]":
    """Start a driver for a home and return at once."""
    settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
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


def realm() -> str:
    """Where a pid means the same process: the host's name and, on Linux, its boot and its namespace of pids.

    Two machines may be called alike, and so may a container and its host.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii")[:8]
        return f"{host()}/{boot}.{Path('/proc/self/ns/pid').stat().st_ino}"
    except OSError:
        return host()


def holder_name() -> str:
    """This process as a lease holder: where it runs, pid and start time."""
    return f"{realm()}:{identity.of(psutil.Process())}"


def driver_of(settings: Settings) -> Driver:
    """This process as a driver of a home, with the account that its environment opens.

    Raises:
        SpecError: an address of the account that may not be used.
    """
    account = wiring.account_of(settings_module.runpod_access())
    return Driver(holder_name(), owner(settings.home), host(), account)


def is_dead(holder: str) -> bool:
    """Whether a lease holder is a process of this very host that no longer runs."""
    name, pid, stamp = holder.rsplit(":", 2)
    return name == realm() and identity.find(f"{pid}:{stamp}") is None


def main() -> None:
    """Drive until idle."""
    _log_to_stderr(logging.INFO)
    gc.set_threshold(*GARBAGE)
    settings = settings_module.load(read_file=False).settings
    reason = drive(settings, _stop_on(signal.SIGTERM, signal.SIGINT))
    log.info("driver ends: %s", reason)


def stand(settings: Settings) -> bool:
    """Drive beside other drivers, also when idle, until SIGTERM, Ctrl-C or a closed terminal.

    What it drove is free then: another driver, or the next command, goes on with it. Returns whether
    jobs are left unfinished.

    Raises:
        StateError: the job store cannot be used.
    """
    _log_to_stderr(logging.WARNING)
    gc.set_threshold(*GARBAGE)
    settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    drive(settings, _stop_on(*ENDINGS), is_standing=True)
    store = wiring.job_store(settings)
    try:
        return store.has_unfinished()
    finally:
        store.close()


def _log_to_stderr(level: int) -> None:
    logging.basicConfig(
        stream=sys.stderr,
        level=level,
        format="%(asctime)s %(levelname)s %(message)s",
    )
    for name in CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)


def _stop_on(*numbers: int) -> threading.Event:
    """An event that signals set; what the shell had ignored (nohup) stays so."""
    stop = threading.Event()

    def on_signal(number: int, frame: FrameType | None) -> None:
        stop.set()

    for number in numbers:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, on_signal)
    return stop


def drive(
    settings: Settings,
    stop: threading.Event,
    *,
    is_standing: bool = False,
    parts: Parts = PARTS,
) -> str:
    """Run the loop in this thread until it is idle or `stop` is set; why it ended.

    A standing one shares the work with other drivers and stays when idle: `podtune serve` embeds it.

    Raises:
        StateError: the job store cannot be used.
    """
    store = parts.store(settings)
    store.keep_time(Steady(store.newest(owner(settings.home))))
    sites = parts.sites(settings, store)
    me = driver_of(settings)
    # A slow effect of one job holds up no other, nor does a receiver of callbacks that hangs, and a look
    # at all machines has a thread of its own.
    threads = sum(site.places for site in sites.values()) + 4 + COURIERS
    with ThreadPoolExecutor(max_workers=threads) as executor:
        reconciler = Reconciler(
            store,
            sites,
            lambda job_id: JobFolder(settings.jobs / job_id),
            driver=me,
            executor=executor,
            clock=store.clock,
            limits=settings,
            look_s=min(LOOK_S, max(0.5, settings.settle_s / 4)),
            announce=callbacks.announcer(
                settings, store.orders, store.clock, hosted_events.holds_of(store)
            ),
        )
        log.info("driver %s starts", me.holder)
        reason = driver.run(
            store,
            reconciler,
            me,
            pace=parts.pace,
            stop=stop,
            is_dead=is_dead,
            is_standing=is_standing,
            rounds=wiring.rounds(settings, store, me, executor),
        )
    store.close()
    return reason


if __name__ == "__main__":
    main()
