"""The job's folder, and its worker's events read as they grow."""

from datetime import UTC, datetime

import pytest

from podtune.core.events import EventKind, TrainingEvent, WorkerResult
from podtune.core.states import WorkerStage
from podtune.workflow import folder
from podtune.workflow.folder import AttemptWatch, EventTail, JobFolder, newest_first

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def event(seq=0, attempt=1, *, kind=EventKind.STAGE, **fields):
    return TrainingEvent(
        job="demo",
        attempt=attempt,
        seq=seq,
        time=NOW,
        kind=kind,
        stage=WorkerStage.TRAINING,
        **fields,
    )


def result(attempt=1, *, ok=True, **fields):
    said = WorkerResult(ok=ok, **fields)
    return event(9, attempt, kind=EventKind.RESULT, result=said)


def write(path, *events, end="\n"):
    with path.open("a", encoding="utf-8") as stream:
        stream.write("\n".join(e.line() for e in events) + end)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "events.jsonl"


def test_everything_of_a_job_lies_in_its_folder(tmp_path):
    folder = JobFolder(tmp_path / "jobs" / "demo")
    places = (folder.order, folder.events, folder.log, folder.artifact, folder.data)
    assert {p.parent for p in places} == {folder.path}
    assert len(set(places)) == 5
    assert folder.data_file("train.csv") == folder.data / "train.csv"
    assert not folder.path.exists()


def test_no_file_is_no_events(path):
    assert list(EventTail(path).read()) == []


def test_each_read_gives_what_is_new(path):
    tail = EventTail(path)
    write(path, event(0), event(1))
    assert [e.seq for e in tail.read()] == [0, 1]
    assert list(tail.read()) == []
    write(path, event(2))
    assert [e.seq for e in tail.read()] == [2]


def test_a_line_being_written_waits_until_it_is_whole(path):
    tail = EventTail(path)
    line = event(0).line()
    path.write_text(line[:30], encoding="utf-8")
    assert list(tail.read()) == []
    path.write_text(line, encoding="utf-8")
    assert list(tail.read()) == []
    path.write_text(line + "\n", encoding="utf-8")
    assert [e.seq for e in tail.read()] == [0]


def test_a_character_cut_in_two_waits_too(path):
    tail = EventTail(path)
    line = (event(0, message="größe ✓").line() + "\n").encode()
    cut = line.index("✓".encode()) + 1
    path.write_bytes(line[:cut])
    assert list(tail.read()) == []
    path.write_bytes(line)
    assert [e.message for e in tail.read()] == ["größe ✓"]


def test_other_lines_and_a_line_cut_by_a_crash_are_passed_over(path):
    path.write_bytes(b"chatter\n" + event(0).line()[:40].encode() + b"\n\xff\xfe\n{}\n")
    write(path, event(1))
    assert [e.seq for e in EventTail(path).read()] == [1]


@pytest.mark.parametrize("odd", ["\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1e", "\r", "\n"])
def test_only_a_line_feed_ends_an_event(path, odd):
    write(path, event(0, message=f"before{odd}after"))
    assert [e.message for e in EventTail(path).read()] == [f"before{odd}after"]


def test_two_tails_do_not_disturb_each_other(path):
    write(path, event(0))
    one, other = EventTail(path), EventTail(path)
    assert len(list(one.read())) == len(list(other.read())) == 1


def test_there_is_no_result_before_the_worker_said_one(path):
    watch = AttemptWatch(path, 1)
    assert watch.result() is None
    write(path, event(0))
    assert watch.result() is None


def test_the_result_is_kept_once_it_was_seen(path):
    watch = AttemptWatch(path, 1)
    write(path, result(files={"a": "b"}))
    found = watch.result()
    assert found is not None
    assert found.files == {"a": "b"}
    assert watch.result() is found


def test_the_result_of_another_attempt_is_not_ours(path):
    write(path, result(1, ok=False))
    watch = AttemptWatch(path, 2)
    assert watch.result() is None
    write(path, result(2))
    found = watch.result()
    assert found is not None
    assert found.ok


@pytest.mark.parametrize("block", [1, 7, 64, 1 << 20])
def test_from_the_end_it_is_the_same_backwards(path, monkeypatch, block):
    monkeypatch.setattr(folder, "BLOCK_BYTES", block)
    path.write_bytes(b"\xff chatter\r\n\n{}\n")
    write(path, *(event(n, facts={"text": "\u2028 é \r" * n}) for n in range(12)))
    with path.open("a", encoding="utf-8") as stream:
        stream.write("chatter\n" + event(99).line())
    tail = EventTail(path)
    assert [e.seq for e in tail.read()] == list(range(12))
    assert [e.seq for e in newest_first(path)] == list(range(11, -1, -1))
    write(path, event(100), end="")
    assert list(tail.read()) == []


@pytest.mark.parametrize("block", [16, 1 << 20])
def test_a_reader_goes_on_behind_an_event(path, monkeypatch, block):
    monkeypatch.setattr(folder, "BLOCK_BYTES", block)
    write(path, event(0), event(1), event(2), event(0, 2), event(1, 2))
    for attempt, seq, rest in ((1, 1, [2, 0, 1]), (2, 0, [1]), (2, 1, [])):
        tail = EventTail(path)
        assert tail.skip_behind(attempt, seq)
        assert [e.seq for e in tail.read()] == rest
    assert not EventTail(path).skip_behind(3, 0)
    assert not EventTail(path.with_name("none")).skip_behind(1, 0)
    assert list(newest_first(path.with_name("none"))) == []
