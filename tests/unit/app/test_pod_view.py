"""Pictures of a pod: from itself where it answers, from RunPod where it does not."""

import pytest

from podtune.app import machine_view
from podtune.app.pod_view import PodView
from podtune.core.handover import GpuUse, PodStatus
from podtune.providers.base import InstanceState
from podtune.providers.runpod.listing import GpuUse as Listed
from podtune.providers.runpod.listing import PodFacts
from podtune.providers.runpod.log_stream import LogLine
from podtune.workflow.steps import Heard
from support import build, rented_jobs


class Logs:
    def __init__(self):
        self.lines = []

    def is_due(self, pod, source):
        return True

    def new(self, pod, source):
        return self.lines


@pytest.fixture
def bench(tmp_path):
    class Bench:
        logs, pods, folder = Logs(), rented_jobs.Pods(), tmp_path / "demo-abc234"
        view = PodView(tmp_path, pods, logs, lambda: build.NOW)

        def read(self):
            return machine_view.read(self.folder)

    (tmp_path / "demo-abc234").mkdir()
    return Bench()


JOB = rented_jobs.job()


def test_the_boot_is_told_by_the_provider_s_log(bench):
    assert bench.view.boot(JOB) == Heard(log_read=True)
    assert bench.read().detail == "waiting for its first word"
    bench.logs.lines = [LogLine("1", "system", "pulling runpod/pytorch 40 %", "")]
    assert bench.view.boot(JOB).said == "pulling runpod/pytorch 40 %"
    assert (bench.read().step, bench.read().detail) == (
        "starting",
        "machine starts: pulling runpod/pytorch 40 %",
    )
    bench.logs.lines = []
    bench.view.boot(JOB)
    assert bench.read().detail == "machine starts: pulling runpod/pytorch 40 %"


def test_a_container_that_is_started_again_and_again_is_told(bench):
    bench.logs.lines = [LogLine("1", "system", "start container for x: begin", "")]
    assert [bench.view.boot(JOB).starts for _ in range(2)] == [1, 2]
    assert "started" not in bench.read().detail
    assert bench.view.boot(JOB) == Heard(
        log_read=True, said="start container for x: begin", starts=3
    )
    assert bench.read().detail.endswith("start container for x: begin (started 3 times)")
    bench.logs.lines = []
    assert bench.view.boot(JOB).starts == 3
    bench.logs.lines = [LogLine("2", "system", "start container: OCI runtime create failed", "")]
    assert bench.view.boot(JOB).starts == 4, "one that failed is one more"


def test_the_machine_s_own_figures_come_first(bench):
    own = GpuUse(util=93.0, memory_used_bytes=5, memory_total_bytes=10)
    bench.view.status(JOB, PodStatus(phase="training", attempt=1, detail="step", gpus=(own,)))
    assert bench.read().gpus == (own,)
    assert bench.read().heard_at == build.NOW
    bench.pods.facts["pod1"] = PodFacts(
        id="pod1", name="n", state=InstanceState.RUNNING, status="RUNNING", usd_per_hour=None,
        gpu=None, region=None, cuda=None, created_at=None, uptime_s=1,
        gpus=(Listed(50.0, 25.0), Listed(None, None)), ssh=(),
    )  # fmt: skip
    bench.view.status(JOB, PodStatus(phase="training", attempt=1))
    first, second = bench.read().gpus
    assert (first.util, first.memory_used_bytes) == (50.0, 12 * 2**30)
    assert (second.util, second.memory_used_bytes) == (None, None)


def test_what_is_sent_is_counted(bench):
    bench.view.progress(JOB, "receiving", "sending the work")(12, 40)
    found = bench.read()
    assert (found.step, found.done_bytes, found.total_bytes) == ("receiving", 12, 40)


def test_a_picture_that_cannot_be_written_stops_nothing(bench, caplog):
    bench.folder.rmdir()
    bench.view.show(JOB, "ending", "waiting for the proof that it is gone")
    bench.view.progress(JOB, "finished", "fetching the adapter")(1, 2)
    assert bench.read() is None
    assert "no picture" in caplog.text
