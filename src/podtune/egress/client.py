"""Downloads from strangers and messages to them: every hop checked, every byte counted, in bounded time.

    Egress(policy).download("https://files.example.org/rows.jsonl", folder / "rows.jsonl")
    Egress(policy).post("https://app.example.org/hook", b"{}", [("Content-Type", "application/json")])

A body is never decoded here: identity is asked for, and where a server compresses all the same, the
bytes stay as they came and `Downloaded.encoding` says how. Unpacking, with its own bounds, is done
in one place, by the reader of data. Statuses and broken connections become errors with a next step;
no error holds more of an address than scheme, host and path.
"""

import hashlib
import ssl
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import parse_qsl, urljoin

import httpcore2

from podtune.core.clock import Monotonic, monotonic
from podtune.core.errors import (
    NotFoundError,
    PodtuneError,
    RequestError,
    StateError,
    UnsupportedError,
)
from podtune.core.units import gib
from podtune.egress import connection
from podtune.egress.addresses import Policy, Target, blocked, check_answers, parse
from podtune.egress.connection import Content, Deadline, DeadlinePassedError, Limits, Resolver

MAX_REDIRECTS: Final = 3
"""For data; whatever else is asked for follows none."""

OnProgress = Callable[[int, int | None], None]
"""Called with bytes done and bytes in all, None while the server has not said."""

_REDIRECTS: Final = (301, 302, 303, 307, 308)
_SIGNATURES: Final = frozenset(
    # AWS, Google Cloud, CloudFront, Azure, Supabase and others
    ("x-amz-signature", "x-goog-signature", "signature", "sig", "token", "key-pair-id")
)
_ENCODINGS: Final = {
    "": None,
    "identity": None,
    "aws-chunked": None,  # how S3 was written to; some stores repeat it
    "gzip": "gzip",
    "x-gzip": "gzip",
    "zstd": "zstd",
}


class FetchFailedError(RequestError):
    """The server or the way there failed; the same request may succeed later."""

    code = "fetch_failed"
    retryable = True


class Downloaded(NamedTuple):
    """A file that came whole."""

    path: Path
    size_bytes: int
    sha256: str
    """Of the bytes as they came."""
    encoding: str | None
    """`gzip` or `zstd` where the server compressed what it sent; None as a rule."""
    media_type: str
    """What the server calls it, lower case, without parameters; a hint at best."""
    last: Target
    """Where it came from, after redirects."""


class Answered(NamedTuple):
    """What a receiver said to a message."""

    status: int
    retry_after: str
    """The header of that name; "" without one."""
    etag: str = ""
    """What a store names the object it took; "" without one."""


