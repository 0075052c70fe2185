from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from podtune.testing.billing import bucket_end, bucket_start
from support.stand_in import Desk


def test_a_pod_is_billed_for_what_it_really_ran():
    desk = Desk()
    pod_id = desk.create()
    desk.clock.advance(1800)
    desk.act(pod_id, "stop")
    desk.clock.advance(3600)
    desk.ask("DELETE", f"/v2/pods/{pod_id}")
    desk.clock.advance(3600)
    answer = desk.ask("GET", f"/v2/billing/pods?podId={pod_id}&bucketSize=hour&lastN=5").json()
    total = answer["metadata"]["totals"]
    assert total["gpuAmount"] == pytest.approx(0.2)
    disk = 0.5 * 70 * 0.10 / 730 + 50 * 0.20 / 730
    assert total["diskAmount"] == pytest.approx(disk, abs=2e-6)
    assert total["totalAmount"] == pytest.approx(total["gpuAmount"] + total["diskAmount"])
    assert [record["gpuAmount"] for record in answer["records"]] == [0.2, 0]
    assert answer["metadata"]["uniquePodCount"] == 1
    assert answer["records"][0]["startTime"] == "2026-11-22T00:00:00Z"
    assert answer["metadata"]["query"]["podId"] == pod_id


def test_all_families_in_one():
    desk = Desk()
    desk.create()
    start = desk.cloud.clock.now()
    desk.cloud.meter.charge(
        "serverless", "e", "gpu", Decimal(2), (start, start + timedelta(hours=1))
    )
    desk.clock.advance(3600)
    total = desk.ask("GET", "/v2/billing").json()["metadata"]["totals"]
    assert total["podGpuAmount"] == pytest.approx(0.4)
    assert total["serverlessGpuAmount"] == 2
    assert desk.ask("GET", "/v2/billing/serverless").json()["metadata"]["totals"]["feeAmount"] == 0


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("bucketSize=minute", 422),
        ("lastN=0", 422),
        ("lastN=2&startTime=2026-11-01T00:00:00Z", 400),
        ("startTime=yesterday", 422),
        ("startTime=2026-11-01T00:00:00Z&endTime=2026-11-30T00:00:00Z&bucketSize=week", 200),
        ("lastN=3&bucketSize=month", 200),
        ("bucketSize=year", 200),
    ],
)
def test_windows(query, status):
    desk = Desk()
    desk.running()
    answer = desk.ask("GET", f"/v2/billing/pods?{query}")
    assert answer.status == status
    if status == 200:
        assert answer.json()["records"]


@settings(deadline=None)
@given(
    st.integers(1_577_836_800, 2_051_222_400).map(lambda at: datetime.fromtimestamp(at, UTC)),
    st.sampled_from(["hour", "day", "week", "month", "year"]),
)
def test_every_time_lies_in_one_bucket(at, size):
    start = bucket_start(at, size)
    assert start <= at < bucket_end(start, size)
    assert bucket_start(bucket_end(start, size), size) == bucket_end(start, size)
