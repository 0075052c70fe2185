import os
import signal
import subprocess
import sys

import psutil
import pytest

import failures
import launch
import process_group
import rank_results
import restarts
from launch import Meeting
from podtune.core.events import WorkerResult
from podtune.core.job import WorkerOrder
from process_group import Member
from progress import EventWriter
from rank_results import Ended
from support import ranks, tiny_model, worker_jobs

FOREVER = "import signal; signal.pause()"


def attend(programs, **options):
    """Attend to small programs, one for each rank; the rank picks its own."""
    code = "import os, sys; exec(sys.argv[1 + int(os.environ['RANK'])])"
    places = {
        rank: {**process_group.variables(), "RANK": str(rank)} for rank in range(len(programs))
    }
    return launch.attend([sys.executable, "-S", "-c", code, *programs], places, **options)


def gone(pid):
    """Whether a process ends; one that nobody waits for stays as a zombie."""
    try:
        psutil.Process(pid).wait(timeout=60)
    except psutil.NoSuchProcess:
        return True
    except psutil.TimeoutExpired:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    return True


def test_processes_that_end_well_are_waited_for():
    seen = attend(["print('first')", "print('second')"])
    assert sorted(seen.ended) == [Ended(0, 0), Ended(1, 0)]
    assert not seen.stopped


def test_one_that_fails_ends_the_others():
    seen = attend([FOREVER, "sys.exit(7)", FOREVER], grace_s=0.05)
    assert seen.ended[0] == Ended(1, 7)
    assert sorted(seen.ended[1:]) == [Ended(0, -9, by_us=True), Ended(2, -9, by_us=True)]


def test_one_that_is_killed_ends_the_others():
    seen = attend([FOREVER, "os.kill(os.getpid(), 9)"], grace_s=0.05)
    assert seen.ended == [Ended(1, -9), Ended(0, -9, by_us=True)]


def test_the_others_may_end_by_themselves_first(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    waits = f"open({str(pipe)!r}).read(); sys.exit(3)"
    seen = attend([waits, f"open({str(pipe)!r}, 'w'); sys.exit(7)"], grace_s=60)
    assert sorted(seen.ended) == [Ended(0, 3), Ended(1, 7)]


def test_what_a_process_started_ends_with_it(tmp_path):
    """The proof of rank 0 must not outlive a rank 0 that was killed."""
    mark = tmp_path / "pid"
    child = f"[{sys.executable!r}, '-S', '-c', {FOREVER!r}]"
    program = (
        f"import subprocess; p = subprocess.Popen({child}); open({str(mark)!r}, 'w').write(str(p.pid));"
        "os.kill(os.getpid(), 9)"
    )
    seen = attend([program])
    assert seen.ended == [Ended(0, -9)]
    assert gone(int(mark.read_text()))


LAUNCHER = """
import sys
sys.path[:0] = {searched!r}
import launch, process_group
places = {{r: {{**process_group.variables(), "RANK": str(r)}} for r in (0, 1)}}
seen = launch.attend([sys.executable, "-c", {program!r}], places, grace_s={grace_s})
print("ended", [tuple(e) for e in sorted(seen.ended)], seen.stopped, flush=True)
"""


def launcher(program, grace_s=0.05):
    code = LAUNCHER.format(
        searched=[str(p) for p in ranks.SEARCHED], program=program, grace_s=grace_s
    )
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)


def test_sigterm_reaches_every_process_and_is_waited_for():
    polite = (
        "import os, signal, sys\n"
        "def stop(*_): os.write(1, b'saved %s\\n' % os.environb[b'RANK']); sys.exit(5)\n"
        "signal.signal(signal.SIGTERM, stop); os.write(1, b'ready\\n'); signal.pause()"
    )
    with launcher(polite) as parent:
        assert [parent.stdout.readline() for _ in range(2)] == ["ready\n"] * 2
        parent.send_signal(signal.SIGTERM)
        said = parent.stdout.read().splitlines()
    assert sorted(said[:2]) == ["saved 0", "saved 1"]
    assert said[2] == "ended [(0, 5, False), (1, 5, False)] True"


def test_nothing_outlives_a_launcher_that_was_killed():
    follower = (
        f"import sys; sys.path[:0] = {[str(p) for p in ranks.SEARCHED]!r}\n"
        "import os, signal, process_group\n"
        "process_group._follow_launcher(); os.write(1, b'%d\\n' % os.getpid()); signal.pause()"
    )
    with launcher(follower) as parent:
        pids = [int(parent.stdout.readline()) for _ in range(2)]
        parent.kill()
    assert all(gone(pid) for pid in pids)


def test_one_machine_meets_at_a_free_port_of_its_own():
    place = launch.meeting(1, {"MASTER_ADDR": "10.0.0.1", "NODE_RANK": "1"})
    assert place == Meeting("127.0.0.1", place.port, 0, 1)
    assert place.port > 1023


