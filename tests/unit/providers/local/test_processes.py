"""Workers as processes: whole groups end, zombies are gone, and a reused pid is never touched."""

import os
import secrets
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from podtune.core.errors import ProviderError
from podtune.providers.base import InstanceState, LaunchRequest
from podtune.providers.local import identity, processes
from podtune.providers.local.processes import LocalProvider
from support import workers
from support.waiting import until


class Bench:
    """A provider with one worker program, and the end of all that was started."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "job"
        self.folder.mkdir()
        self._workers = folder / "worker"
        self.name = f"pt-test{secrets.token_hex(4)}-job-1"
        self.provider = LocalProvider(self._workers, grace_s=0.5)
        self._launched: list[str] = []
        self._others: list[subprocess.Popen[bytes]] = []

    def launch(self, program, **environment):
        workers.make(self._workers, program)
        instance = self.provider.launch(
            LaunchRequest(self.name, self.folder, workers.environment() | environment)
        )
        self._launched.append(instance.id)
        return instance

    def ready(self) -> tuple[int, int]:
        """Pid and session of the worker, once it runs."""
        path = self.folder / "ready"
        text = until(lambda: path.read_text() if path.is_file() else None)
        pid, session = text.split()
        return int(pid), int(session)

    def pid_in(self, name: str) -> int:
        return int((self.folder / name).read_text())

    def bystander(self) -> psutil.Process:
        """A process of ours that is no worker."""
        child = subprocess.Popen(
            [sys.executable, "-c", "import time; time.sleep(120)"], start_new_session=True
        )
        self._others.append(child)
        return psutil.Process(child.pid)

    def close(self) -> None:
        for instance_id in self._launched:
            self.provider.terminate(self.name, instance_id)
        for name in ("ready", "child", "family"):
            path = self.folder / name
            if path.is_file() and path.read_text():
                _end(int(path.read_text().split()[0]))
        for child in self._others:
            child.kill()
            child.wait()


def _end(pid: int) -> None:
    try:
        process = psutil.Process(pid)
        if any("time.sleep(120)" in a or "train_lora.py" in a for a in process.cmdline()):
            process.kill()
    except psutil.Error:
        return


def ended(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.fixture
def bench(tmp_path):
    made = Bench(tmp_path)
    yield made
    made.close()


def test_the_id_is_pid_and_start_time(bench):
    instance = bench.launch(workers.WAITS)
    pid = bench.ready()[0]
    assert instance.id == identity.of(psutil.Process(pid))


def test_the_worker_leads_a_session_of_its_own(bench):
    bench.launch(workers.WAITS)
    pid, session = bench.ready()
    assert session == pid != os.getsid(0)


def test_it_runs_in_the_jobs_folder_with_its_name_on_the_command_line(bench):
    bench.launch(workers.WAITS)
    process = psutil.Process(bench.ready()[0])
    assert Path(process.cwd()) == bench.folder
    assert process.cmdline()[2:] == [str(bench.folder), "--name", bench.name]


def test_it_gets_the_environment_it_is_given_and_no_other(bench, monkeypatch):
    monkeypatch.setenv("RUNPOD_API_KEY", "rpa_secret")
    bench.launch(workers.WAITS, PLANTED="yes")
    found = psutil.Process(bench.ready()[0]).environ()
    assert found["PLANTED"] == "yes"
    assert "RUNPOD_API_KEY" not in found


def test_output_goes_to_the_log_and_is_appended(bench):
    for _ in range(2):
        bench.launch(workers.EXITS)
        bench.ready()
        (bench.folder / "ready").unlink()
        bench.provider.terminate(bench.name, None)
    log = (bench.folder / processes.LOG).read_text()
    assert log.count("hello from") == 2
    assert bench.name in log


def test_errors_of_the_worker_are_in_the_log(bench):
    instance = bench.launch("raise SystemExit('no such luck')")
    until(lambda: bench.provider.inspect(instance.id) is InstanceState.GONE)
    assert "no such luck" in (bench.folder / processes.LOG).read_text()


def test_a_worker_that_exits_is_gone_and_leaves_no_zombie(bench):
    instance = bench.launch(workers.EXITS)
    until(lambda: bench.provider.inspect(instance.id) is InstanceState.GONE)
    pid = int(instance.id.partition(":")[0])
    until(lambda: not psutil.pid_exists(pid))


def test_a_zombie_counts_as_gone_even_for_who_cannot_reap_it(bench):
    instance = bench.launch(workers.EXITS)
    pid, _ = bench.ready()
    until(lambda: psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    stranger = LocalProvider(Path("/nowhere"), grace_s=0.5)
    assert stranger.inspect(instance.id) is InstanceState.GONE
    proof = stranger.terminate(bench.name, instance.id)
    assert proof is not None
    assert proof.ended == 0


def test_terminating_ends_children_and_grandchildren(bench):
    instance = bench.launch(workers.SPAWNS_AND_WAITS)
    pid, _ = bench.ready()
    family = [pid, bench.pid_in("child"), bench.pid_in("family")]
    proof = bench.provider.terminate(bench.name, instance.id)
    assert proof is not None
    assert proof.ended == 3
    assert all(ended(p) for p in family)


def test_children_that_outlive_the_worker_are_ended_too(bench):
    instance = bench.launch(workers.SPAWNS_AND_DIES)
    bench.ready()
    until(lambda: bench.provider.inspect(instance.id) is InstanceState.GONE)
    left = [bench.pid_in("child"), bench.pid_in("family")]
    assert not any(ended(p) for p in left)
    proof = bench.provider.terminate(bench.name, instance.id)
    assert proof is not None
    assert proof.ended == 2
    assert all(ended(p) for p in left)


def test_a_worker_that_ignores_sigterm_is_killed(bench):
    instance = bench.launch(workers.STUBBORN)
    pid, _ = bench.ready()
    proof = bench.provider.terminate(bench.name, instance.id)
    assert proof is not None
    assert ended(pid)


def test_a_reused_pid_is_never_touched(bench):
    other = bench.bystander()
    reused = f"{identity.of(other)}0"
    assert bench.provider.inspect(reused) is InstanceState.GONE
    proof = bench.provider.terminate(bench.name, reused)
    assert proof is not None
    assert proof.ended == 0
    assert other.is_running()
    assert not ended(other.pid)


@pytest.mark.parametrize("instance_id", ["0:pt-owner-job-1", "junk", "1:not-a-time", ""])
def test_an_id_that_is_no_process_is_gone(bench, instance_id):
    assert bench.provider.inspect(instance_id) is InstanceState.GONE


def test_a_folder_that_is_not_there_is_a_provider_error(bench):
    workers.make(bench.folder.parent / "worker", workers.WAITS)
    with pytest.raises(ProviderError) as caught:
        bench.provider.launch(LaunchRequest(bench.name, bench.folder / "nowhere", {}))
    assert caught.value.code == "launch_failed"


def test_processes_with_a_name_but_without_the_worker_program_are_not_ours(bench):
    other = subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(120)", "--name", bench.name]
    )
    try:
        proof = bench.provider.terminate(bench.name, None)
        assert proof is not None
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


def test_a_child_that_outlived_its_worker_is_found_by_the_mark_it_inherited(bench):
    instance = bench.launch(workers.WAITS)
    pid, _ = bench.ready()
    marked = psutil.Process(pid).environ()[processes.MARK]
    assert marked == bench.name
    bench.bystander()
    proof = bench.provider.terminate(bench.name, instance.id)
    assert proof is not None
    assert proof.ended >= 1
