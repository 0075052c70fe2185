"""The little GraphQL that is still needed: the balance, and a pod's last ways to end itself.

Always HTTP 200, faults in `errors[]`, as the real one. This is no GraphQL parser: the operations
are told by their names, their argument by the first `podId`.
"""

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Final, cast

import msgspec

from podtune.testing.account import Account, Pod
from podtune.testing.http import Response, json_response
from podtune.testing.meter import Meter
from podtune.testing.pod_lifecycle import ACTIONS, Lifecycle
from podtune.testing.pod_wire import cost
from podtune.testing.routes import Call, Door, Route

_OPERATION: Final = re.compile(r"\b(podTerminate|podStop|myself)\b")
_POD_ID: Final = re.compile(r"\bpodId\s*:\s*(?:\"([^\"\\]{1,64})\"|(\$\w+))")
PLACES: Final = Decimal("0.000001")
"""Money is told to the micro-dollar."""
CODES: Final[Mapping[str, str]] = {
    "Unauthorized request": "UNAUTHENTICATED",
    "Forbidden": "FORBIDDEN",
}


class GraphqlError(Exception):
    """Answered as `errors[0].message`."""


class Graphql:
    """The GraphQL route.

    Args:
        account: The state.
        lifecycle: Ends pods.
        meter: Settled before a balance is told.
        is_key: Whether a key opens anything at all.
    """

    def __init__(
        self,
        account: Account,
        lifecycle: Lifecycle,
        meter: Meter,
        is_key: Callable[[str], bool],
    ) -> None:
        self._account = account
        self._lifecycle = lifecycle
        self._meter = meter
        self._is_key = is_key

    def routes(self) -> list[Route]:
        """At two paths: the SDK adds `/graphql` to its base address, others give the whole one."""
        return [
            Route("POST", path, self._answer, "graphql", Door.GRAPHQL)
            for path in ("/graphql", "/graphql/graphql")
        ]

    def _answer(self, call: Call) -> Response:
        try:
            return json_response({"data": self._carry_out(call)})
        except GraphqlError as error:
            message = str(error)
            code = CODES.get(message, "RUNPOD")
            fault = {"message": message, "extensions": {"code": code}}
            return json_response({"errors": [fault], "data": None})

    def _carry_out(self, call: Call) -> dict[str, object]:
        query, variables = _decoded(call.request.body)
        found = _OPERATION.search(query)
        if not self._is_key(call.caller.key):
            raise GraphqlError("Unauthorized request")
        if found is None:
            raise GraphqlError(
                "Cannot query field: the stand-in knows myself, podStop, podTerminate"
            )
        if found[1] == "myself":
            return {"myself": self._myself(call)}
        pod = self._pod(call, query, variables)
        if found[1] == "podTerminate":
            self._lifecycle.terminate(pod)
            return {"podTerminate": None}
        if "stop" in ACTIONS[pod.status]:
            self._lifecycle.stop(pod)
        return {"podStop": {"id": pod.id, "desiredStatus": "EXITED"}}

    def _myself(self, call: Call) -> dict[str, object]:
        if call.caller.pod_id is not None:
            raise GraphqlError("Forbidden")
        self._meter.settle()
        account = self._account
        return {
            "id": "user_stand_in",
            "email": "stand-in@example.com",
            "clientBalance": account.balance_usd.quantize(PLACES),
            "currentSpendPerHr": sum((cost(pod) for pod in account.live_pods()), 0 * PLACES),
            "spendLimit": account.options.spend_limit_usd,
        }

    def _pod(self, call: Call, query: str, variables: Mapping[str, object]) -> Pod:
        found = _POD_ID.search(query)
        named = found and (found[1] or str(variables.get(found[2].removeprefix("$"), "")))
        pod_id = named or _pod_in(variables)
        own, rules = call.caller.pod_id, self._account.options.pod_key
        if own is not None and (own != pod_id or not rules.graphql):
            raise GraphqlError("Forbidden")
        pod = self._account.pods.get(pod_id)
        if pod is None or pod.terminated_at is not None:
            raise GraphqlError("pod not found")
        return pod


def _decoded(body: bytes) -> tuple[str, Mapping[str, object]]:
    try:
        value: object = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise GraphqlError("POST body is not valid JSON") from error
    if not isinstance(value, dict):
        raise GraphqlError("POST body must be an object")
    parts = cast("dict[str, object]", value)
    variables = parts.get("variables")
    is_mapping = isinstance(variables, dict)
    return str(parts.get("query", "")), cast("dict[str, object]", variables) if is_mapping else {}


def _pod_in(variables: Mapping[str, object]) -> str:
    """`podId` of variables, also inside `input`."""
    inner = variables.get("input")
    if isinstance(inner, dict):
        return str(cast("dict[str, object]", inner).get("podId", ""))
    return str(variables.get("podId", ""))
