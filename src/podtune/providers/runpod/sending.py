"""One request to RunPod and its answer, within bounds of time, size and number; and what breaks on the way.

What the answers mean is not known here. Nothing of a request's headers gets into an error.
"""

import random
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

import httpx2

import podtune
from podtune.core.addresses import is_loopback
from podtune.core.clock import Monotonic, Sleep, jitter, monotonic, sleep
from podtune.core.errors import PodtuneError, ProviderError, UnavailableError
from podtune.providers.runpod import answers
from podtune.providers.runpod.access import RunPodAccess
from podtune.providers.runpod.pacing import Pace

USER_AGENT: Final = f"podtune/{podtune.__version__}"
"""Cloudflare refuses clients without a name of their own (error 1010)."""

CONNECT_S: Final = 10.0
"""To reach RunPod at all."""
READ_S: Final = 30.0
"""Between two pieces of an answer; lists of thousands of pods come in a few seconds."""
CREATE_S: Final = 60.0
"""A create places the pod before it answers (RunPod's own sample, 2026-08: 60 s)."""
WHOLE_ANSWER_S: Final = 120.0
"""For all of an answer: one that drips for ever ends here."""
LARGEST_ANSWER: Final = 32 * 1024 * 1024
"""Bytes; 5,000 pods with their environments are about 10 MB."""

TRIES: Final = 4
"""Of requests that create nothing."""
FIRST_PAUSE_S: Final = 0.5
"""Doubled with each try, times 0.5 to 1.0 by chance."""
LONGEST_RETRY_AFTER_S: Final = 30.0
"""A longer pause is left to the caller, who has other jobs to look after."""

_NOT_SENT: Final = (
    httpx2.ConnectError,
    httpx2.ConnectTimeout,
    httpx2.PoolTimeout,
    httpx2.ProxyError,
)
"""Failures before a byte of the request reached RunPod."""

_REPEATED: Final = frozenset({429, 500, 502, 503, 504, 520, 521, 522, 523, 524})
"""Statuses that may pass by themselves (52x are Cloudflare's)."""


class NotSentError(UnavailableError):
    """RunPod was not reached, so nothing can have been done there."""


