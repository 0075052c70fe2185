"""Drivers that kill themselves: processes like `podtune.app.driver`, with a SIGKILL at a chosen point.

Reads orders from stdin, one JSON object a line, and forks a driver for each; says on stdout when one was
started and how it ended. Forked, since that saves each driver the second it takes to import everything.
A point is passed before and after every effect, every write to the job store and every request to
RunPod and to a machine's port. It has a name, such as `after POST /pods 201 in launch`, and is written
to a file when it is passed, so that a run without a kill tells every point there is.
"""

import ctypes
import json
import logging
import os
import re
import select
import signal
import sys
import threading
from pathlib import Path
from typing import Any, Final, NamedTuple

import httpx2

from podtune.app import driver as driver_process
from podtune.app import pod_effects, settings, stores, wiring  # noqa: F401 - imported before the forks
from podtune.workflow.driver import Pace
from podtune.workflow.outbox import Outbox
from podtune.workflow.store import JobStore

READS: Final = frozenset(
    {
        "close", "get", "recent", "unfinished", "has_unfinished", "log", "confirm", "orders", "spent",
        "drivers", "is_needed", "orphaned", "held", "some", "others", "newest", "keep_time", "clock",
    }
)  # fmt: skip
"""Verbs of the job store that write nothing; a verb that is not here counts as a write."""

CHANGING: Final = re.compile(
    r"(?<=/)[a-z0-9]{14}(?=[/-]|$)|(?<=checkpoint-)\d+|(?<=/files/).+|(?<=/)[a-z_]+\.(?:json|safetensors)$"
)
"""What is no step of its own in a path: ids of the stand-in cloud, steps, names of files."""

WINDOW_S: Final = 0.05
PR_SET_PDEATHSIG: Final = 1
"""Of `linux/prctl.h`."""

log = logging.getLogger(__name__)


class Orders(NamedTuple):
    """What one driver is started with."""

    environment: dict[str, str]
    points: str
    """File to which the points that are passed are written."""
    log: str
    at: str | None = None
    """Name of the point to die at; None to live."""
    nth: int = 1
    """At which passing of it."""
    standing: bool = False
    pace: dict[str, float] | None = None
    """Of `workflow.driver.Pace`; a driver's own where None."""


class Fate:
    """Counts the points that are passed, and ends the process at one of them. Safe for threads."""

    def __init__(self, path: str, at: str | None, nth: int) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self._at, self._nth = at, nth
        self._passed: dict[str, int] = {}
        self._lock = threading.Lock()

    def point(self, name: str) -> None:
        with self._lock:
            self._passed[name] = count = self._passed.get(name, 0) + 1
            if count <= 2:
                os.write(self._file, json.dumps({"point": name, "nth": count}).encode() + b"\n")
            if name == self._at and count == self._nth:
                os.kill(os.getpid(), signal.SIGKILL)


class Effects:
    """Effects with a point before and after each."""

    def __init__(self, effects: Any, fate: Fate, here: threading.local) -> None:
        self._effects, self._fate, self._here = effects, fate, here

    def __getattr__(self, name: str) -> Any:
        effect = getattr(self._effects, name)

        def armed(job: Any) -> Any:
            self._here.effect = name
            self._fate.point(f"before {name}")
            try:
                done = effect(job)
            except Exception as error:
                self._fate.point(f"after {name}: {type(error).__name__}")
                raise
            finally:
                self._here.effect = None
            self._fate.point(f"after {name}: {type(done).__name__}")
            return done

        return armed


class Transport(httpx2.BaseTransport):
    """The network, with a point before and after each request."""

    def __init__(self, fate: Fate, here: threading.local) -> None:
        self._inner, self._fate, self._here = httpx2.HTTPTransport(retries=0), fate, here

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        effect = getattr(self._here, "effect", None) or "look"
        call = f"{request.method} {CHANGING.sub('*', request.url.path)}"
        self._fate.point(f"before {call} in {effect}")
        response = self._inner.handle_request(request)
        self._fate.point(f"after {call} {response.status_code} in {effect}")
        return response


