"""What one caller may ask in a minute."""

from contextlib import ExitStack
from datetime import UTC, datetime

import pytest

from podtune.app.settings import Settings
from podtune.gateway.errors import TooManyError
from podtune.gateway.rates import REFUSALS_PER_MINUTE, Rates


def spent(call, who, most=1000):
    """How often a call goes through, and the error after."""
    for count in range(most):
        try:
            call(who)
        except TooManyError as error:
            return count, error
    return most, None


def test_each_caller_has_a_minute_of_its_own():
    rates = Rates(Settings(requests_per_minute=3))
    count, error = spent(rates.request, "key a")
    assert count == 3
    assert error.code == "too_many_requests"
    assert "PODTUNE_REQUESTS_PER_MINUTE" in error.hint
    rates.request("key b")
    rates.submit("key a")


def test_the_answer_says_when_to_come_back():
    rates = Rates(Settings(requests_per_minute=1))
    _, error = spent(rates.request, "a")
    assert 1 <= error.retry_after_s <= 60
    assert error.headers() == {"retry-after": str(error.retry_after_s)}
    late = Rates(Settings(requests_per_minute=1), clock=lambda: datetime(2100, 1, 1, tzinfo=UTC))
    _, error = spent(late.request, "a")
    assert error.retry_after_s == 1


@pytest.mark.parametrize("verb", ["request", "submit"])
def test_nought_is_no_limit(verb):
    rates = Rates(Settings(requests_per_minute=0, submits_per_minute=0))
    assert spent(getattr(rates, verb), "a") == (1000, None)


def test_guessing_of_keys_is_slowed_down():
    count, error = spent(Rates(Settings()).refused, "203.0.113.9")
    assert count == REFUSALS_PER_MINUTE
    assert "PODTUNE" not in error.hint


def test_a_caller_over_the_limit_is_told_over_http(serve):
    gateway = serve(requests_per_minute=2)
    with gateway.client() as client:
        codes = [client.get("/training/jobs").status_code for _ in range(3)]
        assert codes == [200, 200, 429]
        refused = client.get("/training/jobs")
        assert int(refused.headers["retry-after"]) <= 60
        assert client.get("/healthz").status_code == 200


def test_submits_have_a_limit_of_their_own(serve):
    gateway = serve(submits_per_minute=1)
    with gateway.client() as client:
        assert client.post("/training/submit", json={}).status_code == 400
        assert client.post("/training/submit", json={}).status_code == 429
        assert client.get("/training/jobs").status_code == 200


def test_streams_are_counted_while_they_are_open():
    rates = Rates(Settings(streams_per_caller=2))
    with rates.stream("a"), rates.stream("a"):
        with pytest.raises(TooManyError, match="2 streams"), rates.stream("a"):
            pass
        with rates.stream("b"):
            pass
    with rates.stream("a"):
        pass
    free = Rates(Settings(streams_per_caller=0))
    with ExitStack() as stack:
        for _ in range(500):
            stack.enter_context(free.stream("a"))
