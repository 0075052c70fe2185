"""The application's status object on the machine's own port."""

import json
import threading
from types import SimpleNamespace

import pytest

import job_status
from job_status import JobStatus, by_hand
from orders import Refused
from status_manager import StatusManager
from support import pod_bundles
from support.pod_machine import JOB, Machine, eventually, hand_over

ROUTE = f"training/status/{JOB}"
TRAINER = pod_bundles.TRAINER.replace(
    'emit("step", step=1, total_steps=2)',
    'emit("step", step=1, total_steps=2, metrics={"training_loss": 1.5, "gpu_utilization": 92.5})',
)
"""A trainer whose step has figures."""
BROKEN = "raise SystemExit(3)\n"


@pytest.fixture
def program(root):
    """The worker's real program."""
    return (root / "runpod-worker" / "status_manager.py").read_text(encoding="utf-8")


def give(machine, bundle):
    port = machine.port()
    port.hand_over(hand_over(bundle))
    assert port.send_bundle(bundle, within_s=20)
    return port


def asked(machine, **wanted):
    """Ask until the status is as wanted."""

    def look():
        code, said = machine.ask("GET", ROUTE)
        assert code == 200
        return all(said[name] == value for name, value in wanted.items()) and said

    return eventually(look)


def test_by_hand_it_is_what_the_worker_would_say():
    told = StatusManager("demo", attempt=3).to_wire()
    assert by_hand("demo", 3) == told
    assert list(by_hand("demo", 3))[:7] == list(told)[:7]


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    with Machine(tmp_path_factory.mktemp("status")) as machine:
        eventually(machine.is_up)
        yield machine


def test_it_is_there_before_anything_came(shared):
    assert shared.ask("GET", ROUTE) == (200, by_hand(JOB, 1))


@pytest.mark.parametrize(
    "path",
    ["training/status/other", "training/status", "training", "training/submit", f"{ROUTE}/x"],
)
def test_what_is_not_known_is_not_found(shared, path):
    code, said = shared.ask("GET", path)
    assert (code, bool(said["reason"])) == (404, True)


@pytest.mark.parametrize("token", [None, "another", ""])
@pytest.mark.parametrize("path", [ROUTE, "training/status/other"])
def test_nothing_without_the_token(shared, path, token):
    assert shared.ask("GET", path, None, token)[0] == 401


def test_a_whole_job(up, tmp_path, program):
    bundle = pod_bundles.write(
        tmp_path / "bundle.tar", mode="wait", status_manager=program, train_lora=TRAINER
    )
    with give(up, bundle) as port:
        running = asked(up, current_step=1)
        assert (running["status"], running["stage"], running["phase"]) == (
            "running", "training", "training",
        )  # fmt: skip
        assert 10 < running["progress"] < 92
        assert running["metrics"]["gpu_utilization"] == 92.5
        assert set(running) == set(by_hand(JOB, 1))
        (up.folder / "go").touch()
        done = asked(up, status="completed")
        assert (done["progress"], done["current_step"], done["attempt"]) == (100, 1, 1)
        assert (done["job_id"], done["external_job_id"]) == (JOB, JOB)
        port.release()
    eventually(up.control.ended.is_set)


def test_a_failure_is_told_with_its_advice(up, tmp_path, program):
    bundle = pod_bundles.write(
        tmp_path / "bundle.tar", mode="die", status_manager=program, train_lora=TRAINER
    )
    with give(up, bundle):
        failed = asked(up, status="failed")
    assert (failed["error_code"], failed["current_step"]) == ("worker_lost", 1)
    assert "signal 9" in failed["error_message"]
    assert "podtune resume" in failed["advice"]
    assert failed["progress"] < 100


@pytest.mark.parametrize("more", [{}, {"status_manager": BROKEN}])
def test_a_failure_is_told_without_the_program_too(up, tmp_path, more):
    bundle = pod_bundles.write(tmp_path / "bundle.tar", preflight=pod_bundles.UNFIT, **more)
    with give(up, bundle):
        failed = asked(up, status="failed")
    assert (failed["error_code"], failed["error_message"]) == ("no_cuda", "no card")
    assert set(failed) == set(by_hand(JOB, 1))


class State:
    """As much of a machine's state as the status asks for."""

    def __init__(self, folder):
        self.phase, self.bytes = "training", 0
        self.orders = SimpleNamespace(
            job="demo", attempt=1, folder=folder, workspace=folder, events=folder / "events.jsonl",
            job_folder=folder,
        )  # fmt: skip

    def status(self):
        return {"events_bytes": self.bytes}


@pytest.fixture
def counted(tmp_path):
    """A status whose program counts how often it was asked."""
    worker = tmp_path / "libraries-1" / "podtune" / "worker"
    worker.mkdir(parents=True)
    asked = tmp_path / "asked"
    (worker / "status_manager.py").write_text(
        "import json, pathlib, sys\n"
        f"asked = pathlib.Path({str(asked)!r})\n"
        "asked.write_text((asked.read_text() if asked.exists() else '') + 'x')\n"
        "print(json.dumps({'status': 'running', 'phase': sys.argv[4]}))\n"
    )
    now = [0.0]
    state = State(tmp_path)
    found = JobStatus(state, {"RUNPOD_API_KEY": "planted"}, lambda: now[0])
    return SimpleNamespace(status=found, state=state, now=now, asked=asked, program=worker)


def test_the_program_is_asked_only_when_something_moved(counted):
    for _ in range(3):
        assert counted.status.read("demo")["phase"] == "training"
    counted.state.bytes = 10
    counted.status.read("demo")
    assert counted.asked.read_text() == "x"
    counted.now[0] = job_status.KEPT_S + 0.1
    counted.status.read("demo")
    counted.now[0] = 100.0
    counted.status.read("demo")
    assert counted.asked.read_text() == "xx"


def test_who_comes_while_it_is_asked_gets_what_is_known(counted):
    (counted.program / "status_manager.py").write_text(
        "import json, pathlib, time\n"
        f"folder = pathlib.Path({str(counted.program)!r})\n"
        "(folder / 'asked').touch()\n"
        "while not (folder / 'go').exists():\n"
        "    time.sleep(0.01)\n"
        "print(json.dumps({'status': 'running', 'progress': 50}))\n"
    )
    first = threading.Thread(target=counted.status.read, args=("demo",))
    first.start()
    eventually((counted.program / "asked").exists)
    assert counted.status.read("demo") == by_hand("demo", 1)
    (counted.program / "go").touch()
    first.join()
    assert counted.status.read("demo")["progress"] == 50


def test_what_was_told_stands_where_the_program_fails_later(counted, capsys):
    counted.status.read("demo")
    (counted.program / "status_manager.py").write_text(BROKEN)
    for phase, expected in (("delivering", "running"), ("finished", "completed")):
        counted.state.phase, counted.now[0] = phase, counted.now[0] + 10
        assert counted.status.read("demo")["status"] == expected
    assert "cannot be told: CalledProcessError" in capsys.readouterr().out


def test_a_failure_that_nobody_wrote_down_is_told_as_one(counted):
    counted.state.phase = "failed"
    (counted.program / "status_manager.py").write_text("print('no json')\n")
    counted.state.orders.events.write_text(
        json.dumps({"attempt": 1, "result": {"ok": False, "error_code": "x"}}) + "\n"
    )
    told = counted.status.read("demo")
    assert (told["status"], told["error_code"], told["advice"]) == ("failed", "x", None)


def test_another_id_is_refused(counted):
    with pytest.raises(Refused) as caught:
        counted.status.read("other")
    assert caught.value.status == 404
    assert not counted.asked.exists()
