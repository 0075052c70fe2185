"""A short day of many jobs: nothing is lost and nothing is left. Memory is measured by `make faults`."""

from faults.soak import soak


def test_a_short_day(socket_enabled):
    report = soak(jobs=12, hours=3, seed=3)
    assert report.jobs > 12
    assert report.completed == report.jobs
    assert report.recovered > 0, "machines were lost, and their jobs went on"
    assert (report.lost_events, report.left, report.unfinished) == (0, 0, 0)