@pytest.mark.parametrize("prefix", ["", "PET_"])
def test_several_machines_meet_where_the_variables_say(prefix):
    said = {"MASTER_ADDR": "10.0.0.1", "MASTER_PORT": "1234", "NODE_RANK": "1", "NNODES": "2"}
    place = launch.meeting(2, {prefix + k: v for k, v in said.items()})
    assert place == Meeting("10.0.0.1", 1234, 1, 2)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({}, "MASTER_ADDR and NODE_RANK is not set"),
        ({"MASTER_ADDR": "10.0.0.1"}, "NODE_RANK is not set"),
        ({"MASTER_ADDR": "a", "NODE_RANK": "0", "NNODES": "3"}, "3 machines are here"),
    ],
)
def test_machines_that_are_not_named_are_refused(said, words):
    with pytest.raises(failures.PlanMismatchError, match=words) as caught:
        launch.meeting(2, said)
    assert caught.value.code == "world_size"


def test_each_process_is_told_who_it_is():
    places = launch.environments(Meeting("10.0.0.1", 1234, node=1, nodes=2), count=2, cores=7)
    assert list(places) == [2, 3]
    told = {**places[3]}
    assert (told["RANK"], told["LOCAL_RANK"], told["WORLD_SIZE"]) == ("3", "1", "4")
    assert (told["MASTER_ADDR"], told["MASTER_PORT"], told["NODE_RANK"]) == (
        "10.0.0.1",
        "1234",
        "1",
    )
    assert told["OMP_NUM_THREADS"] == "3"
    assert process_group.member(told) == Member(3, 4, 1, 2, launched=True)


def word(code):
    return WorkerResult(ok=False, error_code=code, error_message=f"{code} happened")


@pytest.fixture
def job(tmp_path, tiny):
    rows = tiny_model.write_rows(tmp_path / "tickets.jsonl", 12)
    return worker_jobs.make(tmp_path / "job", tiny, rows, {"where.count": 2})


def run(job, program):
    """Launch a small program as if it were the worker's."""
    path = job / "program.py"
    path.write_text("import os, sys, pathlib\njob = pathlib.Path(sys.argv[1])\n" + program)
    order = WorkerOrder.model_validate_json((job / "order.json").read_text())
    assert launch.needed(order)
    return launch.run(path, job, order)


def test_one_process_needs_no_launch(tmp_path, tiny):
    rows = tiny_model.write_rows(tmp_path / "tickets.jsonl", 12)
    job = worker_jobs.make(tmp_path / "job", tiny, rows, {})
    order = WorkerOrder.model_validate_json((job / "order.json").read_text())
    assert not launch.needed(order)


def test_a_launched_process_is_not_launched_again(job, monkeypatch):
    order = WorkerOrder.model_validate_json((job / "order.json").read_text())
    monkeypatch.setenv("RANK", "0")
    assert not launch.needed(order)


def test_a_job_that_ends_well_gets_no_word_of_the_launcher(job):
    assert run(job, "") == 0
    assert not (job / "events.jsonl").exists()


def test_a_job_that_fails_gets_the_typed_cause_as_its_result(job):
    (job / "work").mkdir()
    assert run(job, "if os.environ['RANK'] == '1': sys.exit(9)") == 0  # the main one ended well
    assert run(job, "if os.environ['RANK'] == '0': os.kill(os.getpid(), 9)") == 137
    (event,) = worker_jobs.events(job)
    assert event.result.error_code == "rank_lost"


def test_a_result_that_was_told_stays_the_last_word(job):
    said = EventWriter(job / "events.jsonl", job="demo", attempt=1)
    said.result(word("step_hung"))
    assert run(job, "sys.exit(5)") == 5
    (event,) = worker_jobs.events(job)
    assert event.result.error_code == "step_hung"


def test_all_processes_start_once_more_when_one_asks_for_it(job):
    (job / "work").mkdir()
    program = f"""
mark = job / 'work' / f"begun-{{os.environ['RANK']}}"
if not mark.exists():
    mark.touch()
    sys.exit({restarts.AGAIN})
"""
    assert run(job, program) == 0
    assert {p.name for p in (job / "work").glob("begun-*")} == {"begun-0", "begun-1"}


def test_the_page_names_what_is_read_and_told(root):
    page = (root / "docs/how-to/several-gpus.md").read_text(encoding="utf-8")
    for name in ("MASTER_ADDR", "MASTER_PORT", "NODE_RANK", "NNODES", "NUM_NODES", "PET_"):
        assert name in page
        assert name in (root / "runpod-worker/launch.py").read_text(encoding="utf-8")
    for code in ("world_size", "rank_lost", rank_results.PEER_LOST):
        assert f"`{code}`" in page
