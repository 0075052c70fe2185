"""`/_stand_in/...`: what a person or a test may do to the stand-in cloud itself.

State, faults and the virtual clock. Not part of RunPod, and needs no key: the servers listen on
loopback only.
"""

from typing import cast

import msgspec
from pydantic import ValidationError

from podtune.core.errors import SpecError
from podtune.testing.account import Account
from podtune.testing.catalogue import Catalogue
from podtune.testing.clock import VirtualClock
from podtune.testing.faults import FaultRule, parse_rule
from podtune.testing.http import Request, Response, json_response, refuse
from podtune.testing.meter import Meter
from podtune.testing.routes import Call, Door, Route


class Playground:
    """The stand-in's own routes.

    Args:
        account: The state.
        meter: Knows what was spent.
        catalogue: Whose stock can be changed.
    """

    def __init__(self, account: Account, meter: Meter, catalogue: Catalogue) -> None:
        self._account = account
        self._meter = meter
        self._catalogue = catalogue

    def routes(self) -> list[Route]:
        """State, journal, faults, clock, stock."""
        return [
            Route("GET", "/_stand_in/state", self._state, "state", Door.OPEN),
            Route("GET", "/_stand_in/journal", self._journal, "journal", Door.OPEN),
            Route("POST", "/_stand_in/faults", self._add_faults, "faults", Door.OPEN),
            Route("DELETE", "/_stand_in/faults", self._clear_faults, "faults", Door.OPEN),
            Route("POST", "/_stand_in/clock", self._advance, "clock", Door.OPEN),
            Route("POST", "/_stand_in/stock", self._restock, "stock", Door.OPEN),
        ]

    def _state(self, _: Call) -> Response:
        self._meter.settle()
        account = self._account
        pods = [
            {
                "id": pod.id,
                "name": pod.name,
                "status": pod.status,
                "gpu": pod.gpu_id,
                "starts": pod.starts,
                "spentUsd": round(self._meter.total(pod.id), 6),
                "fates": dict(pod.fates),
            }
            for pod in account.pods.values()
        ]
        return json_response(
            {
                "now": account.now,
                "seed": account.faults.seed,
                "balanceUsd": round(account.balance_usd, 6),
                "pods": pods,
                "volumes": list(account.volumes),
                "endpoints": list(account.endpoints),
                "faults": [rule.model_dump(mode="json") for rule in account.faults.rules],
                "history": [drawn._asdict() for drawn in account.faults.history],
            }
        )

    def _journal(self, call: Call) -> Response:
        after = call.request.value("after", "0")
        if not after.isdecimal():
            raise refuse(422, "after is a number")
        lines = [line._asdict() for line in self._account.journal if line.number > int(after)]
        return json_response({"journal": lines})

    def _add_faults(self, call: Call) -> Response:
        body = _decoded(call.request)
        given = cast("list[object]", body) if isinstance(body, list) else [body]
        self._account.faults.add(*(_rule(rule) for rule in given))
        rules = [rule.model_dump(mode="json") for rule in self._account.faults.rules]
        return json_response({"faults": rules}, 201)

    def _clear_faults(self, _: Call) -> Response:
        self._account.faults.replace(())
        return Response(204)

    def _advance(self, call: Call) -> Response:
        clock, body = self._account.clock, _decoded(call.request)
        if not isinstance(clock, VirtualClock):
            raise refuse(409, "this stand-in runs on the real clock")
        seconds = cast("dict[str, object]", body).get("seconds") if isinstance(body, dict) else None
        if not isinstance(seconds, int | float) or isinstance(seconds, bool) or seconds < 0:
            raise refuse(422, "seconds is a number from 0")
        return json_response({"now": clock.advance(seconds)})

    def _restock(self, call: Call) -> Response:
        body = _decoded(call.request)
        try:
            given = msgspec.convert(body, Stock)
            self._catalogue.set_stock(given.gpu, given.data_centers)
        except (msgspec.ValidationError, ValueError) as error:
            raise refuse(422, f"gpu and data_centers (id -> level): {error}") from error
        return json_response({"gpu": given.gpu, "data_centers": given.data_centers})


class Stock(msgspec.Struct, forbid_unknown_fields=True):
    """What is free of a GPU type."""

    gpu: str
    data_centers: dict[str, str]


def _decoded(request: Request) -> object:
    try:
        value: object = msgspec.json.decode(request.body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise refuse(400, "request body is not valid JSON") from error
    return value


def _rule(given: object) -> FaultRule:
    try:
        return parse_rule(given) if isinstance(given, str) else FaultRule.model_validate(given)
    except SpecError as error:
        raise refuse(422, error.message) from error
    except ValidationError as error:
        raise refuse(422, "not a fault rule", [fault["msg"] for fault in error.errors()]) from error
