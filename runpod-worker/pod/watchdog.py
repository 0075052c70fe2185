"""Ends the rented machine from within.

At its deadline, at its budget, when nobody came with work, when the work has gone silent, or when
all is done.

A process in a session of its own, started first, with the machine's own key; it is one of several
killers and relies on none of the others (reliability-security.md R5). It never gives up.
"""

import json
import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import orders as order_book
from lifetime import SKEW_S, Lifetime
from orders import Orders, say

BUSY = ("receiving", "installing", "checking", "training", "delivering")
"""Phases in which something has to move; in the others silence is patience."""

HUNG_TIMES = 2.0
"""The worker's own guard takes `silence_limit_s` at least, dumps stacks and starts once more."""

REST_URL = "https://api.runpod.io/v2"
GRAPHQL_URL = "https://api.runpod.io/graphql"
USER_AGENT = "podtune-pod/1"
"""Without one the vendor's edge answers 403 "error code: 1010" (runpod.md 1.1, 2026-11-22)."""

TIMEOUT_S = 20.0
PAUSES_S = (10.0, 20.0, 30.0, 60.0)
"""Between two rounds of asking to be ended; the last one again and again."""


class Watch:
    """Decides whether the machine has to end; looks at files, asks nobody."""

    def __init__(
        self,
        orders: Orders,
        lifetime: Lifetime,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Everything counts from now."""
        self._orders, self._lifetime, self._monotonic = orders, lifetime, monotonic
        self._beat: str | None = None
        self._beat_at = monotonic()
        self._progress: object = None
        self._progress_at = monotonic()

    def reason(self) -> str | None:
        """Why the machine has to end now; None while it may live."""
        asked = self._asked()
        if asked is not None:
            return asked
        if self._lifetime.deadline_left_s() + SKEW_S <= 0:
            return "the deadline has passed"
        if self._lifetime.money_left_s() <= 0:
            return f"the budget of {self._orders.max_usd} dollars is spent"
        return self._nobody_came() or self._silent()

    def _asked(self) -> str | None:
        try:
            text = (self._orders.watch / "end").read_text(encoding="utf-8")
        except OSError:
            return None
        return text.strip()[:200] or "it was asked to end"

    def _nobody_came(self) -> str | None:
        waited = self._lifetime.elapsed_s()
        if waited < self._orders.boot_limit_s or self._handed_over():
            return None
        return f"nobody handed work over within {self._orders.boot_limit_s:.0f} s"

    def _handed_over(self) -> bool:
        return (self._orders.watch / "handed-over").exists() or self._orders.begun.exists()

    def _silent(self) -> str | None:
        if not self._handed_over():
            return None
        now, limit = self._monotonic(), self._orders.silence_limit_s
        try:
            text = (self._orders.watch / "beat").read_text(encoding="utf-8")
            beat = json.loads(text)
        except (OSError, ValueError):
            text, beat = None, None
        if text is not None and text != self._beat:
            self._beat, self._beat_at = text, now
        if now - self._beat_at > limit:
            return f"no word of the supervisor for {limit:.0f} s"
        if not isinstance(beat, dict) or beat.get("phase") not in BUSY:
            self._progress_at = now
            return None
        if beat.get("progress") != self._progress:
            self._progress, self._progress_at = beat.get("progress"), now
        if now - self._progress_at > HUNG_TIMES * limit:
            return f"no progress while {beat['phase']} for {HUNG_TIMES * limit:.0f} s"
        return None


class Way(NamedTuple):
    """One way to end this machine."""

    name: str
    go: Callable[[], str]
    """Says what came of it; raises OSError or ValueError when it did not work."""


def ways(
    environment: Mapping[str, str],
    send: Callable[[str, str, dict[str, str], bytes | None], bytes],
    run: Callable[[Sequence[str]], str],
) -> list[Way]:
    """Every way there is, best first.

    Which of them a machine's own key opens is not documented (runpod.md sections 3 and 10), so
    each is tried.

    Args:
        environment: With the vendor's variables.
        send: Method, address, headers, body -> body of a 2xx answer.
        run: Runs a program.
    """
    pod, key = environment.get("RUNPOD_POD_ID", ""), environment.get("RUNPOD_API_KEY", "")
    rest = (environment.get("RUNPOD_REST_BASE_URL") or REST_URL).rstrip("/")
    graphql = environment.get("RUNPOD_API_BASE_URL") or GRAPHQL_URL
    headers = {"Authorization": f"Bearer {key}", "User-Agent": USER_AGENT}

    def delete() -> str:
        send("DELETE", f"{rest}/pods/{pod}", headers, None)
        return "accepted"

    def mutation(name: str, fields: str) -> Callable[[], str]:
        query = f"mutation ($pod: String!) {{ {name}(input: {{podId: $pod}}){fields} }}"
        body = json.dumps({"query": query, "variables": {"pod": pod}}).encode()

        def go() -> str:
            sent = {**headers, "Content-Type": "application/json"}
            answer = json.loads(send("POST", graphql, sent, body))
            if not isinstance(answer, dict) or answer.get("errors"):
                raise ValueError("refused")
            return "accepted"

        return go

    found = [
        Way("REST v2 DELETE", delete),
        Way("GraphQL podTerminate", mutation("podTerminate", "")),
        Way("GraphQL podStop", mutation("podStop", " { id }")),
    ]
    by_program = (("pod", "delete"), ("remove", "pod"), ("pod", "stop"), ("stop", "pod"))
    found += [
        Way(f"runpodctl {' '.join(verb)}", lambda verb=verb: run(("runpodctl", *verb, pod)))
        for verb in by_program
    ]
    return found if pod else []


def end(
    found: Sequence[Way],
    *,
    sleep: Callable[[float], None] = time.sleep,
    tell: Callable[[str], None] = say,
    rounds: int | None = None,
) -> None:
    """Ask to be ended in every way, again and again: success is that this process is gone.

    Args:
        found: Of `ways`.
        sleep: Between rounds.
        tell: Where it is said.
        rounds: For tests; None for ever.
    """
    done = 0
    while rounds is None or done < rounds:
        for way in found:
            try:
                tell(f"podtune: {way.name}: {way.go()}")
                break
            except (OSError, ValueError, subprocess.SubprocessError) as error:
                tell(f"podtune: {way.name}: {_why(error)}")
        else:
            tell("podtune: nothing here may end this machine; end it at the vendor's console")
        sleep(PAUSES_S[min(done, len(PAUSES_S) - 1)])
        done += 1
        # An accepted request that changed nothing is not tried first again.
        found = [*found[1:], *found[:1]]


def send(method: str, url: str, headers: dict[str, str], body: bytes | None) -> bytes:
    """One request with a time limit; never follows a redirect with the key."""
    request = urllib.request.Request(url, data=body, headers=headers, method=method)  # noqa: S310 - of the environment
    opener = urllib.request.build_opener(_NoRedirect)
    with opener.open(request, timeout=TIMEOUT_S) as answer:
        return answer.read(2**20)


def run(command: Sequence[str]) -> str:
    """Run a program of the image.

    Raises:
        OSError: it is not there, or failed.
    """
    program = shutil.which(command[0])
    if program is None:
        raise FileNotFoundError(f"{command[0]} is not in this image")
    done = subprocess.run(
        [program, *command[1:]], stdin=subprocess.DEVNULL, capture_output=True,
        timeout=60, check=False,
    )  # fmt: skip
    if done.returncode:
        raise OSError(f"ended with code {done.returncode}")
    return "accepted"


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        return None


def _why(error: Exception) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return f"refused ({error.code})"
    return f"{type(error).__name__}: {str(error)[:120]}"


def main() -> int:
    """Watch until there is a reason to end, then end."""
    environment = dict(os.environ)
    orders = order_book.read(environment)
    watch = Watch(orders, Lifetime(orders))
    while True:
        reason = watch.reason()
        if reason is not None:
            break
        time.sleep(orders.watch_interval_s)
    say(f"podtune: ending this machine: {reason}")
    end(ways(environment, send, run))
    return 0


if __name__ == "__main__":
    sys.exit(main())
