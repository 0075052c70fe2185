from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from podtune.testing.clock import START
from podtune.testing.logs import KEPT_LINES, LogBook
from support.stand_in import Desk, frames


def filled(count=10):
    desk = Desk()
    pod_id = desk.running()
    for number in range(count):
        desk.clock.advance(1)
        desk.pods.printed[pod_id] = [f"line {number}"]
        desk.cloud.tick()
    return desk, f"/v2/pods/{pod_id}/logs"


def lines(response):
    return [data["line"] for _, data in frames(response)]


def test_a_stream_of_events():
    desk, url = filled(1)
    response = desk.ask("GET", url)
    assert response.headers["content-type"] == "text/event-stream"
    assert "ratelimit" in response.headers
    event_id, data = frames(response)[-1]
    assert data["line"] == "line 0"
    assert event_id.startswith(data["ts"] + "/")
    assert data["source"] == "container"


def test_sources_and_tail():
    desk, url = filled()
    assert lines(desk.ask("GET", url + "?source=container&tail=3")) == [
        "line 7",
        "line 8",
        "line 9",
    ]
    assert lines(desk.ask("GET", url + "?tail=0")) == []
    assert all("line" not in line for line in lines(desk.ask("GET", url + "?source=system")))
    for wrong in ("tail=5001", "tail=-1", "source=gpu", "since=now", "since=2026-11-22T00:00:00"):
        assert desk.ask("GET", f"{url}?{wrong}").status == 422
    assert desk.ask("GET", "/v2/pods/none/logs").status == 404


def test_it_stays_open_until_the_pod_is_gone():
    desk, url = filled(2)
    stream = desk.ask("GET", url + "?source=container").body
    assert b"line 1" in next(stream)
    assert next(stream) == b""
    pod_id = url.split("/")[3]
    desk.pods.printed[pod_id] = ["new"]
    assert b"new" in next(stream)
    desk.pods.printed[pod_id] = ["last words"]
    desk.ask("DELETE", f"/v2/pods/{pod_id}")
    assert b"last words" in next(stream)
    assert list(stream) == []


def test_a_reader_comes_back_with_the_last_id():
    desk, url = filled()
    seen = frames(desk.ask("GET", url))
    for place in (0, 3, len(seen) - 1):
        response = desk.ask("GET", url + "?tail=1", **{"last-event-id": seen[place][0]})
        assert frames(response) == seen[place + 1 :]


def test_times_resume_too():
    desk, url = filled()
    seen = frames(desk.ask("GET", url + "?source=container"))
    ts = seen[4][1]["ts"]
    since = desk.ask("GET", f"{url}?source=container&since={ts}")
    assert frames(since) == seen[4:]
    after = desk.ask("GET", url + "?source=container", **{"last-event-id": ts})
    assert frames(after) == seen[5:]
    assert lines(desk.ask("GET", f"{url}?since=2030-01-01T00:00:00Z")) == []


def test_old_lines_are_dropped():
    book = LogBook()
    for number in range(KEPT_LINES + 1):
        book.write("container", str(number), START)
    assert book.after(0)[0].text == str(KEPT_LINES // 2)
    assert book.end == KEPT_LINES + 1


@settings(deadline=None)
@given(st.lists(st.integers(-600, 600), max_size=30), st.integers(0, 30))
def test_no_line_is_lost_or_seen_twice_whatever_the_hosts_clock_says(skews, cut):
    book = LogBook()
    for skew in skews:
        book.write("container", "x", START + timedelta(seconds=skew))
    numbers = [line.number for line in book.after(0)]
    assert numbers == list(range(1, len(skews) + 1))
    first = numbers[:cut]
    rest = [line.number for line in book.after(first[-1] if first else 0)]
    assert first + rest == numbers


@pytest.mark.parametrize(
    "cursor", ["2026-11-22T00:00:00Z/99999", "2026-11-22T00:00:00Z/000000000001"]
)
def test_cursors_of_another_time(cursor):
    desk, url = filled(2)
    assert desk.ask("GET", url, **{"last-event-id": cursor}).status == 200
