"""What the gateway says of each request: one JSON line with its id, route, status, time, key and job.

The route is its template (`/training/status/{job_id}`), never the address as it came: queries, headers and
bodies hold secrets and rows. What libraries log becomes a line of the same form, scrubbed.
"""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any, Final, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from podtune.core.clock import Clock, Monotonic, monotonic, random_word, utc_now
from podtune.core.redact import scrub

ID_LENGTH: Final = 20
"""Letters of an id that is made here: nobody guesses another's request."""
_SAFE_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._\-]{7,63}", re.ASCII)
_JOB: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._\-]{0,63}", re.ASCII)
HOSTED: Final = "/v1"
"""Where the hosted fine-tuning API is."""
CHATTY: Final = (
    "httpx",
    "httpx2",
    "httpcore",
    "httpcore2",
    "huggingface_hub",
    "urllib3",
    "uvicorn.access",
    "uvicorn.error",
    "alembic",
)
"""Libraries that log every request with its address, and a signed address is a secret, or every step of theirs."""
METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
TEXT_SHOWN: Final = 4000
"""Characters of one value in a line; a stack is longer only where it repeats itself."""

RequestLog = structlog.stdlib.BoundLogger


def request_id(told: str | None) -> str:
    """The caller's own id of a request where it is safe to repeat, else a new one.

    >>> request_id("trace-0123456789")
    'trace-0123456789'
    >>> request_id("<script>") != "<script>", len(request_id(None))
    (True, 20)
    """
    if told is not None and _SAFE_ID.fullmatch(told) and scrub(told) == told:
        return told
    return random_word(ID_LENGTH)


def configure(
    level: int = logging.INFO, *, stream: TextIO | None = None, clock: Clock = utc_now
) -> None:
    """Have this process log JSON lines, to stderr by default: ours and every library's."""
    shared = _shared(clock)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                _scrub,
                structlog.processors.JSONRenderer(ensure_ascii=False),
            ],
        )
    )
    root = logging.getLogger()
    for old in list(root.handlers):
        if isinstance(old.formatter, structlog.stdlib.ProcessorFormatter):
            root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level)
    for name in CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)


def log() -> RequestLog:
    """The gateway's own log."""
    made: RequestLog = structlog.stdlib.get_logger("podtune.gateway")
    return made


def _shared(clock: Clock) -> list[Processor]:
    def stamp(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
        event["time"] = clock().isoformat(timespec="milliseconds")
        return event

    return [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.PositionalArgumentsFormatter(),
        stamp,
    ]


def _scrub(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """Blot out what looks like a secret, in every text of a line."""
    for name, value in list(event.items()):
        if isinstance(value, str):
            event[name] = scrub(value)[:TEXT_SHOWN]
        elif not isinstance(value, int | float | bool | None):
            event[name] = scrub(str(value))[:TEXT_SHOWN]
    return event


class Timed:
    """How long a request took, and what is told of it when it is over."""

    def __init__(self, scope: MutableMapping[str, Any], *, elapsed: Monotonic = monotonic) -> None:
        """It begins now."""
        self._scope, self._elapsed = scope, elapsed
        self._began = elapsed()
        self.status = 0

    @property
    def seconds(self) -> float:
        """Since it began."""
        return self._elapsed() - self._began

    @property
    def route(self) -> str:
        """The template of the route that answered; `unknown` where none did, since anybody may ask for anything."""
        route = str(getattr(self._scope.get("route"), "path", "unknown"))
        # FastAPI 0.165 tells the path inside its router, without the prefix it is included under.
        asked = str(self._scope.get("path", ""))
        is_inside = asked.startswith(f"{HOSTED}/") and route.startswith("/")
        return f"{HOSTED}{route}" if is_inside and not route.startswith(HOSTED) else route

    @property
    def method(self) -> str:
        """GET, POST ...; `other` for what is no method: anybody may say anything."""
        told = str(self._scope["method"])
        return told if told in METHODS else "other"

    def fields(self) -> dict[str, object]:
        """What a log line says."""
        state: MutableMapping[str, Any] = self._scope.get("state", {})
        parameters: MutableMapping[str, Any] = self._scope.get("path_params", {})
        job = state.get("job_id") or parameters.get("job_id")
        told = {
            "request_id": state.get("request_id"),
            "method": self.method,
            "route": self.route,
            "status": self.status,
            "ms": round(self.seconds * 1000, 1),
            "key_id": state.get("key_id"),
            "job_id": job if isinstance(job, str) and _JOB.fullmatch(job) else None,
        }
        return {name: value for name, value in told.items() if value is not None}
