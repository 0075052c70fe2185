"""`podtune dev cloud` as a program: what it prints, and that nothing of it outlives it."""

import json
import os
import shlex
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx2
import psutil
import pytest

from podtune.storage.bundle import lock_sha256
from podtune.testing.dev import IMAGE, laptop_cloud
from support.hearing import hear_all
from support.waiting import until

PODTUNE = [sys.executable, "-m", "podtune"]


class Program:
    """A running `podtune dev cloud`."""

    def __init__(self, folder, *words):
        # a group of its own, as a shell gives it: the cloud has to see to its pods by itself
        self.process = subprocess.Popen(
            [*PODTUNE, "dev", "cloud", "--port", "0", "--boot-s", "0", "--output", "json", *words],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
            env={**os.environ, "TMPDIR": str(folder)},
            preexec_fn=hear_all,
        )  # fmt: skip
        line = self.process.stdout.readline()
        assert line, self.process.stderr.read()
        self.facts = json.loads(line)
        self.variables = self.facts["environment"]

    def ask(self, method, path, **more):
        head = {
            "Authorization": f"Bearer {self.variables['RUNPOD_API_KEY']}", "User-Agent": "podtune/1"
        }  # fmt: skip
        address = f"{self.variables['RUNPOD_REST_BASE_URL']}{path}"
        return httpx2.request(method, address, headers=head, timeout=20, **more)

    def pod_with_two_processes(self):
        """Start a pod whose child took a session of its own; both processes."""
        child = "import subprocess; subprocess.Popen(['sleep', '600'], start_new_session=True)"
        program = f"{child}; import time; time.sleep(600)"
        body = {
            "name": "t", "image": "runpod/x", "gpu": {"id": "Stand-in CPU", "count": 1},
            "disk": 5, "args": f"python3 -c {shlex.quote(program)}",
        }  # fmt: skip
        answer = self.ask("POST", "/pods", json=body)
        assert answer.status_code == 201, answer.text

        def started():
            below = psutil.Process(self.process.pid).children(recursive=True)
            found = [p for p in below if p.is_running() and "600" in " ".join(p.cmdline())]
            return found if len(found) >= 3 else None

        return until(started, "two processes under a first one")

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(20)
        self.process.stdout.close()
        self.process.stderr.close()


@pytest.fixture
def start(tmp_path):
    running = []

    def started(*words):
        program = Program(tmp_path, *words)
        running.append(program)
        return program

    yield started
    for program in running:
        program.close()


