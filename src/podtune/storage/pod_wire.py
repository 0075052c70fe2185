"""HTTP with a rented machine's port: one request, one answer, one of our errors.

While the machine boots, the vendor's proxy answers in its stead; only answers that carry the
machine's own mark are its word. Everything that comes is bounded. Redirects are not followed, and
the token stands in a header, never in an address or an error.
"""

from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import urlsplit

import podtune
from podtune.core import addresses
from podtune.core.clock import Monotonic, monotonic
from podtune.core.errors import (
    ArtifactError,
    ConflictError,
    NotFoundError,
    PodtuneError,
    ProviderError,
    UnavailableError,
)

if TYPE_CHECKING:
    import httpx2
    from pydantic import SecretStr

USER_AGENT: Final = f"podtune/{podtune.__version__}"
"""Cloudflare refuses clients without a name of their own (runpod.md 1.1, 2026-11-22)."""

MARK: Final = "x-podtune"
"""Header of every answer that the machine itself gave."""

CONNECT_S: Final = 10.0
READ_S: Final = 60.0
"""For the next bytes; the vendor's proxy ends a request after 100 s (runpod.md 3, 2026-11-22)."""

WHOLE_S: Final = 120.0
"""For a whole request or answer, which takes 15 s where the line is as expected (`pod_files`). One that
drips must not hold up the end of its machine."""

MAX_ANSWER: Final = 8 * 2**20
"""Bytes of an answer that is read into memory; events and log come in pieces of 4 MiB."""


class Piece(NamedTuple):
    """An answer in memory."""

    body: bytes
    headers: Mapping[str, str]


class PodWire:
    """One machine's port."""

    def __init__(
        self,
        url: str,
        token: "SecretStr",
        *,
        transport: "httpx2.BaseTransport | None" = None,
        clock: Monotonic = monotonic,
    ) -> None:
        """Nothing is sent yet; `clock` gives monotonic seconds.

        Raises:
            SpecError: http to another machine than this one.
        """
        import httpx2

        self._url = addresses.checked(url, "the machine's port")
        self._clock = clock
        self._client = httpx2.Client(
            transport=transport,
            timeout=httpx2.Timeout(READ_S, connect=CONNECT_S),
            follow_redirects=False,
            # a proxy of the environment is for the world: what is asked of this machine stays here
            trust_env=not addresses.is_loopback(urlsplit(self._url).hostname or ""),
            headers={
                # compressed, a few bytes could become gigabytes here
                "Accept-Encoding": "identity",
                "User-Agent": USER_AGENT,
                "Authorization": f"Bearer {token.get_secret_value()}",
            },
        )

    def close(self) -> None:
        """Close connections."""
        self._client.close()

    def ask(
        self,
        method: str,
        path: str,
        *,
        content: bytes | Iterator[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Piece:
        """One request with an answer that fits into memory.

        Raises:
            UnavailableError: nobody answers there yet, or for the moment.
            PodtuneError: as the machine says.
        """
        with self.stream(method, path, content=content, headers=headers) as answer:
            blocks: list[bytes] = []
            size = 0
            for block in self.blocks(answer):
                size += len(block)
                if size > MAX_ANSWER:
                    raise ProviderError(
                        f"the machine's answer to {path} is over {MAX_ANSWER} bytes",
                        code="pod_answer",
                    )
                blocks.append(block)
            return Piece(b"".join(blocks), dict(answer.headers))

    @contextmanager
    def stream(
        self,
        method: str,
        path: str,
        *,
        content: bytes | Iterator[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> "Generator[httpx2.Response]":
        """One request whose answer is read by the caller; errors as of `ask`."""
        import httpx2

        try:
            with self._client.stream(
                method, f"{self._url}/{path}", content=content, headers=dict(headers or {})
            ) as answer:
                if answer.headers.get("content-encoding", "identity") != "identity":
                    raise UnavailableError(
                        "the machine's port answers in a form that was not asked for",
                        code="pod_answer",
                    )
                if answer.is_success and MARK in answer.headers:
                    yield answer
                    return
                raise self._refusal(answer, path)
        except (httpx2.TransportError, httpx2.StreamError) as error:
            raise UnavailableError(
                f"the machine's port does not answer ({type(error).__name__})",
                code="pod_unreachable",
            ) from error

    def blocks(self, answer: "httpx2.Response") -> Iterator[bytes]:
        """The bytes of an answer as they come, within `WHOLE_S`.

        Raises:
            UnavailableError: it takes longer.
        """
        return self.in_time(answer.iter_bytes())

    def in_time(self, blocks: Iterator[bytes]) -> Iterator[bytes]:
        """Blocks that are sent or read, within `WHOLE_S` from the first one on.

        Raises:
            UnavailableError: they take longer.
        """
        until = self._clock() + WHOLE_S
        for block in blocks:
            if self._clock() > until:
                raise UnavailableError(
                    f"the machine's port took over {WHOLE_S:.0f} s for one request",
                    code="pod_unreachable",
                )
            yield block

    def _refusal(self, answer: "httpx2.Response", path: str) -> PodtuneError:
        if MARK not in answer.headers:
            return UnavailableError(
                f"the machine's port is not there yet (the proxy at {urlsplit(self._url).hostname} "
                f"answers {answer.status_code})",
                code="pod_unreachable",
            )
        said = _said(self.blocks(answer))
        reason = str(said.get("reason", ""))[:300] or f"status {answer.status_code}"
        return _typed(answer.status_code, reason, said, path.partition("?")[0])


def _said(blocks: Iterator[bytes]) -> Mapping[str, object]:
    import json

    body = b""
    for block in blocks:
        body += block
        if len(body) > 64 * 1024:
            return {}
    try:
        value: object = json.loads(body)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}  # pyright: ignore[reportUnknownVariableType]


def _typed(status: int, reason: str, said: Mapping[str, object], path: str) -> PodtuneError:
    """The machine's own refusal as one of our errors."""
    words = f"the machine refuses {path}: {reason}"
    if status == 401:
        return ProviderError(
            words,
            code="pod_refused_token",
            hint="it was started by somebody else; `podtune cancel JOB` ends it",
        )
    if status == 404:
        return NotFoundError(words)
    if status == 409:
        kind = said.get("kind")
        return ConflictError(
            words,
            code=f"pod_{kind}" if kind in ("begun", "another", "busy") else "pod_conflict",
            context={"received": said["received"]} if "received" in said else None,
        )
    if status == 422:
        return ArtifactError(words, code="bundle_damaged")
    if status >= 500:
        return UnavailableError(words, code="pod_failed")
    return ProviderError(words, code="pod_answer")
