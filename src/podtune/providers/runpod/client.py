"""RunPod's control plane over HTTP: one client, and nothing of what the calls mean.

    client = RunPodClient(access)
    listed = client.get("/pods", PodList)

Reads and DELETE are repeated with growing pauses; a request that creates is sent once. Whatever goes
wrong becomes one of our errors here, without the key and without more of the answer than RunPod's own
words. Safe for several threads.
"""

import random
import re
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Final, Protocol, Self, TypeVar

import httpx2
import msgspec
from pydantic import BaseModel

from podtune.core.clock import Monotonic, Sleep, monotonic, sleep
from podtune.core.errors import (
    DoubtfulError,
    NotFoundError,
    UnavailableError,
)
from podtune.providers.runpod import answers
from podtune.providers.runpod.access import RunPodAccess
from podtune.providers.runpod.sending import CREATE_S, TRIES, NotSentError, Received, Sender

_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")

MOST_PAGES: Final = 200
"""Of one list; more is taken for a list that does not end."""

Answer = TypeVar("Answer")


class Page(Protocol):
    """An answer that may be one page of several."""

    @property
    def next_cursor(self) -> str | None:
        """Where the next one begins; None at the end."""
        ...


PageAnswer = TypeVar("PageAnswer", bound=Page)


Transport = httpx2.BaseTransport
"""What carries requests; tests put another in the network's place."""