class Egress:
    """Fetches and sends under one policy. Holds no connection, cookie or credential between requests."""

    def __init__(
        self,
        policy: Policy,
        *,
        limits: Limits | None = None,
        resolve: Resolver = connection.system_resolver,
        clock: Monotonic = monotonic,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """Set up; nothing is opened.

        Args:
            policy: What the operator permits.
            limits: Bounds of size and time; 2 GiB and an hour when not given.
            resolve: Asked exactly once for every hop whose host is a name.
            clock: Monotonic seconds.
            tls: Whose certificates are trusted; the system's when not given.
        """
        self.policy = policy
        self._limits = limits or Limits()
        self._resolve = resolve
        self._clock = clock
        self._tls = tls

    def download(
        self,
        url: str,
        to: Path,
        *,
        redirects: int = 0,
        on_progress: OnProgress | None = None,
    ) -> Downloaded:
        """GET an address into a file. A failure leaves nothing behind.

        Args:
            url: From a user; signed perhaps.
            to: The file; `<name>.part` beside it until it is whole.
            redirects: How many may be followed, each checked like the first.
            on_progress: Called as bytes come.

        Raises:
            SpecError: `url_blocked`.
            NotFoundError: `url_not_found`.
            RequestError: `url_expired`, `url_refused`, `bad_certificate`, `too_many_redirects`.
            UnsupportedError: `file_too_large`, `content_encoding`.
            FetchFailedError: the network, the server, or its slowness.
            StateError: `cannot_write`.
        """
        deadline = Deadline(self._clock, self._limits.total_s)
        target = parse(url, self.policy)
        for _ in range(redirects + 1):
            with self._answer(target, deadline) as response:
                if response.status not in _REDIRECTS:
                    _check_status(target, response.status)
                    return self._save(target, response, to, on_progress)
                target = self._redirected(target, _header(response, "location"))
        raise RequestError(
            f"the address leads on to {target.shown} after {redirects} redirects",
            code="too_many_redirects",
            hint="give the address it leads to in the end",
        )

    def post(self, url: str, data: bytes, headers: Sequence[tuple[str, str]]) -> Answered:
        """POST a message once. Redirects are not followed, and the answer's body is not read.

        Args:
            url: From a user.
            data: The body.
            headers: What it is, and who says so; never a credential of ours.

        Raises:
            SpecError: `url_blocked`.
            RequestError: `bad_certificate`.
            FetchFailedError: the network, or the receiver's slowness; it may have arrived all the same.
        """
        deadline = Deadline(self._clock, self._limits.total_s)
        target = parse(url, self.policy)
        with self._answer(target, deadline, Content(data, headers)) as response:
            return Answered(response.status, _header(response, "retry-after"))

    def put(
        self,
        url: str,
        file: Path,
        headers: Sequence[tuple[str, str]],
        on_progress: OnProgress | None = None,
    ) -> Answered:
        """PUT a file to an address once. Redirects are not followed, and the answer's body is not read.

        Args:
            url: From a user; signed as a rule.
            file: Streamed, in flat memory.
            headers: What it is, and what the signature asks for.
            on_progress: Called as bytes go.

        Raises:
            SpecError: `url_blocked`.
            RequestError: `bad_certificate`.
            FetchFailedError: the network, or the receiver's slowness; it may have arrived all the same.
            OSError: the file cannot be read.
        """
        deadline = Deadline(self._clock, self._limits.total_s)
        target = parse(url, self.policy)
        size = file.stat().st_size
        content = Content(_pieces(file, size, on_progress), headers, size)
        with self._answer(target, deadline, content, "PUT") as response:
            return Answered(
                response.status, _header(response, "retry-after"), _header(response, "etag")
            )

    @contextmanager
    def _answer(
        self,
        target: Target,
        deadline: Deadline,
        content: Content | None = None,
        method: str | None = None,
    ) -> Generator[httpcore2.Response]:
        """One hop: resolve, check, connect, ask; a POST where there is something to say."""
        answers = [str(target.literal)] if target.literal else self._resolved(target)
        addresses = check_answers(target, answers, self.policy)
        self._tls = self._tls or httpcore2.default_ssl_context()
        with (
            _as_ours(target, self._limits),
            connection.request(
                method or ("POST" if content else "GET"),
                target,
                addresses,
                deadline,
                tls=self._tls,
                limits=self._limits,
                content=content,
            ) as response,
        ):
            yield response

    def _resolved(self, target: Target) -> list[str]:
        try:
            answers = list(self._resolve(target.host, target.port))
        except OSError as error:
            raise _unknown_host(target) from error
        if not answers:
            raise _unknown_host(target)
        return answers

    def _redirected(self, target: Target, location: str) -> Target:
        """The next hop, checked from the start."""
        here = f"{target.scheme}://{target.authority}{target.request}"
        if not location:
            raise RequestError(f"{target.shown} redirects to nowhere", code="too_many_redirects")
        try:
            following = urljoin(here, location)
        except ValueError as error:
            raise blocked(f"{target.shown} redirects to what is no address", "") from error
        found = parse(following, self.policy)
        if target.scheme == "https" and found.scheme != "https":
            raise blocked(
                f"{target.shown} redirects from https to {found.scheme}",
                "give an address that stays on https",
            )
        return found

    def _save(
        self,
        target: Target,
        response: httpcore2.Response,
        to: Path,
        on_progress: OnProgress | None,
    ) -> Downloaded:
        """Stream the body into the file."""
        most = self._limits.wire_bytes
        encoding = _encoding(target, response)
        length = _header(response, "content-length")
        whole = int(length) if length.isdecimal() else None
        if whole is not None and whole > most:
            raise _too_large(target, most)
        part = to.with_name(f"{to.name}.part")
        digest, done = hashlib.sha256(), 0
        try:
            with part.open("wb") as file:
                for chunk in response.iter_stream():
                    done += len(chunk)
                    if done > most:
                        raise _too_large(target, most)
                    digest.update(chunk)
                    file.write(chunk)
                    if on_progress is not None:
                        on_progress(done, whole)
            part.replace(to)
        except OSError as error:
            raise StateError(
                f"cannot write {str(to)!r}: {error.strerror}",
                code="cannot_write",
                hint="check the free space and the rights of the folder",
            ) from error
        finally:
            part.unlink(missing_ok=True)
        kind = _header(response, "content-type").split(";")[0].strip().lower()
        return Downloaded(to, done, digest.hexdigest(), encoding, kind, target)


@contextmanager
def _as_ours(target: Target, limits: Limits) -> Generator[None]:
    """Faults of the connection in our words."""
    try:
        yield
    except DeadlinePassedError as error:
        raise FetchFailedError(
            f"{target.shown} took more than {limits.total_s:g} seconds",
            hint="try again, or fetch the file yourself and give its path",
        ) from error
    except httpcore2.TimeoutException as error:
        raise FetchFailedError(
            f"{target.shown} gave no answer in time", hint="try again later"
        ) from error
    except httpcore2.ConnectError as error:
        causes = (error.__cause__, *error.args)  # the pool drops __cause__; args keep the original
        refused = [c for c in causes if isinstance(c, ssl.SSLCertVerificationError)]
        if refused:
            raise RequestError(
                f"the certificate of {target.host!r} is refused: {refused[0].verify_message}",
                code="bad_certificate",
                hint="check the host name; a private authority is named by SSL_CERT_FILE",
            ) from error
        raise FetchFailedError(
            f"cannot connect to {target.shown}", hint="check the address and the network"
        ) from error
    except (httpcore2.NetworkError, httpcore2.ProtocolError) as error:
        raise FetchFailedError(
            f"the connection to {target.shown} broke off", hint="try again"
        ) from error


def _check_status(target: Target, status: int) -> None:
    """Let 200 pass."""
    if status == 200:
        return
    answers = f"{target.shown} answers {status}"
    if status in (400, 401, 403) and _is_signed(target.query):
        raise RequestError(
            f"{answers}: the signed address has expired or is refused",
            code="url_expired",
            hint="make a new signed address and submit again",
        )
    if status in (404, 410):
        raise NotFoundError(
            f"{answers}: no such file", code="url_not_found", hint="check the address"
        )
    if status in (408, 425, 429) or status >= 500:
        raise FetchFailedError(answers, hint="the server is busy or broken; try again later")
    hint = "check the address"
    if status in (401, 403):
        hint = "the file is not public: use a signed address, or s3:// or hf:// with credentials"
    raise RequestError(answers, code="url_refused", hint=hint)


def _is_signed(query: str) -> bool:
    return any(key.lower() in _SIGNATURES for key, _ in parse_qsl(query, keep_blank_values=True))


def _pieces(file: Path, size: int, on_progress: OnProgress | None) -> Generator[bytes]:
    """A file in pieces of a MiB."""
    done = 0
    with file.open("rb") as stream:
        while piece := stream.read(2**20):
            yield piece
            done += len(piece)
            if on_progress is not None:
                on_progress(done, size)


def _encoding(target: Target, response: httpcore2.Response) -> str | None:
    stated = _header(response, "content-encoding").strip().lower()
    if stated not in _ENCODINGS:
        raise UnsupportedError(
            f"{target.shown} sends its answer encoded as {stated[:40]!r}",
            code="content_encoding",
            hint="fetch the file yourself and give its path",
        )
    return _ENCODINGS[stated]


def _header(response: httpcore2.Response, name: str) -> str:
    """A header's value, "" when it is missing; several are joined as HTTP says."""
    values = [
        v.decode("latin-1") for k, v in response.headers if k.decode("latin-1").lower() == name
    ]
    return ", ".join(values)


def _too_large(target: Target, most: int) -> PodtuneError:
    return UnsupportedError(
        f"{target.shown} has more than {gib(most)}",
        code="file_too_large",
        hint="split the file",
    )


def _unknown_host(target: Target) -> FetchFailedError:
    return FetchFailedError(
        f"no address is known for the host {target.host!r}",
        hint="check the spelling and the network",
    )