class Received(NamedTuple):
    """An answer, read whole."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def is_success(self) -> bool:
        """Whether it did what was asked."""
        return 200 <= self.status < 300


class Sender:
    """Sends for one account. Safe for several threads."""

    def __init__(
        self,
        access: RunPodAccess,
        transport: httpx2.BaseTransport | None = None,
        sleep: Sleep = sleep,
        clock: Monotonic = monotonic,
        chance: random.Random | None = None,
    ) -> None:
        """`clock` gives monotonic seconds.

        Raises:
            CredentialsError: there is no key.
        """
        self._key = access.key()
        self._sleep = sleep
        self._clock = clock
        self._chance = chance or jitter()
        self._pace = Pace(clock)
        self.told_at: datetime | None = None
        """The moment that the last answer names as its own (`Date`)."""
        self._http = httpx2.Client(
            transport=transport,
            headers={"User-Agent": USER_AGENT, "Accept": "application/json"},
            timeout=httpx2.Timeout(READ_S, connect=CONNECT_S),
            follow_redirects=False,
            # a proxy of the environment is for the world: what is asked of this machine stays here
            trust_env=not is_loopback(urlsplit(access.rest_url).hostname or ""),
        )

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def patiently(self, method: str, path: str, url: str, **parts: Any) -> Received:
        """Send what creates nothing, again and again within bounds."""
        call = f"{method} {path}"
        problem: PodtuneError = UnavailableError(f"RunPod did not answer {call}")
        for attempt in range(TRIES):
            wait = None
            try:
                received = self.once(call, method, url, **parts)
            except UnavailableError as error:
                problem = error
            else:
                if received.is_success:
                    return received
                problem = self.refused(call, received)
                if received.status not in _REPEATED:
                    raise problem
                wait = answers.retry_after_s(received.headers)
            if attempt == TRIES - 1 or not self.wait_out(wait, attempt):
                break
        raise problem

    def once(self, call: str, method: str, url: str, **parts: Any) -> Received:
        """One request and its whole answer.

        Raises:
            UnavailableError: no answer came; `NotSentError` where nothing can have been done.
        """
        self._sleep_if(self._pace.pause_s())
        query, timeout = parts.pop("query", None), parts.pop("timeout", READ_S)
        headers = self._bearer()
        if "content" in parts:
            headers["Content-Type"] = "application/json"
        with self._foreign_errors(call):
            request = self._http.build_request(
                method,
                url,
                params=query,
                headers=headers,
                timeout=httpx2.Timeout(timeout, connect=CONNECT_S),
                **parts,
            )
            response = self._http.send(request, stream=True)
            try:
                body = self._read(response)
            finally:
                response.close()
        self._pace.note(response.headers.get("ratelimit"))
        self.told_at = _moment(response.headers.get("date")) or self.told_at
        return Received(response.status_code, response.headers, body)

    def _read(self, response: httpx2.Response) -> bytes:
        deadline, pieces, size = self._clock() + WHOLE_ANSWER_S, list[bytes](), 0
        for piece in response.iter_bytes():
            size += len(piece)
            if size > LARGEST_ANSWER:
                raise UnavailableError(
                    f"RunPod's answer is larger than {LARGEST_ANSWER >> 20} MiB",
                    code="vendor_answer",
                )
            if self._clock() > deadline:
                raise UnavailableError(f"RunPod's answer took more than {WHOLE_ANSWER_S:.0f} s")
            pieces.append(piece)
        return b"".join(pieces)

    @contextmanager
    def _foreign_errors(self, call: str) -> Generator[None, None, None]:
        """Failures of the connection become ours; none of them holds an address or a header."""
        try:
            yield
        except _NOT_SENT as error:
            raise NotSentError(
                f"RunPod cannot be reached ({type(error).__name__}) for {call}",
                hint="check the network; RUNPOD_REST_BASE_URL says where RunPod is looked for",
            ) from None
        except httpx2.UnsupportedProtocol:
            raise ProviderError("RUNPOD_REST_BASE_URL is no http or https address") from None
        except (httpx2.HTTPError, httpx2.StreamError) as error:
            raise UnavailableError(
                f"the connection to RunPod broke at {call} ({type(error).__name__})",
                hint="try again",
            ) from None

    def refused(self, call: str, received: Received, *, creates: bool = False) -> PodtuneError:
        """The error that an answer is; without the key, should RunPod repeat it."""
        body = received.body.replace(self._key.encode(), b"***")
        return answers.error_of(
            answers.Refusal(call, received.status, received.headers, body, creates)
        )

    def wait_out(self, wait: float | None, attempt: int) -> bool:
        """Pause before the next try; False where the pause asked for is not ours to take."""
        if wait is not None and wait > LONGEST_RETRY_AFTER_S:
            return False
        pause = FIRST_PAUSE_S * 2**attempt * self._chance.uniform(0.5, 1.0)
        self._sleep_if(max(pause, wait or 0.0))
        return True

    def _sleep_if(self, seconds: float) -> None:
        if seconds > 0:
            self._sleep(seconds)

    def _bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._key}"}

    @contextmanager
    def opened(
        self,
        call: str,
        url: str,
        query: Mapping[str, str],
        headers: Mapping[str, str],
        read_s: float,
    ) -> Generator[httpx2.Response, None, None]:
        """An answer that does not end by itself; `read_s` bounds the wait for each piece.

        Raises:
            UnavailableError: it cannot be opened.
            PodtuneError: another refusal, see `answers`.
        """
        self._sleep_if(self._pace.pause_s())
        timeout = httpx2.Timeout(read_s, connect=CONNECT_S)
        with self._foreign_errors(call):
            request = self._http.build_request(
                "GET", url, params=query, headers={**self._bearer(), **headers}, timeout=timeout
            )
            response = self._http.send(request, stream=True)
        try:
            self._pace.note(response.headers.get("ratelimit"))
            if response.status_code != 200:
                with self._foreign_errors(call):
                    body = self._read(response)
                raise self.refused(call, Received(response.status_code, response.headers, body))
            yield response
        finally:
            response.close()


def _moment(text: str | None) -> datetime | None:
    """A `Date` header's moment; None where there is none that can be read, or it names no zone."""
    try:
        found = parsedate_to_datetime(text) if text else None
    except (ValueError, OverflowError):
        return None
    return found if found is not None and found.tzinfo else None
