"""Sums of events that are kept between looks are those of all events read anew, whatever becomes of the file."""

import threading
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from podtune.app.folds import Folds
from podtune.core.events import EventKind, Metrics, TrainingEvent
from podtune.core.progress import fold
from podtune.core.states import WorkerStage
from podtune.workflow import folder
from podtune.workflow.folder import EventTail
from support import build


def event(seq, *, attempt=1, kind=EventKind.STEP, loss=1.0, **more):
    return TrainingEvent(
        job="demo", attempt=attempt, seq=seq, time=build.NOW + timedelta(seconds=seq), kind=kind,
        stage=WorkerStage.TRAINING, step=seq, total_steps=100, metrics=Metrics(training_loss=loss), **more,
    )  # fmt: skip


def lines(events):
    return "".join(one.line() + "\n" for one in events)


def anew(path):
    """As if nothing was ever kept."""
    return fold(EventTail(path).read())._replace(losses=())


@pytest.fixture
def path(tmp_path):
    return tmp_path / "events.jsonl"


@pytest.fixture
def reads(monkeypatch):
    """How many lines were understood."""
    seen = []
    real = folder.parse_line
    monkeypatch.setattr(folder, "parse_line", lambda line: (line and seen.append(1), real(line))[1])
    return seen


def test_a_look_reads_only_what_is_new(path, reads):
    kept = Folds()
    path.write_text(lines(map(event, range(50))))
    assert kept.look(path).step == 49
    assert len(reads) == 50
    assert kept.look(path).step == 49
    assert len(reads) == 50, "nothing changed, nothing is read"
    with path.open("a") as stream:
        stream.write(lines([event(50)]))
    assert kept.look(path).step == 50
    assert len(reads) == 51


def test_a_line_that_is_still_written_waits(path):
    kept, text = Folds(), lines([event(1), event(2)])
    path.write_text(text[:-9])
    assert kept.look(path).step == 1
    path.write_text(text)
    assert kept.look(path).step == 2


def test_no_file_is_nothing_and_a_file_that_went_is_forgotten(path):
    kept = Folds()
    assert kept.look(path) == anew(path)
    path.write_text(lines([event(7)]))
    assert kept.look(path).step == 7
    path.unlink()
    assert kept.look(path) == anew(path)


@pytest.mark.parametrize("way", ["cut", "replaced", "written over", "written over and longer"])
def test_a_file_that_is_another_one_is_read_again(path, way):
    kept = Folds()
    path.write_text(lines(map(event, range(30))))
    kept.look(path)
    others = [event(n, loss=3.0) for n in range(20)]
    if way == "cut":
        path.write_text(lines(others[:3]))
    elif way == "replaced":
        fresh = path.with_suffix(".tmp")
        fresh.write_text(lines(map(event, range(30))) + lines([event(30, loss=9.0)]))
        fresh.replace(path)
    elif way == "written over":
        path.write_text(lines(others))
    else:
        path.write_text(lines(event(n, loss=4.0) for n in range(60)))
    assert kept.look(path) == anew(path)


def test_a_line_longer_than_a_block_and_odd_bytes(path, monkeypatch):
    monkeypatch.setattr(folder, "BLOCK_BYTES", 64)
    odd = b"\xff\xfe nonsense\n\n{}\n"
    long = event(3, kind=EventKind.WARNING, message="x" * 5000)
    path.write_bytes(odd + lines([event(1), long, event(4)]).encode() + odd)
    assert Folds().look(path) == anew(path)


def test_what_was_not_asked_for_the_longest_is_given_up(tmp_path, reads):
    paths = [tmp_path / f"{n}.jsonl" for n in range(4)]
    for one in paths:
        one.write_text(lines(map(event, range(10))))
    by_files, by_points = Folds(most_files=2), Folds(most_points=25)
    for kept in (by_files, by_points):
        for one in (*paths, paths[2]):
            assert kept.look(one) == anew(one)
        reads.clear()
        kept.look(paths[2])
        kept.look(paths[3])
        assert not reads, "the newest two are kept"
        kept.look(paths[0])
        assert len(reads) == 10
    large = Folds(most_points=5)
    assert large.look(paths[0]).step == large.look(paths[0]).step == 9, "one is always kept"


def test_many_threads_read_a_file_once(path, reads):
    path.write_text(lines(map(event, range(500))))
    kept, found = Folds(), []
    threads = [
        threading.Thread(target=lambda: found.append(kept.look(path).step)) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [499] * 8
    assert len(reads) == 500


KINDS = st.sampled_from([EventKind.STEP, EventKind.EVALUATION, EventKind.WARNING, EventKind.FACTS])
TOLD = st.builds(
    event,
    st.integers(0, 30),
    attempt=st.integers(1, 3),
    kind=KINDS,
    loss=st.floats(0, 9),
    message=st.sampled_from(["w", "v"]),
    facts=st.just({"train_tokens": 5}),
)
RESUMED = st.builds(
    event, st.integers(0, 30), attempt=st.integers(1, 3), kind=st.just(EventKind.CHECKPOINT),
    message=st.just("resumed"),
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.lists(st.lists(TOLD | RESUMED, max_size=8), max_size=8))
def test_however_it_is_cut_into_looks_the_sum_is_the_same(tmp_path_factory, told):
    path = tmp_path_factory.mktemp("folds") / "events.jsonl"
    kept = Folds()
    for part in told:
        with path.open("a") as stream:
            stream.write(lines(part))
        assert kept.look(path) == anew(path)
