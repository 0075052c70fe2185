"""Figures for Prometheus."""

from decimal import Decimal

import pytest
from prometheus_client.parser import text_string_to_metric_families

from podtune.app.census import Census
from podtune.gateway.figures import Figures
from podtune.gateway.logging import Timed

CENSUS = Census(
    jobs={("training", ""): 2, ("done", "completed"): 5},
    submissions={"preparing": 3},
    queued=4,
    spent=Decimal("1.25"),
    reserved=Decimal("3.5"),
    leaks=1,
    leak_usd_per_hour=Decimal("0.44"),
    callbacks_waiting=6,
    drivers=1,
)


def read(figures, *, is_driven=True):
    text = figures.text(CENSUS, is_driven).decode()
    return {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (("podtune_jobs", "", "training"), 2), (("podtune_jobs", "completed", "done"), 5),
        (("podtune_submissions", "preparing"), 3), (("podtune_queue_length",), 4),
        (("podtune_spent_usd",), 1.25), (("podtune_reserved_usd",), 3.5),
        (("podtune_leak_risks",), 1), (("podtune_leak_risk_usd_per_hour",), 0.44),
        (("podtune_callbacks_waiting",), 6), (("podtune_drivers",), 1), (("podtune_driven",), 1),
    ],
)  # fmt: skip
def test_what_is_looked_up(key, value):
    assert read(Figures())[key] == value


def test_requests_are_counted_and_each_gateway_counts_its_own():
    figures, other = Figures(), Figures()
    timed = Timed({"method": "GET"}, elapsed=lambda: 1.0)
    timed.status = 200
    figures.request(timed)
    found = read(figures, is_driven=False)
    assert found["podtune_http_requests_total", "200", "GET", "unknown"] == 1
    assert found["podtune_http_request_seconds_count", "GET", "unknown"] == 1
    assert found["podtune_driven",] == 0
    assert not any(name[0] == "podtune_http_requests_total" for name in read(other))


def test_an_answer_that_never_came_counts_as_499():
    figures = Figures()
    figures.request(Timed({"method": "GET"}))
    assert read(figures)["podtune_http_requests_total", "499", "GET", "unknown"] == 1