class RunPodClient:
    """Speaks REST v2 and the little GraphQL that is still needed, for one account."""

    def __init__(
        self,
        access: RunPodAccess,
        *,
        transport: Transport | None = None,
        sleep: Sleep = sleep,
        clock: Monotonic = monotonic,
        chance: random.Random | None = None,
    ) -> None:
        """`clock` gives monotonic seconds; `transport`, `sleep` and `chance` are for tests.

        Raises:
            CredentialsError: there is no key.
        """
        self._access = access
        self._sender = Sender(access, transport, sleep, clock, chance)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def access(self) -> RunPodAccess:
        """Which account, and where."""
        return self._access

    @property
    def told_at(self) -> datetime | None:
        """RunPod's own time, as its last answer gave it; None where none did."""
        return self._sender.told_at

    def close(self) -> None:
        """Close the connections."""
        self._sender.close()

    def get(self, path: str, form: type[Answer], query: Mapping[str, str] | None = None) -> Answer:
        """Read something.

        Args:
            path: Below the base address, such as `/pods`.
            form: msgspec struct of the answer; fields it does not name are ignored.
            query: Parameters; never the key.

        Raises:
            NotFoundError: RunPod does not know it.
            UnavailableError: it did not answer as it should, several times.
            PodtuneError: another refusal, see `answers`.
        """
        url = f"{self._access.rest_url}{path}"
        received = self._sender.patiently("GET", path, url, query=query)
        return _decoded(received.body, form, f"GET {path}")

    def pages(
        self, path: str, form: type[PageAnswer], query: Mapping[str, str] | None = None
    ) -> list[PageAnswer]:
        """Read a list whole, page by page: what is absent from it is absent.

        Raises:
            UnavailableError: it does not end, or a page is missing.
            PodtuneError: see `get`.
        """
        found, cursors = list[PageAnswer](), set[str]()
        asked = dict(query or {})
        while True:
            page = self.get(path, form, asked)
            found.append(page)
            cursor = page.next_cursor
            if not cursor:
                return found
            if cursor in cursors or len(found) >= MOST_PAGES:
                raise UnavailableError(f"RunPod's list {path} does not end", code="vendor_answer")
            cursors.add(cursor)
            asked["cursor"] = cursor

    def delete(self, path: str) -> None:
        """Delete something; the answer to success is empty.

        Raises:
            NotFoundError: RunPod does not know it, or not yet.
            PodtuneError: see `get`.
        """
        self._sender.patiently("DELETE", path, f"{self._access.rest_url}{path}")

    def change(self, path: str, body: BaseModel, form: type[Answer]) -> Answer:
        """Set some fields of something (PATCH). Twice the same is as good as once, so it is repeated as reads are.

        Raises:
            NotFoundError: RunPod does not know it.
            PodtuneError: see `get`.
        """
        url = f"{self._access.rest_url}{path}"
        content = body.model_dump_json(by_alias=True, exclude_unset=True).encode()
        received = self._sender.patiently("PATCH", path, url, content=content)
        return _decoded(received.body, form, f"PATCH {path}")

    def remove(self, path: str) -> None:
        """Delete something; gone already is success.

        Raises:
            PodtuneError: see `get`.
        """
        try:
            self.delete(path)
        except NotFoundError:
            return

    def create(self, path: str, body: BaseModel, form: type[Answer]) -> Answer:
        """Order something that may cost money. Sent once, but for answers that say "not now" (429).

        Raises:
            DoubtfulError: it may exist: the answer was lost, a fault of theirs, or unreadable.
            NoCapacityError, BalanceError, SpecError, CredentialsError: it was refused; nothing exists.
            UnavailableError: RunPod was not reached or takes no requests now; nothing exists.
        """
        call = f"POST {path}"
        url = f"{self._access.rest_url}{path}"
        content = body.model_dump_json(by_alias=True, exclude_none=True).encode()
        received = self._ordered(call, url, content)
        for attempt in range(TRIES - 1):
            wait = answers.retry_after_s(received.headers)
            if received.status != 429 or not self._sender.wait_out(wait, attempt):
                break
            received = self._ordered(call, url, content)
        if not received.is_success:
            raise self._sender.refused(call, received, creates=True)
        try:
            return _decoded(received.body, form, call)
        except UnavailableError as error:
            raise DoubtfulError(
                f"RunPod took the order ({received.status}) and its answer cannot be read",
                hint="nothing to do: podtune looks for it by its name",
            ) from error

    def graphql(self, query: str, form: type[Answer]) -> Answer:
        """Read by GraphQL, which answers 200 to everything and names faults in `errors`.

        Raises:
            PodtuneError: see `get`.
        """
        content = msgspec.json.encode({"query": query})
        url = self._access.graphql_url
        received = self._sender.patiently("POST", "/graphql", url, content=content)
        return _decoded(received.body, form, "POST /graphql")

    @contextmanager
    def stream(
        self, path: str, query: Mapping[str, str], headers: Mapping[str, str], read_s: float
    ) -> Generator[httpx2.Response, None, None]:
        """Open an answer that does not end by itself; `read_s` bounds the wait for each piece.

        Raises:
            UnavailableError: it cannot be opened.
            PodtuneError: another refusal, see `answers`.
        """
        url = f"{self._access.rest_url}{path}"
        with self._sender.opened(f"GET {path}", url, query, headers, read_s) as response:
            yield response

    def _ordered(self, call: str, url: str, content: bytes) -> Received:
        try:
            return self._sender.once(call, "POST", url, content=content, timeout=CREATE_S)
        except NotSentError:
            raise
        except UnavailableError as error:
            raise DoubtfulError(
                f"RunPod's answer to {call} was lost: the machine may exist all the same",
                hint="nothing to do: podtune looks for it by its name",
            ) from error


def is_pod_id(text: str) -> bool:
    """Whether a text may be a pod's id."""
    return _ID.fullmatch(text) is not None


def pod_path(pod_id: str) -> str:
    """Where a pod is, below the base address.

    Raises:
        NotFoundError: no pod has such an id; nothing of it gets into an address.
    """
    return path_to("/pods", pod_id, "a pod")


def path_to(collection: str, given: str, what: str) -> str:
    """Where one thing of a collection is, below the base address.

    Args:
        collection: Path of the list, such as `/templates`.
        given: An id.
        what: Of what kind it is, with its article.

    Raises:
        NotFoundError: nothing has such an id; nothing of it gets into an address.
    """
    if not is_pod_id(given):
        raise NotFoundError(f"{given[:80]!r} is no id of {what}")
    return f"{collection}/{given}"


def _decoded(body: bytes, form: type[Answer], call: str) -> Answer:
    try:
        return msgspec.json.decode(body, type=form)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        where = str(error) if isinstance(error, msgspec.ValidationError) else "no JSON"
        raise UnavailableError(
            f"RunPod's answer to {call} is not what it documents: {where}",
            code="vendor_answer",
            hint="try again; where it stays so, RunPod has changed: report it",
        ) from None
