"""Since when the rented place has not answered."""

from datetime import timedelta

import pytest

from podtune.app import unanswered
from podtune.app.unanswered import FILE, Notes
from support import build


@pytest.fixture
def moment():
    return [build.NOW]


@pytest.fixture
def notes(tmp_path, moment):
    return Notes(tmp_path, lambda: moment[0])


def words(folder, moment):
    return unanswered.words(folder, moment[0])


def test_nothing_is_said_while_it_answers(tmp_path, notes, moment):
    notes(True)
    assert words(tmp_path, moment) is None
    assert list(tmp_path.iterdir()) == []


def test_the_first_time_it_gave_no_answer_counts(tmp_path, notes, moment):
    begun = moment[0]
    for _ in range(5):
        notes(False)
        moment[0] += timedelta(minutes=1)
    told = words(tmp_path, moment)
    assert told.startswith(f"RunPod could not be asked since {begun:%H:%M} UTC: ")
    assert "podtune runpod audit" in told
    notes(True)
    assert words(tmp_path, moment) is None


def test_what_nobody_renews_is_said_no_more(tmp_path, notes, moment):
    notes(False)
    moment[0] += timedelta(minutes=11)
    assert words(tmp_path, moment) is None


def test_another_day_is_named(tmp_path, notes, moment):
    begun = moment[0]
    notes(False)
    moment[0] += timedelta(days=2)
    notes(False)
    assert f"since {begun:%Y-%m-%d %H:%M} UTC: " in words(tmp_path, moment)


def test_a_file_that_cannot_be_read_says_nothing(tmp_path, notes, moment):
    (tmp_path / FILE).write_text("{")
    assert words(tmp_path, moment) is None
    notes(False)
    assert words(tmp_path, moment)