def armed(kind: type[Any], fate: Fate, reads: frozenset[str]) -> dict[str, Any]:
    """The writing verbs of a class, with a point before and after each."""

    def armed_verb(name: str, verb: Any) -> Any:
        def write(self: Any, *given: Any, **more: Any) -> Any:
            what = _told(name, given)
            fate.point(f"before {what}")
            done = verb(self, *given, **more)
            fate.point(f"after {what}")
            return done

        return write

    return {
        name: armed_verb(name, verb)
        for name, verb in vars(kind).items()
        if callable(verb) and not name.startswith("_") and name not in reads
    }


def store_class(fate: Fate) -> type[JobStore]:
    """A job store with a point before and after each write, its outbox too."""
    outbox = type("ArmedOutbox", (Outbox,), armed(Outbox, fate, frozenset({"next_at", "of"})))

    def messages(self: JobStore) -> Outbox:
        plain = JobStore.messages.fget(self)
        return outbox(plain._engine, plain._clock)

    return type(
        "ArmedStore", (JobStore,), {**armed(JobStore, fate, READS), "messages": property(messages)}
    )


def _told(name: str, given: tuple[Any, ...]) -> str:
    if name != "apply":
        return name
    job, changes = given[0], given[1]
    return f"apply in {job.phase}: {', '.join(sorted(changes))}"


def drive(orders: Orders) -> None:
    """Be a driver until idle, told to stop, or dead."""
    os.environ.clear()
    os.environ.update(orders.environment)
    output = os.open(orders.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.setsid()
    os.chdir(orders.environment["PODTUNE_HOME"])
    logging.basicConfig(
        stream=sys.stderr, level=logging.INFO, format=f"%(asctime)s {os.getpid()} %(message)s"
    )
    for name in driver_process.CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda number, frame: stop.set())
    fate, here = Fate(orders.points, orders.at, orders.nth), threading.local()

    def store(home: settings.Settings) -> JobStore:
        url = settings.database_url()
        return store_class(fate)(home.database, url=url.get_secret_value() if url else None)

    def sites(home: settings.Settings, opened: JobStore) -> Any:
        made = wiring.sites(home, opened, transport=Transport(fate, here))
        return {
            place: site._replace(effects=Effects(site.effects, fate, here))
            for place, site in made.items()
        }

    reason = driver_process.drive(
        settings.load(read_file=False).settings,
        stop,
        is_standing=orders.standing,
        parts=driver_process.Parts(store, sites, Pace(**(orders.pace or {}))),
    )
    log.info("driver ends: %s", reason)


def fork(orders: Orders) -> int:
    """Start a driver; its pid."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        sys.stdin.close()
        die_with_parent()
        drive(orders)
        code = 0
    except Exception:
        log.exception("the driver failed")
    finally:
        logging.shutdown()
        os._exit(code)


def die_with_parent() -> None:
    """Have the kernel end this process when the one that forked it is killed; Linux only."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def say(**what: object) -> None:
    os.write(1, json.dumps(what).encode() + b"\n")


def bury(started: set[int]) -> None:
    """Tell of every driver that has ended."""
    while started:
        child, status = os.waitpid(-1, os.WNOHANG)
        if not child:
            return
        started.discard(child)
        say(ended=child, code=os.waitstatus_to_exitcode(status))


def main() -> None:
    """Start drivers until stdin ends or nobody listens any more; then end those that are left."""
    started = set[int]()
    try:
        serve(started)
    except BrokenPipeError:
        return
    finally:
        for child in started:  # not waited for yet, so their numbers are theirs still
            os.kill(child, signal.SIGKILL)


def serve(started: set[int]) -> None:
    """Start a driver for every line."""
    rest = b""
    while True:
        ready, _, _ = select.select([0], [], [], WINDOW_S)
        if ready:
            block = os.read(0, 1 << 20)
            if not block:
                return
            *lines, rest = (rest + block).split(b"\n")
            for line in lines:
                orders = json.loads(line)
                child = fork(Orders(**orders["driver"]))
                started.add(child)
                say(started=child, order=orders["order"])
        bury(started)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    main()
