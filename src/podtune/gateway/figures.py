"""What is counted of the gateway, in a registry of its own, and how it is read out for Prometheus.

HTTP is counted here as it happens; jobs and money are looked up when somebody reads.
"""

from collections.abc import Callable, Iterable
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from podtune.app.census import Census
from podtune.gateway.logging import Timed

MEDIA_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
"""Of Prometheus' text form."""
SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Bounds of the histogram: status reads are to be below 0.05, submits wait up to 20."""


class Figures:
    """Counters of one gateway."""

    def __init__(self) -> None:
        """All at nought."""
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "podtune_http_requests",
            "HTTP requests answered.",
            ["method", "route", "status"],
            registry=self._registry,
        )
        self._seconds = Histogram(
            "podtune_http_request_seconds",
            "Seconds from a request's first byte to its response's last.",
            ["method", "route"],
            buckets=SECONDS,
            registry=self._registry,
        )
        self.streams = Gauge(
            "podtune_http_streams", "Streams of events that are open.", registry=self._registry
        )

    def request(self, timed: Timed) -> None:
        """Count a request that is over."""
        method = timed.method
        self._requests.labels(method, timed.route, str(timed.status or 499)).inc()
        self._seconds.labels(method, timed.route).observe(timed.seconds)

    def text(self, census: Census, is_driven: bool) -> bytes:
        """All figures as Prometheus reads them."""
        looked_up = CollectorRegistry()
        looked_up.register(_LookedUp(lambda: _families(census, is_driven)))
        return generate_latest(self._registry) + generate_latest(looked_up)


class _LookedUp(Collector):
    """Figures of one moment."""

    def __init__(self, families: Callable[[], Iterable[Metric]]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families()


def _families(census: Census, is_driven: bool) -> Iterable[Metric]:
    jobs = GaugeMetricFamily(
        "podtune_jobs", "Jobs by phase and, once settled, outcome.", labels=["phase", "outcome"]
    )
    for (phase, outcome), count in sorted(census.jobs.items()):
        jobs.add_metric([phase, outcome], count)
    yield jobs
    asked = GaugeMetricFamily(
        "podtune_submissions", "What was asked of the gateway, by state.", labels=["state"]
    )
    for state, count in sorted(census.submissions.items()):
        asked.add_metric([state], count)
    yield asked
    for name, help_text, value in (
        ("podtune_queue_length", "Jobs that wait for a place.", census.queued),
        ("podtune_spent_usd", "Dollars spent by all jobs, by our meter or the bill.", census.spent),
        ("podtune_reserved_usd", "Dollars set aside for machines that may run.", census.reserved),
        ("podtune_leak_risks", "Machines nobody wants, not proved gone.", census.leaks),
        ("podtune_leak_risk_usd_per_hour", "What those cost an hour.", census.leak_usd_per_hour),
        ("podtune_callbacks_waiting", "Callbacks not delivered yet.", census.callbacks_waiting),
        ("podtune_drivers", "Drivers that give signs of life.", census.drivers),
        ("podtune_driven", "1 where jobs are driven, 0 where that fails.", int(is_driven)),
    ):
        yield GaugeMetricFamily(name, help_text, value=float(value))
