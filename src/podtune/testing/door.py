"""Who may come in: User-Agent, key, rate limit, and what is said to those who may not.

The order is the real one's as far as known: Cloudflare looks at the User-Agent first, v1 paths are
gone, then the route, the key, the limits (runpod.md 1.1).
"""

from collections.abc import Mapping
from email.utils import format_datetime
from itertools import count
from typing import Final, NamedTuple

from podtune.testing.account import Account
from podtune.testing.http import JSON, TITLES, Refused, Request, Response, encode, problem, refuse
from podtune.testing.rate_limits import RateLimiter
from podtune.testing.routes import Call, Caller, Door, Match

KEY_PREFIX: Final = "rpa_"
"""RunPod's API keys begin so (runpod.md 5, row 3)."""
GONE: Final = "REST API v1 was retired on 2026-11-15. Use https://api.runpod.io/v2."
BLOCKED: Final = b"<html><body><h1>Access denied</h1><p>error code: 1010</p></body></html>"
"""Cloudflare's answer to clients without a real User-Agent (runpod.md 1.1)."""
OWN_PREFIXES: Final = ("/proxy/", "/_stand_in/")
"""Paths that are not behind RunPod's front door."""


class Admission(NamedTuple):
    """A request that may come in."""

    call: Call
    headers: Mapping[str, str]
    """For its answer: the state of the limits."""


class Doorkeeper:
    """Looks at requests before any route does.

    Args:
        account: Its options say which keys open, its keys of pods which pod.
    """

    def __init__(self, account: Account) -> None:
        self._account = account
        self._answers = count(1)
        self._limits = RateLimiter(account.options.rate_limits)

    def look(self, request: Request) -> None:
        """Refuse what never gets as far as a route.

        Raises:
            Refused: 403 without a real User-Agent, 410 for REST v1.
        """
        if request.path.startswith(OWN_PREFIXES):
            return
        agent = request.headers.get("user-agent", "")
        if not agent or agent.startswith("Python-urllib"):
            raise Refused(Response(403, {"content-type": "text/html; charset=UTF-8"}, BLOCKED))
        if request.path == "/v1" or request.path.startswith("/v1/"):
            raise Refused(
                Response(410, {"content-type": JSON}, encode({"error": GONE, "status": 410}))
            )

    def no_route(self, match: Match) -> Refused:
        """The answer where no route fits."""
        if not match.allowed:
            return refuse(404, "resource not found")
        answer = problem(405, TITLES[405], "The requested method is not allowed for this path.")
        headers = {**answer.headers, "allow": ", ".join(match.allowed)}
        return Refused(answer._replace(headers=headers))

    def admit(self, request: Request, door: Door, params: Mapping[str, str]) -> Admission:
        """Check key and limits.

        Raises:
            Refused: 401, 403 or 429.
        """
        caller = self.caller(request)
        call = Call(request, params, caller)
        if door is not Door.REST:
            return Admission(call, {})
        if not self.is_key(caller.key):
            raise refuse(401, "invalid bearer token" if caller.key else "missing bearer token")
        standing = self._limits.count(caller.key, self._account.now)
        if standing.refusal is not None:
            raise Refused(standing.refusal)
        self._check_pod_key(call, standing.headers)
        return Admission(call, standing.headers)

    def caller(self, request: Request) -> Caller:
        """Whose key a request carries; an empty one where it carries none."""
        kind, _, key = request.headers.get("authorization", "").partition(" ")
        key = key.strip() if kind.lower() == "bearer" else ""
        return Caller(key, self._account.pod_keys.get(key))

    def is_key(self, key: str) -> bool:
        """Whether a key opens anything."""
        accepted = self._account.options.api_keys
        if key in self._account.pod_keys:
            return True
        return key in accepted if accepted else key.startswith(KEY_PREFIX)

    def signed(
        self, request: Request, response: Response, headers: Mapping[str, str] | None = None
    ) -> Response:
        """An answer with what every answer carries: the time, an id, and the state of the limits."""
        if request.path.startswith(OWN_PREFIXES):
            return response
        told = {**(headers or {}), **response.headers}
        told |= {"date": format_datetime(self._account.now, usegmt=True)}
        return response._replace(headers={**told, "x-request-id": f"{next(self._answers):032x}"})

    def _check_pod_key(self, call: Call, headers: Mapping[str, str]) -> None:
        """A pod's own key opens its own pod only, and REST only where a rule says so."""
        own = call.caller.pod_id
        if own is None:
            return
        is_own = call.params.get("id") == own and call.request.path.startswith("/v2/pods/")
        if not self._account.options.pod_key.rest or not is_own:
            refusal = problem(403, TITLES[403], "access denied")
            raise Refused(refusal._replace(headers={**refusal.headers, **headers}))