def alive(processes):
    return [p for p in processes if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_with_everything_it_started(start, number):
    program = start()
    processes = program.pod_with_two_processes()
    program.process.send_signal(number)
    assert program.process.wait(20) == 0
    assert alive(processes) == []
    assert not Path(program.facts["folder"]).exists()


def test_pods_end_by_themselves_when_it_is_killed(start):
    program = start()
    processes = program.pod_with_two_processes()
    program.process.kill()
    until(lambda: not alive(processes), "the end of every process")


def test_all_that_is_needed_is_in_its_json(start):
    program = start("--balance", "7.5")
    url = program.facts["url"]
    assert program.facts["pid"] == program.process.pid
    assert all(v.startswith((url, "rpa_")) for v in program.variables.values())
    answer = httpx2.post(
        program.variables["RUNPOD_API_BASE_URL"],
        json={"query": "query { myself { clientBalance } }"},
        headers={"Authorization": f"Bearer {program.variables['RUNPOD_API_KEY']}"},
    )
    assert answer.json()["data"]["myself"]["clientBalance"] == 7.5


def test_it_takes_no_key_but_its_own(start):
    program = start()
    assert program.ask("GET", "/pods").status_code == 200
    program.variables["RUNPOD_API_KEY"] = "rpa_REVOKEDANDEXAMPLE0000000000000000000000"
    assert program.ask("GET", "/pods").status_code == 401


def test_faults_are_given_as_rules(start):
    program = start("--fault", "before_effect,route=list_pods,nth=1,status=503")
    assert program.ask("GET", "/pods").status_code == 503
    assert program.ask("GET", "/pods").status_code == 200


def test_a_folder_can_be_named_and_is_kept(start, tmp_path):
    program = start("--folder", str(tmp_path / "cloud"), "--keep")
    program.pod_with_two_processes()
    program.process.terminate()
    assert program.process.wait(20) == 0
    assert list((tmp_path / "cloud" / "pods").iterdir())


def run(*words):
    return subprocess.run(
        [*PODTUNE, *words], capture_output=True, text=True, timeout=60, check=False
    )


def test_people_get_lines_to_paste_and_what_happens(tmp_path):
    log = tmp_path / "log"
    with log.open("w") as file:
        process = subprocess.Popen(
            [*PODTUNE, "dev", "cloud", "-p", "0", "--boot-s", "0"],
            stdout=subprocess.DEVNULL, stderr=file, start_new_session=True,
        )  # fmt: skip
    try:
        until(lambda: "next  podtune train" in log.read_text(), "its greeting")
        exports = [line for line in log.read_text().splitlines() if line.startswith("export ")]
        shown = subprocess.run(
            ["sh", "-c", "\n".join([*exports, 'printf "%s" "$RUNPOD_PROXY_URL"'])],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert shown.stdout.endswith("/proxy/{pod}-{port}")
        variables = dict(line[7:].split("=", 1) for line in exports)
        httpx2.post(
            f"{variables['RUNPOD_REST_BASE_URL']}/pods",
            headers={"Authorization": f"Bearer {variables['RUNPOD_API_KEY']}"},
            json={
                "name": "seen", "image": "runpod/x", "gpu": {"id": "Stand-in CPU", "count": 1},
                "disk": 5, "args": "sleep 600",
            },
        ).raise_for_status()  # fmt: skip
        until(lambda: "running" in log.read_text(), "the pod's start")
        process.terminate()
        assert process.wait(20) == 0
        assert "seen" in log.read_text()
        assert "terminated" in log.read_text()
        assert log.read_text().splitlines()[-1].endswith("nothing of it runs")
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["--host", "0.0.0.0"], "not_loopback", "0.0.0.0"),
        (["--fault", "typhoon"], "bad_fault_rule", "typhoon"),
    ],
)
def test_what_it_refuses(words, code, says):
    done = run("dev", "cloud", "--port", "0", "--output", "json", *words)
    error = json.loads(done.stdout)["error"]
    assert (done.returncode, error["code"]) == (2, code)
    assert says in error["message"]


def test_a_port_in_use_is_refused_with_the_next_step():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = run("dev", "cloud", "--port", str(taken.getsockname()[1]))
    assert done.returncode == 2
    assert "--port 0" in done.stderr


def test_the_program_names_dev_without_reading_it():
    program = (
        "import contextlib, io, sys\n"
        "from podtune.__main__ import main\n"
        "sys.argv = ['podtune', '--help']\n"
        "shown = io.StringIO()\n"
        "with contextlib.redirect_stdout(shown), contextlib.suppress(SystemExit): main()\n"
        "assert ' dev ' in shown.getvalue()\n"
        "print([n for n in sys.modules if n.startswith('podtune.testing')])\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


def test_dev_explains_itself():
    assert "cloud" in run("dev", "--help").stdout
    text = run("dev", "cloud", "--help").stdout
    assert "stand-in RunPod" in text
    for option in ("--port", "--folder", "--seed", "--fault", "--balance", "--boot-s", "--keep"):
        assert option in text


def test_the_laptop_cloud_has_every_part_and_our_own_image(tmp_path):
    made = laptop_cloud(tmp_path)
    try:
        assert made.executor.pull_problem(IMAGE) is None
        assert made.executor._images[IMAGE] == {"PODTUNE_LOCK_SHA256": lock_sha256()}
        assert made.routes.find("POST", "/ai/v2/e/run").route is not None
    finally:
        made.close()
