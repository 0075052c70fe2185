"""What is new of a job, look by look."""

import pytest

from podtune.app import feed
from podtune.app.feed import LOOKS_A_STATE, Mark, parse_mark
from podtune.core.errors import NotFoundError
from podtune.core.states import Outcome
from podtune.workflow.folder import JobFolder
from support import desks, homes


@pytest.fixture
def desk(office):
    return office.here


@pytest.fixture
def folder(settings, job):
    made = JobFolder(settings.jobs / job.id)
    made.path.mkdir(parents=True, exist_ok=True)
    return made


def seqs(found):
    return [event if event is None else event.seq for event in found]


@pytest.mark.parametrize(
    ("text", "mark"),
    [
        ("1:0", Mark(1, 0)), ("12:345", Mark(12, 345)), ("3:end", Mark(3, None)), (None, None),
        ("", None), ("1", None), ("1:", None), ("-1:2", None), ("1:2\n", None), ("9" * 10 + ":1", None),
        ("\uff11:2", None), ("1:" + "9" * 17, None),
    ],
)  # fmt: skip
def test_marks(text, mark):
    assert parse_mark(text) == mark
    if mark is not None:
        assert str(mark) == text


def test_events_come_as_they_are_written_until_the_job_has_ended(desk, settings, job, folder):
    homes.say(folder.events, job, seq=0)
    found = feed.events(desk, job.id)
    assert seqs([next(found), next(found)]) == [0, None]
    homes.say(folder.events, job, seq=1)
    assert seqs([next(found), next(found)]) == [1, None]
    homes.say(folder.events, job, seq=2)
    homes.finish(settings, job, Outcome.FAILED)
    assert [seq for seq in seqs(found) if seq is not None] == [2]


def test_it_goes_on_exactly_behind_a_mark(desk, settings, job, folder):
    for attempt, seq in ((1, 0), (1, 1), (1, 3), (1, 2), (2, 0), (2, 1)):
        homes.say(folder.events, job, attempt, seq=seq)
    homes.finish(settings, job, Outcome.FAILED)

    def behind(text):
        return [str(feed.mark_of(e)) for e in feed.events(desk, job.id, parse_mark(text)) if e]

    whole = ["1:0", "1:1", "1:3", "1:2", "2:0", "2:1"]
    assert behind(None) == behind("7:7") == whole
    for place, name in enumerate(whole):
        assert behind(name) == whole[place + 1 :]
    assert behind("1:end") == ["2:0", "2:1"]
    assert behind("2:end") == []


def test_a_silent_job_costs_the_store_one_question_in_several_looks(desk, job, monkeypatch):
    asked = []
    monkeypatch.setattr(desk, "get", lambda name, get=desk.get: asked.append(name) or get(name))
    found = feed.events(desk, job.id)
    assert [next(found) for _ in range(3 * LOOKS_A_STATE)] == [None] * 3 * LOOKS_A_STATE
    assert len(asked) <= 4


def test_a_log_in_blocks_without_breaking_a_letter(desk, settings, job, folder, monkeypatch):
    monkeypatch.setattr(feed, "BLOCK_BYTES", 3)
    text = "aä€😀b" * 5
    folder.log.write_text(text, encoding="utf-8")
    assert "".join(filter(None, feed.log(desk, job.id, follow=False))) == text
    folder.log.write_bytes(text.encode() + b"\xf0\x9f")
    homes.finish(settings, job, Outcome.FAILED)
    assert "".join(filter(None, feed.log(desk, job.id, follow=True))) == text + "\ufffd"


def test_what_was_refused_has_ended_and_has_nothing(office, desk):
    office.submissions.preparing._closing.set()
    found = desk.submit(desks.asked("/no/such/file"), wait_s=0)
    assert not feed.has_ended(found)
    waiting = feed.events(desk, found.id)
    assert next(waiting) is None
    desk.cancel(found.id)
    assert feed.has_ended(desk.get(found.id))
    assert feed.end_of(desk.get(found.id)) == Mark(0, None)
    assert [one for one in waiting if one is not None] == []


def test_anothers_job_is_not_there(office, job):
    stranger = office.desk(desks.tenant("t"))
    for found in (feed.events(stranger, job.id), feed.log(stranger, job.id, follow=True)):
        with pytest.raises(NotFoundError):
            next(found)


def test_a_log_shows_no_secret_wherever_its_blocks_are_cut(office, mine, monkeypatch):
    monkeypatch.setattr(feed, "BLOCK_BYTES", 7)
    desk = office.here
    job = desk.submit(mine("a")).job
    path = JobFolder(office.service.settings.jobs / job.id).log
    secret = "hf_" + "abcdefghij" * 4
    path.write_text(f"first\ntoken {secret} seen\nlast without end {secret}")
    told = "".join(piece or "" for piece in feed.log(desk, job.id, follow=False))
    assert "first\n" in told
    assert "last without end" in told
    assert secret not in told


def test_a_line_without_an_end_fills_no_memory(office, mine, monkeypatch):
    monkeypatch.setattr(feed, "LINE_CHARACTERS", 100)
    desk = office.here
    job = desk.submit(mine("a")).job
    path = JobFolder(office.service.settings.jobs / job.id).log
    path.write_text("x" * 1000)
    assert "".join(p or "" for p in feed.log(desk, job.id, follow=False)) == "x" * 1000
