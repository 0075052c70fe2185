"""Large data is planned, and its rows are written, in a process of its own: `python -m podtune.app.apart`.

Both are work of one core for seconds to minutes, and in a thread of a gateway they would take turns with every
answer that it gives. The order comes by standard input, the result goes by standard output, and the process ends
with whoever gave the order. Small data is planned where it is asked for: to start a process takes longer.

A tenant may name any model of the Hub, and a model's chat template is a stranger's program: in the sandbox it can
do no harm but run, and take memory, for ever. Such a model is planned in a process whatever its data, within limits.
"""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

import psutil
from pydantic import BaseModel, ConfigDict, ValidationError

from podtune.app import hosted_models, planner, rows, sources
from podtune.app import settings as settings_module
from podtune.app.settings import Settings
from podtune.core.errors import (
    PodtuneError,
    StateError,
    UnsupportedError,
    of_stored,
    to_stored,
)
from podtune.core.plan import Plan
from podtune.core.request import TrainingRequest
from podtune.intake.defaults import DEFAULT_BASE_MODEL
from podtune.intake.releases import RELEASES

LARGE_BYTES: Final = 1 << 20
"""Of data, from which on a process is worth its start: 0.6 s of CPU, about what a MB takes to be planned
(`bench/gateway.py`, 2026-11-23)."""
CPU_S: Final = 60
CPU_S_PER_MB: Final = 4.0
"""CPU seconds that the plan of a stranger's model may take, and the more for each MB of data. Chosen: several times
what the slowest of the families takes (`bench/gateway.py`)."""
MEMORY_SHARE: Final = 0.5
"""Of this machine's memory, what it may take."""
LOOK_S: Final = 0.25
"""How often it is looked whether the result is still wanted."""
NICENESS: Final = 5
"""How far behind the gateway it stands where both want a core."""

Look = Callable[[int, int | None], None]
"""Raises where the work is not wanted any more."""


