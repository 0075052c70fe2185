"""The billing routes: what the meter booked, by hour, day, week, month or year."""

from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final, NamedTuple

from podtune.testing.account import Account
from podtune.testing.http import Response, json_response, refuse
from podtune.testing.meter import HOUR, Meter
from podtune.testing.routes import Answer, Call, Route

STEP: Final = Decimal("0.000001")
"""Amounts are told to the micro-dollar."""


class Family(NamedTuple):
    """A family of things that cost: how its records look."""

    path: str
    id_name: str
    """Key of the id in a record."""
    filter: str
    """Query parameter that picks one."""
    unique: str
    """Key of the count of ids in the metadata."""
    amounts: Mapping[str, str]
    """Component of the meter -> key in a record."""


PODS: Final = Family(
    "pods", "podId", "podId", "uniquePodCount",
    {"gpu": "gpuAmount", "cpu": "cpuAmount", "disk": "diskAmount"},
)  # fmt: skip
VOLUMES: Final = Family(
    "network-volumes", "networkVolumeId", "networkVolumeId", "uniqueNetworkVolumeCount",
    {"standard": "standardAmount", "high": "highPerformanceAmount"},
)  # fmt: skip
SERVERLESS: Final = Family(
    "serverless", "serverlessId", "serverlessId", "uniqueServerlessCount",
    {"gpu": "gpuAmount", "cpu": "cpuAmount", "disk": "diskAmount", "fee": "feeAmount"},
)  # fmt: skip
FAMILIES: Final = (PODS, VOLUMES, SERVERLESS)
_TOTALS: Final[Mapping[tuple[str, str], str]] = {
    ("pods", "gpu"): "podGpuAmount",
    ("pods", "cpu"): "podCpuAmount",
    ("pods", "disk"): "podDiskAmount",
    ("serverless", "gpu"): "serverlessGpuAmount",
    ("serverless", "cpu"): "serverlessCpuAmount",
    ("serverless", "disk"): "serverlessDiskAmount",
    ("serverless", "fee"): "serverlessFeeAmount",
    ("network-volumes", "standard"): "storageStandardAmount",
    ("network-volumes", "high"): "storageHighPerformanceAmount",
    ("endpoints", ""): "endpointAmount",
    ("clusters", "gpu"): "clusterGpuAmount",
    ("clusters", "disk"): "clusterDiskAmount",
    ("clusters", "networking"): "clusterNetworkingAmount",
}


class Billing:
    """The billing routes.

    Args:
        account: Whose clock.
        meter: What was booked.
    """

    def __init__(self, account: Account, meter: Meter) -> None:
        self._account = account
        self._meter = meter

    def routes(self) -> list[Route]:
        """The billing routes."""
        named = [
            Route("GET", f"/v2/billing/{family.path}", self._family(family), f"bill_{family.path}")
            for family in FAMILIES
        ]
        return [Route("GET", "/v2/billing", self._all, "bill"), *named]

    def _family(self, family: Family) -> Answer:
        def answer(call: Call) -> Response:
            return self._records(family, call)

        return answer

    def _records(self, family: Family, call: Call) -> Response:
        self._meter.settle()
        window = Window.of(call, self._account.now)
        chosen = call.request.value(family.filter)
        sums: defaultdict[tuple[datetime, str], defaultdict[str, Decimal]] = defaultdict(
            lambda: defaultdict(Decimal)
        )
        for entry, usd in self._meter.booked.items():
            is_asked = entry.family == family.path and chosen in ("", entry.id)
            if is_asked and window.start <= entry.hour < window.end:
                bucket = bucket_start(entry.hour, window.size)
                sums[bucket, entry.id][family.amounts[entry.component]] += usd
        records = [
            {**span(bucket, window.size), family.id_name: thing_id, **told(parts, family)}
            for (bucket, thing_id), parts in sorted(sums.items())
        ]
        totals: defaultdict[str, Decimal] = defaultdict(Decimal)
        for parts in sums.values():
            for name, usd in parts.items():
                totals[name] += usd
        query = window.told() | {family.filter: chosen or None}
        metadata = {
            "query": query,
            "recordCount": len(records),
            family.unique: len({thing_id for _, thing_id in sums}),
            "totals": told(totals, family),
        }
        return json_response({"records": records, "metadata": metadata})

    def _all(self, call: Call) -> Response:
        self._meter.settle()
        window = Window.of(call, self._account.now)
        buckets: defaultdict[datetime, defaultdict[str, Decimal]] = defaultdict(
            lambda: defaultdict(Decimal)
        )
        for entry, usd in self._meter.booked.items():
            if window.start <= entry.hour < window.end:
                name = _TOTALS[entry.family, entry.component]
                buckets[bucket_start(entry.hour, window.size)][name] += usd
        records = [
            {**span(bucket, window.size), **told_all(parts)}
            for bucket, parts in sorted(buckets.items())
        ]
        totals: defaultdict[str, Decimal] = defaultdict(Decimal)
        for parts in buckets.values():
            for name, usd in parts.items():
                totals[name] += usd
        metadata = {
            "query": window.told(),
            "recordCount": len(records),
            "totals": told_all(totals),
        }
        return json_response({"records": records, "metadata": metadata})


