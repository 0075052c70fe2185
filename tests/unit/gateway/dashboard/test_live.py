"""Streams: what differs is sent, once; the log from where the page has it; the end."""

import pytest

from podtune.app.desk import Desk
from podtune.core.access import THIS_MACHINE
from podtune.core.events import EventKind, Metrics
from podtune.core.states import Outcome
from podtune.gateway.dashboard import live
from support import homes


@pytest.fixture
def desk(gateway):
    return Desk(gateway.service, THIS_MACHINE, gateway.app.state.parts.submissions)


class Clockwork:
    """Time that passes as often as it is looked at."""

    def __init__(self, stride=0.1):
        self.now, self.stride = 0.0, stride

    def __call__(self):
        self.now += self.stride
        return self.now


def told(messages, looks):
    """What a stream tells within so many looks."""
    return [m for m in (next(messages, None) for _ in range(looks)) if m is not None]


def say_step(gateway, job, step):
    folder = gateway.service.folder(job)
    metrics = Metrics(training_loss=3.0 / step)
    homes.say(
        folder.events, job, kind=EventKind.STEP, step=step, total_steps=9, metrics=metrics, seq=step
    )


def stream(desk, job, offset=0):
    watch = live.JobWatch(desk, job.id)
    return live.job_messages(watch, desk, job.id, offset, elapsed=Clockwork())


def test_every_part_is_sent_first_and_then_what_differs(desk, gateway, job):
    messages = stream(desk, job)
    first = {data["id"] for _, event, data in told(messages, 60) if event == "part"}
    assert {"head", "alerts", "said", "progress", "curves", "money", "phases", "events"} <= first
    assert not told(messages, 30)
    say_step(gateway, job, 1)
    say_step(gateway, job, 2)
    found = told(messages, 60)
    assert {data["id"] for _, event, data in found} == {"progress", "curves", "said"}
    curves = next(data["html"] for _, _, data in found if data["id"] == "curves")
    assert "training from 3.00 at step 1 to 1.50 at step 2" in curves


def test_the_log_goes_on_from_where_the_page_has_it(desk, gateway, job):
    log = gateway.service.folder(job).log
    log.write_text("one\ntwo <b>\n")
    messages = stream(desk, job, offset=4)
    assert ("12", "log", "two <b>\n") in told(messages, 100)
    with log.open("a") as more:
        more.write("three\n")
    assert told(messages, 30) == [("18", "log", "three\n")]


def test_a_stream_ends_with_its_job(desk, gateway, job):
    homes.finish(gateway.settings, job, Outcome.CANCELLED)
    messages = list(stream(desk, job))
    assert messages[-1][1] == "end"
    assert any(
        data["id"] == "head" and "cancelled" in data["html"]
        for _, e, data in messages
        if e == "part"
    )


def test_a_stream_ends_by_itself_so_that_the_key_is_asked_again(desk, job):
    watch = live.JobWatch(desk, job.id)
    slow = live.job_messages(watch, desk, job.id, 0, elapsed=Clockwork(live.LASTS_S / 4))
    assert "end" not in [m[1] for m in slow if m]
    assert list(live.list_messages(desk, elapsed=Clockwork(live.LASTS_S / 4)))


def test_the_list_sends_what_differs(desk, gateway, job):
    messages = live.list_messages(desk, elapsed=Clockwork())
    first = told(messages, 30)
    assert {data["id"] for _, _, data in first} == {"alerts", "jobs"}
    assert not told(messages, 30)
    gateway.service.cancel(job.id)
    homes.finish(gateway.settings, gateway.service.job(job.id), Outcome.CANCELLED)
    assert "cancelled" in told(messages, 30)[0][2]["html"]


def test_a_screen_reader_hears_tens(desk, gateway, job):
    said = live.JobWatch(desk, job.id).look()["said"]
    assert "queued, 0 percent" in said


class Slow:
    """Looking takes three seconds."""

    def __init__(self, clockwork):
        self.clockwork, self.looks, self.is_over = clockwork, 0, False

    def look(self):
        self.looks += 1
        self.clockwork.now += 3.0
        return {}


def test_a_slow_look_is_followed_by_a_longer_pause(desk, job):
    clockwork = Clockwork()
    slow = Slow(clockwork)
    messages = live.job_messages(slow, desk, job.id, 0, elapsed=clockwork)
    while clockwork.now < 61:
        next(messages)
    assert 3 <= slow.looks <= 5, "a fifth of the time at most"
