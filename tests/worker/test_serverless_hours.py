"""How long one job may take."""

import pytest

import serverless_terms
from podtune.core.submission import parse
from podtune.egress.addresses import Policy
from serverless_hours import WAIT_S, Hours
from serverless_request import Request

BODY = {"job_id": "j", "dataset_url": "https://x.example/a", "hyperparameters": {"base_model": "a/b"}}  # fmt: skip
NOW = 1_000_000.0


class Time:
    now = 50.0

    def __call__(self):
        return self.now


@pytest.fixture
def time():
    return Time()


def hours(time, *, max_hours=None, **terms):
    asked = parse({**BODY, "max_hours": max_hours})
    policy = Policy.of(http=False, private_hosts="", allow_hosts="")
    request = Request(asked, serverless_terms.read(terms), None, policy, 120.0)
    return Hours(request, monotonic=time, wall=lambda: NOW)


def test_no_limit(time):
    one = hours(time)
    assert one.waits_until() == NOW + WAIT_S
    time.now += 1e9
    assert one.over(uploading=False) is None


def test_max_hours(time):
    one = hours(time, max_hours=2)
    assert one.waits_until() == NOW + 7200
    time.now += 7200
    assert one.over(uploading=False) is None
    time.now += 1
    result = one.over(uploading=True)
    assert (result.error_code, "max_hours (2)" in result.error_message) == ("timed_out", True)


def test_a_deadline_leaves_time_to_save_and_send(time):
    one = hours(time, max_hours=2, deadline=NOW + 1000)
    assert one.waits_until() == NOW + 880
    time.now += 880
    assert one.over(uploading=False) is None
    time.now += 1
    assert one.over(uploading=False).error_code == "timed_out"
    assert one.over(uploading=True) is None
    time.now += 120
    assert "deadline" in one.over(uploading=True).advice
