"""News of a worker: as many pieces as it takes, and none twice for another reader."""

import itertools
from datetime import timedelta

from podtune.app.pod_news import PodNews
from podtune.app.settings import Settings
from podtune.core.events import EventKind, TrainingEvent
from podtune.core.states import WorkerStage
from podtune.storage.places import DirectStore
from podtune.storage.pod_port import Tail
from podtune.workflow.folder import EventTail
from podtune.workflow.steps import Heard
from support import build, rented_jobs

JOB = rented_jobs.job()


class NoLogs:
    def new(self, pod, source):
        return ()


class Short(rented_jobs.Port):
    """Gives a few bytes at a time, as a long log does."""

    def events(self, after):
        self._ask("events")
        return Tail(self.events_there[after : after + 400], len(self.events_there))

    def log(self, after):
        self._ask("log")
        return Tail(self.log_there[after : after + 2], len(self.log_there))


def line(seq):
    return TrainingEvent(
        job=JOB.id, attempt=1, seq=seq, time=build.NOW, kind=EventKind.STEP,
        stage=WorkerStage.TRAINING, step=seq,
    ).line()  # fmt: skip


def test_everything_there_is_is_read_in_pieces(tmp_path):
    settings = Settings(home=tmp_path)
    folder = settings.jobs / JOB.id
    folder.mkdir(parents=True)
    port = Short("training")
    port.events_there = "".join(line(n) + "\n" for n in range(9)).encode() + b"{half"
    port.log_there = b"abcde"
    news = PodNews(settings, NoLogs(), lambda: build.NOW)
    news.read(JOB, port, port.status())
    assert [e.seq for e in EventTail(folder / "events.jsonl").read()] == list(range(9))
    assert (folder / "worker.log").read_bytes() == b"abcde"
    news.forget(JOB)
    news.read(JOB, port, port.status())
    assert len(list(EventTail(folder / "events.jsonl").read())) == 9
    assert news.by_stream(JOB, DirectStore()) == Heard(searched=True)


class Endless(rented_jobs.Port):
    """Says that there is ever more, and gives it."""

    given = 0

    def status(self):
        return super().status().model_copy(update={"events_bytes": 10**18, "log_bytes": 10**18})

    def events(self, after):
        self.given += 1
        return Tail((line(self.given) + "\n").encode(), 10**18)

    def log(self, after):
        self.given += 1
        return Tail(b"x", 10**18)


def test_a_machine_that_never_ends_is_left_after_a_while(tmp_path):
    settings = Settings(home=tmp_path)
    (settings.jobs / JOB.id).mkdir(parents=True)
    moments = (build.NOW + timedelta(seconds=n) for n in range(200))
    port = Endless("training")
    PodNews(settings, NoLogs(), lambda: next(moments)).read(JOB, port, port.status())
    assert port.given < 20


def test_a_store_is_asked_at_the_first_look_also_where_the_clock_moves_between_two_readings(
    tmp_path,
):
    """Found by a job that was delivered while this machine was off: its store was never asked."""
    ticks = itertools.count()
    news = PodNews(
        Settings(home=tmp_path), NoLogs(), lambda: build.NOW + timedelta(microseconds=next(ticks))
    )
    (tmp_path / "jobs" / JOB.id).mkdir(parents=True)
    assert news.by_stream(JOB, DirectStore()).searched
