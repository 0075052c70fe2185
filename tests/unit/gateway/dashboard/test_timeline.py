"""Where the time went: phases, stages within the training, clocks that are off, the end."""

from datetime import timedelta

from podtune.gateway.dashboard import timeline
from podtune.gateway.dashboard.curves import Beginning
from podtune.workflow.store import LogEntry
from support.build import NOW


def at(seconds):
    return NOW + timedelta(seconds=seconds)


def entry(seconds, phase, attempt=1):
    return LogEntry(at(seconds), attempt, phase, "")


LOG = [entry(0, "queued"), entry(10, "training"), entry(60, "retrieving"), entry(70, "done")]
STAGES = [
    Beginning(at(15), 1, "loading"), Beginning(at(20), 1, "training"), Beginning(at(50), 1, "saving"),
]  # fmt: skip


def told(found):
    return [(segment.name, segment.seconds) for segment in found]


def test_stages_stand_within_the_training():
    found = timeline.segments(LOG, STAGES, at(70), is_finished=True)
    assert told(found) == [
        ("queued", 10), ("starting", 5), ("loading", 5), ("training", 30), ("saving", 10), ("retrieving", 10),
    ]  # fmt: skip
    assert not any(segment.is_now for segment in found)
    assert abs(found[-1].x + found[-1].width - 100) < 0.1


def test_what_goes_on_grows():
    found = timeline.segments(LOG[:2], STAGES[:2], at(40), is_finished=False)
    assert told(found)[-1] == ("training", 20)
    assert found[-1].is_now


def test_several_lines_of_one_phase_are_one_segment():
    log = [*LOG[:2], entry(30, "training"), entry(60, "retrieving")]
    assert [n for n, _ in told(timeline.segments(log, STAGES, at(61), is_finished=False))] == [
        "queued", "starting", "loading", "training", "saving", "retrieving",
    ]  # fmt: skip


def test_a_clock_that_is_behind_turns_nothing_around():
    stages = [Beginning(at(-500), 1, "loading"), Beginning(at(20), 1, "training")]
    found = timeline.segments(LOG[:2], stages, at(30), is_finished=False)
    assert all(segment.seconds >= 0 for segment in found)


def test_a_second_machine_has_its_own_segments():
    log = [*LOG[:2], entry(60, "terminating"), entry(70, "training", 2)]
    stages = [*STAGES, Beginning(at(75), 2, "loading")]
    names = [name for name, _ in told(timeline.segments(log, stages, at(80), is_finished=False))]
    assert names[-3:] == ["terminating", "starting", "loading"]


def test_nothing_begun_is_nothing():
    assert timeline.segments([], [], NOW, is_finished=False) == []
