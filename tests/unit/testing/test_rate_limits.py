import re

from podtune.testing.clock import START, VirtualClock
from podtune.testing.options import RateLimits
from podtune.testing.rate_limits import RateLimiter
from support.stand_in import Desk

STATE = re.compile(r'"minute";r=(\d+);t=(\d+), "hour";r=(\d+);t=(\d+), "day";r=(\d+);t=(\d+)')


def test_headers_are_those_of_the_document():
    standing = RateLimiter(RateLimits(per_minute=60)).count("k", START)
    assert standing.headers["ratelimit-policy"] == (
        '"minute";q=60;w=60, "hour";q=3000;w=3600, "day";q=50000;w=86400'
    )
    assert STATE.fullmatch(standing.headers["ratelimit"]).groups() == (
        "59", "60", "2999", "3600", "49999", "86400",
    )  # fmt: skip


def test_the_window_that_is_full_is_named_and_opens_again():
    clock, limiter = VirtualClock(), RateLimiter(RateLimits(per_minute=2))
    assert limiter.count("k", clock.now()).refusal is None
    clock.advance(30.5)
    assert limiter.count("k", clock.now()).refusal is None
    refusal = limiter.count("k", clock.now()).refusal
    assert refusal.status == 429
    assert refusal.headers["retry-after"] == "30"
    assert "minute window" in refusal.json()["detail"]
    assert limiter.count("other", clock.now()).refusal is None
    clock.advance(29.5)
    assert limiter.count("k", clock.now()).refusal is None


def test_zero_means_no_limit():
    limiter = RateLimiter(RateLimits(per_minute=0, per_hour=0, per_day=0))
    assert limiter.count("k", START) == ({}, None)


def test_the_cloud_counts_by_key_and_tells_every_answer():
    desk = Desk(rate_limits=RateLimits(per_minute=1))
    assert 'minute";r=0' in desk.ask("GET", "/v2/pods/none").headers["ratelimit"]
    refused = desk.ask("GET", "/v2/pods")
    assert refused.status == 429
    assert refused.headers["content-type"] == "application/problem+json"
    assert desk.ask("GET", "/v2/pods", key="rpa_OTHER").status == 200
    assert desk.ask("GET", "/_stand_in/state").status == 200
