"""The route table of the stand-in cloud: which function answers which request.

A part of the cloud (pods, catalogue, serverless queue) gives a list of `Route`s; `Cloud.mount` adds
them. Nothing here knows what a route does.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Final, NamedTuple

from podtune.testing.http import Request, Response

_PLACE: Final = re.compile(r"\{(\w+)(\.\.\.)?\}")


class Door(StrEnum):
    """What a request must show before a route hears of it."""

    REST = "rest"
    """Bearer key, a real User-Agent, rate limits; problems as `application/problem+json`."""
    GRAPHQL = "graphql"
    """A real User-Agent; the key is the route's own matter (errors come with status 200)."""
    OPEN = "open"
    """Nothing: the route looks itself (worker routes, the proxy, health)."""


class Caller(NamedTuple):
    """Whose key a request carries."""

    key: str
    """As sent, without `Bearer`."""
    pod_id: str | None = None
    """Set for a pod-scoped key: the pod it belongs to."""


class Call(NamedTuple):
    """A request that found its route."""

    request: Request
    params: Mapping[str, str]
    """What stood at the places of the pattern."""
    caller: Caller


Answer = Callable[[Call], Response]


class Route(NamedTuple):
    """One line of the table."""

    method: str
    """`*` for any."""
    pattern: str
    """`/v2/pods/{id}`; `{rest...}` at the end takes everything, slashes too."""
    answer: Answer
    name: str
    """What fault rules call it: `create_pod`."""
    door: Door = Door.REST
    is_locked: bool = True
    """Answered under the cloud's lock, after a tick; False for what may take long (the proxy)."""


class Match(NamedTuple):
    """The outcome of a look-up."""

    route: Route | None
    params: Mapping[str, str]
    allowed: tuple[str, ...]
    """Methods that the path does have, when none fits."""


class RouteTable:
    """Looks routes up; of several that fit, the first one mounted wins."""

    def __init__(self) -> None:
        self._routes: list[tuple[re.Pattern[str], Route]] = []

    def add(self, routes: Sequence[Route]) -> None:
        """Append lines to the table."""
        self._routes += [(compiled(route.pattern), route) for route in routes]

    def find(self, method: str, path: str) -> Match:
        """The route of a request."""
        allowed: list[str] = []
        for pattern, route in self._routes:
            found = pattern.fullmatch(path)
            if found and route.method in (method, "*"):
                return Match(route, found.groupdict(), ())
            if found:
                allowed.append(route.method)
        return Match(None, {}, tuple(dict.fromkeys(allowed)))


def compiled(pattern: str) -> re.Pattern[str]:
    """The regular expression of a pattern.

    >>> compiled("/proxy/{target}/{rest...}").fullmatch("/proxy/a-1/b/c").groupdict()
    {'target': 'a-1', 'rest': 'b/c'}
    """
    text, end = "", 0
    for place in _PLACE.finditer(pattern):
        text += re.escape(pattern[end : place.start()])
        text += f"(?P<{place[1]}>{'.*' if place[2] else '[^/]+'})"
        end = place.end()
    return re.compile(text + re.escape(pattern[end:]))
