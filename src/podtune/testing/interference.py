"""Carries out the faults that strike requests: between the door and the route.

What strikes is drawn by `faults`; here it happens. Faults of the connection are handed on in the answer.
"""

from collections import OrderedDict
from collections.abc import Mapping
from typing import Final, cast

import msgspec

from podtune.testing.account import Account
from podtune.testing.faults import TRANSPORT, FaultKind, FaultRule, transport_fault
from podtune.testing.http import TITLES, Refused, Response, problem
from podtune.testing.routes import Call, Route

Struck = Mapping[FaultKind, FaultRule]
UNTOUCHED: Final = frozenset({"faults", "state", "journal", "clock", "stock"})
"""Routes of the stand-in itself."""
REMEMBERED: Final = 500
"""Answers kept for stale reads."""
WRONG_BODY: Final = b'<html><head><title>502</title></head><body>{"id": '
"""Neither JSON nor whole."""


class Interference:
    """Lets requests through to their routes, or not quite.

    Args:
        account: Whose faults are drawn.
    """

    def __init__(self, account: Account) -> None:
        self._account = account
        self._answers: OrderedDict[str, Response] = OrderedDict()

    def draw(self, route: Route, call: Call) -> Struck:
        """What strikes a request; to be called under the cloud's lock."""
        account = self._account
        if not account.faults.rules or route.name in UNTOUCHED:
            return {}
        drawn = account.faults.for_request(route.name, self._pod_name(call), account.now)
        for rule in drawn:
            account.note("fault", detail=f"{rule.kind} on {route.name}")
        return {rule.kind: rule for rule in drawn}

    def answer(self, route: Route, call: Call, struck: Struck) -> Response:
        """The answer of a route, faults included."""
        response = self._spoilt(route, call, struck)
        return response._replace(fault=transport_fault(tuple(struck.values())))

    def _spoilt(self, route: Route, call: Call, struck: Struck) -> Response:
        before = struck.get(FaultKind.BEFORE_EFFECT)
        if before is not None:
            return _failed(before)
        if FaultKind.NO_EFFECT in struck and route.method != "GET":
            return Response(204)
        if any(kind in TRANSPORT and rule.is_before for kind, rule in struck.items()):
            return Response(503)
        if FaultKind.STALE_READ in struck and (old := self._answers.get(_name(call))):
            return old
        response = _asked(route, call)
        if FaultKind.DUPLICATE in struck:
            response = _asked(route, call)
        self._remember(route, call, response)
        after = struck.get(FaultKind.AFTER_EFFECT)
        if after is not None:
            return _failed(after)
        if FaultKind.WRONG_BODY in struck:
            return response._replace(body=WRONG_BODY)
        return response

    def _remember(self, route: Route, call: Call, response: Response) -> None:
        is_read = route.method == "GET" and route.is_locked and isinstance(response.body, bytes)
        if is_read and self._account.faults.has(FaultKind.STALE_READ):
            self._answers[_name(call)] = response
            while len(self._answers) > REMEMBERED:
                self._answers.popitem(last=False)

    def _pod_name(self, call: Call) -> str:
        """The name of the pod that a request is about, as far as it can be told."""
        pod_id = call.params.get("id") or call.params.get("target", "").rpartition("-")[0]
        pod = self._account.pods.get(pod_id)
        if pod is not None:
            return pod.name
        try:
            value: object = msgspec.json.decode(call.request.body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return ""
        name = cast("dict[str, object]", value).get("name") if isinstance(value, dict) else None
        return name if isinstance(name, str) else ""


def _asked(route: Route, call: Call) -> Response:
    try:
        return route.answer(call)
    except Refused as refused:
        return refused.response


def _failed(rule: FaultRule) -> Response:
    return problem(rule.status, TITLES.get(rule.status, "Error"), "upstream failure")


def _name(call: Call) -> str:
    return f"{call.request.path}?{sorted(call.request.query.items())}"