class Order(BaseModel):
    """What is to be done. Its source lies here already, where it was fetched."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    settings: dict[str, Any]
    downloads: Path
    serves_tenant: bool
    cpu_s: int | None = None
    """CPU seconds after which it is ended; None: none."""
    request: TrainingRequest | None = None
    """To plan."""
    plan: Plan | None = None
    """Whose rows are to be written, with the two files below."""
    train: Path | None = None
    validation: Path | None = None


def make_plan(request: TrainingRequest, settings: Settings, look: Look) -> Plan:
    """Fetch and plan.

    Args:
        request: What is asked.
        settings: They keep what is fetched for this request alone.
        look: Called now and then.

    Raises:
        PodtuneError: as `planner.make_plan`, or what `look` raises.
    """
    size = sum(map(_bytes, fetch(request, settings, look)))
    cpu_s = round(CPU_S + CPU_S_PER_MB * size / 1e6) if _is_strangers(request, settings) else None
    if size < LARGE_BYTES and cpu_s is None:
        return planner.make_plan(request, settings)
    found = _done(_order(settings, request=request, cpu_s=cpu_s), settings, look)
    return Plan.model_validate(found["plan"])


def fetch(request: TrainingRequest, settings: Settings, look: Look) -> Sequence[Path]:
    """Fetch the sources that a request names; where they are.

    Raises:
        PodtuneError: one cannot be had, or what `look` raises.
    """
    return [sources.kept(one, settings, fresh=True, on_progress=look) for one in _named(request)]


def write_rows(
    plan: Plan, settings: Settings, train: Path, validation: Path, *, look: Look
) -> None:
    """As `rows.write`.

    Raises:
        PodtuneError: as that, or what `look` raises.
    """
    if plan.report.size_bytes < LARGE_BYTES:
        rows.write(plan, settings, train, validation)
        return
    _done(_order(settings, plan=plan, train=train, validation=validation), settings, look)


def _is_strangers(request: TrainingRequest, settings: Settings) -> bool:
    """Whether a tenant names a model that nobody here has heard of."""
    if not settings.serves_tenant:
        return False
    asked = request.stated.get("base_model.name", request.stated.get("base_model"))
    known = {DEFAULT_BASE_MODEL, *hosted_models.known_bases(settings)}
    return asked is not None and asked not in known | {release.name for release in RELEASES}


def _named(request: TrainingRequest) -> list[str]:
    named = (request.stated.get(name) for name in ("data.source", "data.validation_source"))
    return [source for source in named if isinstance(source, str)]


def _bytes(path: Path) -> int:
    files = [path] if path.is_file() else path.rglob("*")
    return sum(one.stat().st_size for one in files if one.is_file())


def _order(settings: Settings, **more: Any) -> Order:
    return Order(
        settings=settings.model_dump(mode="json"),
        downloads=settings.downloads,
        serves_tenant=settings.serves_tenant,
        **more,
    )


def _done(order: Order, settings: Settings, look: Look) -> Mapping[str, Any]:
    """Have it done; its result.

    Raises:
        PodtuneError: what went wrong there, or what `look` raises; the process has ended then.
    """
    told: list[bytes] = []
    with subprocess.Popen(
        [sys.executable, "-P", "-m", "podtune.app.apart"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=settings_module.driver_environment(settings),
        cwd=settings.home,
        start_new_session=True,
    ) as process:
        stdin, stdout = cast("BinaryIO", process.stdin), cast("BinaryIO", process.stdout)
        reader = threading.Thread(target=lambda: told.append(stdout.read()))
        reader.start()
        try:
            _hand_over(stdin, order)
            while reader.is_alive():
                look(0, None)
                reader.join(LOOK_S)
        finally:
            process.kill()
            reader.join()
        status = process.wait()
    try:
        found = cast("Mapping[str, Any]", json.loads(b"".join(told)))
    except ValueError:
        if order.cpu_s is not None and -status == getattr(signal, "SIGXCPU", None):
            raise UnsupportedError(
                f"planning it took more than {order.cpu_s} s: the model's chat template does not end",
                code="plan_too_slow",
                hint="name another base model, or one whose chat template is an ordinary one",
            ) from None
        raise StateError(
            "the process that planned it ended without a word",
            code="internal_error",
            hint="it may have run out of memory; try again, or with less data",
        ) from None
    if "error" in found:
        raise of_stored(cast("Mapping[str, object]", found["error"]))
    return found


def _hand_over(stream: BinaryIO, order: Order) -> None:
    try:
        stream.write(order.model_dump_json().encode() + b"\n")
        stream.flush()
    except BrokenPipeError:  # it ended at once: that it said nothing is told below
        return


def main() -> None:
    """Do one order; the line that comes back holds its result or its error."""
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints is no result
    if hasattr(os, "nice"):
        os.nice(NICENESS)
    line = sys.stdin.buffer.readline()
    threading.Thread(target=_end_with_who_ordered, daemon=True).start()
    try:
        order = Order.model_validate_json(line)
        if order.cpu_s is not None:
            _limit(order.cpu_s)
        found: Mapping[str, object] = _do(order)
    except PodtuneError as error:
        found = {"error": to_stored(error)}
    except ValidationError:
        found = {"error": to_stored(StateError("the order cannot be read", code="internal_error"))}
    out.write(json.dumps(found, default=str).encode())
    out.close()


def _limit(cpu_s: int) -> None:
    """Have the system end this process after so much work, and give it no more than its share of memory.

    Where the system has no such limits (native Windows) it goes without; there is no gateway for others there.
    """
    try:
        import resource
    except ImportError:
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s + 5))
    memory = round(psutil.virtual_memory().total * MEMORY_SHARE)
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))


def _do(order: Order) -> Mapping[str, object]:
    settings = Settings.model_validate(order.settings).with_downloads(order.downloads)
    if order.serves_tenant:
        settings = settings.for_tenant("a tenant")
    if order.request is not None:
        return {"plan": planner.make_plan(order.request, settings).model_dump(mode="json")}
    assert order.plan is not None
    assert order.train is not None
    assert order.validation is not None
    rows.write(order.plan, settings, order.train, order.validation)
    return {}


def _end_with_who_ordered() -> None:
    sys.stdin.buffer.read()
    os._exit(1)


if __name__ == "__main__":
    main()