class Window(NamedTuple):
    """A span of time and the buckets it is told in."""

    start: datetime
    end: datetime
    size: str

    @classmethod
    def of(cls, call: Call, now: datetime) -> "Window":
        """The window of a request.

        Raises:
            Refused: 400 or 422, a parameter that is none.
        """
        size = call.request.value("bucketSize", "day")
        if size not in ("hour", "day", "week", "month", "year"):
            raise refuse(422, "bucketSize must be one of hour, day, week, month, year")
        count, start, end = (call.request.value(n) for n in ("lastN", "startTime", "endTime"))
        if count and (start or end):
            raise refuse(400, "lastN and startTime/endTime are mutually exclusive")
        last = bucket_end(bucket_start(now, size), size)
        if count:
            return cls(_last(count, now, size), last, size)
        first = _time(start) if start else now - timedelta(days=30)
        until = _time(end) if end else last
        return cls(bucket_start(first, size), until, size)

    def told(self) -> dict[str, object]:
        """The query as an answer repeats it."""
        return {"startTime": self.start, "endTime": self.end, "bucketSize": self.size}


def bucket_start(at: datetime, size: str) -> datetime:
    """Begin of the bucket that a time lies in (weeks begin on Monday)."""
    at = at.replace(minute=0, second=0, microsecond=0)
    if size == "hour":
        return at
    day = at.replace(hour=0)
    if size == "week":
        return day - timedelta(days=day.weekday())
    if size == "month":
        return day.replace(day=1)
    return day.replace(month=1, day=1) if size == "year" else day


def bucket_end(start: datetime, size: str) -> datetime:
    """Begin of the next bucket."""
    days = {"day": 1, "week": 7, "month": 32, "year": 367}
    return (
        start + HOUR if size == "hour" else bucket_start(start + timedelta(days=days[size]), size)
    )


def span(bucket: datetime, size: str) -> dict[str, object]:
    """Begin and end of a record."""
    return {"startTime": bucket, "endTime": bucket_end(bucket, size)}


def told(parts: Mapping[str, Decimal], family: Family) -> dict[str, object]:
    """Amounts of a family's record, all of them, to the micro-dollar."""
    amounts = {name: parts.get(name, Decimal(0)) for name in family.amounts.values()}
    return _rounded({"totalAmount": sum(amounts.values(), Decimal(0)), **amounts})


def told_all(parts: Mapping[str, Decimal]) -> dict[str, object]:
    """Amounts over all families."""
    amounts = {name: parts.get(name, Decimal(0)) for name in _TOTALS.values()}
    return _rounded({"totalAmount": sum(amounts.values(), Decimal(0)), **amounts})


def _rounded(amounts: Mapping[str, Decimal]) -> dict[str, object]:
    return {name: usd.quantize(STEP) for name, usd in amounts.items()}


def _last(count: str, now: datetime, size: str) -> datetime:
    if not count.isdecimal() or not 1 <= int(count) <= 10_000:
        raise refuse(422, "lastN is a number from 1")
    start = bucket_start(now, size)
    for _ in range(int(count) - 1):
        start = bucket_start(start - timedelta(hours=1), size)
    return start


def _time(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise refuse(422, "startTime and endTime are RFC 3339 times") from error
    return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
