"""Pods that execute: real processes with the environment, disks and port of a pod."""

import os
import shlex
import signal
import sys
from pathlib import Path

import psutil
import pytest

from podtune.app import settings
from podtune.testing.containers import MARK
from podtune.testing.executor import ContainerSpec, Mount
from podtune.testing.http import Request
from podtune.testing.process_pods import ProcessPods, namespaces
from support.waiting import until

SERVER = """
import os, http.server
class H(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(self.path.encode())
    def log_message(self, *a): pass
host, port = os.environ["PODTUNE_BIND_HOST"], int(os.environ["PODTUNE_BIND_PORT"])
http.server.HTTPServer((host, port), H).serve_forever()
"""


@pytest.fixture
def pods(tmp_path):
    made = ProcessPods(tmp_path, {"own/image:1": {"FROM_IMAGE": "yes"}}, {"PIP_NO_INPUT": "1"})
    yield made
    made.close()


def spec(args="", pod_id="pod1", mount=None, **changes):
    given = ContainerSpec(
        pod_id=pod_id, image="runpod/pytorch:x", args=args, env={}, ports=("8466/http",),
        disk_gb=20, mount=mount, gpu_id="Stand-in CPU", gpu_count=1,
    )  # fmt: skip
    return given._replace(**changes)


def python(program):
    return f"python3 -c {shlex.quote(program)}"


def run(pods, given):
    """Everything that a container printed, and its exit code."""
    pods.start(given)
    until(lambda: pods.poll(given.pod_id) is not None)
    return list(pods.lines(given.pod_id)), pods.poll(given.pod_id)


def test_args_are_words_as_a_shell_splits_them(pods):
    program = "import sys; print(sys.argv[1:])"
    lines, code = run(pods, spec(f"{python(program)} 'a b' \"$HOME\" c\\ d"))
    assert lines == ["['a b', '$HOME', 'c d']"]
    assert code == 0


@pytest.mark.parametrize("args", ["'never closed", "no-such-program"])
def test_what_cannot_start_ends_with_the_code_of_docker(pods, args):
    lines, code = run(pods, spec(args))
    assert lines[0].startswith("exec: ")
    assert code == 127


def test_an_image_without_args_idles(pods):
    pods.start(spec())
    until(lambda: pods.usage("pod1").memory >= 0 and pods._pods["pod1"]._container)
    assert pods.poll("pod1") is None


def test_only_the_pods_own_environment_is_there(pods, monkeypatch):
    for name in ("RUNPOD_API_KEY", "AWS_SECRET_ACCESS_KEY", "PODTUNE_HOME", "SOME_SECRET"):
        monkeypatch.setenv(name, "planted-secret")
    show = "import os\nfor n, v in os.environ.items(): print(f'{n}={v}')"
    lines, _ = run(pods, spec(python(show), env={"GIVEN": "1", "RUNPOD_POD_ID": "pod1"}))
    found = dict(line.split("=", 1) for line in lines)
    assert "planted-secret" not in "\n".join(lines)
    assert set(found) - {"LC_CTYPE"} == {
        "GIVEN", "RUNPOD_POD_ID", "PATH", "HOME", "TMPDIR", "LANG", "GOMP_SPINCOUNT", MARK,
        "PIP_NO_INPUT", "PODTUNE_WORKSPACE", "PODTUNE_BIND_HOST", "PODTUNE_BIND_PORT",
        "PODTUNE_BIND_PORT_8466",
    }  # fmt: skip
    assert found["HOME"].startswith(found["PODTUNE_WORKSPACE"].removesuffix("/workspace"))


def test_a_pods_processes_cannot_be_told_the_users_environment_by_the_settings(monkeypatch):
    monkeypatch.setenv("SOME_SECRET", "planted-secret")
    assert "planted-secret" not in settings.container_environment().values()


def test_an_image_of_the_table_brings_its_variables(pods):
    show = "import os; print(os.environ.get('FROM_IMAGE'))"
    assert run(pods, spec(python(show), image="own/image:1"))[0] == ["yes"]
    assert run(pods, spec(python(show), pod_id="pod2"))[0] == ["None"]


@pytest.mark.parametrize(
    ("image", "there"),
    [("own/image:1", True), ("runpod/any:1", True), ("podtune/worker:9", True), ("x/y:1", False)],
)
def test_other_images_are_not_found(pods, image, there):
    problem = pods.pull_problem(image)
    assert (problem is None) is there
    assert there or f"image not found: pull access denied for {image}" in problem


COUNT = python(
    "import os, pathlib\n"
    "for p in (pathlib.Path(os.environ['PODTUNE_WORKSPACE'], 'n'), pathlib.Path('n')):\n"
    "    p.write_text(p.read_text() + 'x' if p.exists() else 'x'); print(p.read_text())"
)


def test_a_restart_wipes_the_container_disk_and_keeps_the_volume(pods, tmp_path):
    given = spec(COUNT, mount=Mount("/workspace", "pod1"))
    assert run(pods, given)[0] == ["x", "x"]
    assert run(pods, given)[0] == ["xx", "x"]
    pods.remove("pod1")
    until(lambda: not (tmp_path / "pods" / "pod1").exists())


def test_a_network_volume_is_shared_and_stays(pods, tmp_path):
    mount = Mount("/workspace", "vol1", is_network=True)
    assert run(pods, spec(COUNT, mount=mount))[0] == ["x", "x"]
    pods.remove("pod1")
    assert run(pods, spec(COUNT, pod_id="pod2", mount=mount))[0] == ["xx", "x"]


def test_a_serverless_workers_volume_is_named_as_such(pods):
    show = "import os; print(os.environ['PODTUNE_RUNPOD_VOLUME'])"
    mount = Mount("/runpod-volume", "vol1", is_network=True)
    (line,), _ = run(pods, spec(python(show), mount=mount))
    assert line.endswith("/volumes/vol1")


def test_the_proxy_reaches_the_port_the_pod_was_given(pods):
    assert pods.request("pod1", 8466, Request.of("GET", "/")).status == 404
    pods.start(spec(python(SERVER), env={"PODTUNE_PORT": "8466"}))
    answer = until(lambda: _ok(pods.request("pod1", 8466, Request.of("GET", "/a/b?c=1"))))
    assert b"".join(answer.body) == b"/a/b?c=1"
    assert pods.request("pod1", 22, Request.of("GET", "/")).status == 404


def _ok(answer):
    return answer if answer.status == 200 else None


def test_several_pods_may_want_the_same_port(pods):
    for name in ("pod1", "pod2"):
        pods.start(spec(python(SERVER), pod_id=name))
    for name in ("pod1", "pod2"):
        until(lambda name=name: _ok(pods.request(name, 8466, Request.of("GET", "/"))))


def test_each_port_of_a_pod_has_its_stand_in(pods):
    show = "import os; print(sorted(n for n in os.environ if n.startswith('PODTUNE_BIND_PORT')))"
    lines, _ = run(pods, spec(python(show), ports=("8888/http", "22/tcp", "8466/http")))
    assert lines == ["['PODTUNE_BIND_PORT', 'PODTUNE_BIND_PORT_8466', 'PODTUNE_BIND_PORT_8888']"]


def test_a_stopped_container_is_asked_first_and_what_it_printed_stays(pods):
    program = "trap 'echo saved; exit 7' TERM; echo up; while :; do sleep 0.02; done"
    pods.start(spec(f"sh -c {shlex.quote(program)}"))
    assert until(lambda: list(pods.lines("pod1"))) == ["up"]
    pods.stop("pod1", 20)
    assert until(lambda: pods.poll("pod1")) == 7
    assert list(pods.lines("pod1")) == ["saved"]


def test_a_start_waits_for_the_end_of_the_old_container(pods):
    stubborn = (
        "trap 'sleep 0.2; echo old is over; exit' TERM; echo up; while :; do sleep 0.02; done"
    )
    pods.start(spec(f"sh -c {shlex.quote(stubborn)}"))
    until(lambda: list(pods.lines("pod1")))
    pods.stop("pod1", 20)
    lines, _ = run(pods, spec("echo new"))
    assert lines == ["old is over", "new"]


def test_nothing_survives_the_end(tmp_path):
    pods = ProcessPods(tmp_path)
    child = "import subprocess, sys; subprocess.Popen(['sleep', '600'], start_new_session=True); "
    pods.start(spec(python(child + "print('up', flush=True); import time; time.sleep(600)")))
    until(lambda: list(pods.lines("pod1")))
    below = psutil.Process(pods._pods["pod1"]._container.pid).children(recursive=True)
    assert len(below) == 2
    pods.close(0.1)
    assert [p for p in below if psutil.pid_exists(p.pid) and p.status() != "zombie"] == []
    assert (pods.poll("pod1"), list(pods.lines("pod1"))) == (None, [])


def test_a_removed_pod_is_gone_once_the_end_was_waited_for(tmp_path):
    pods = ProcessPods(tmp_path)
    pods.start(spec("sh -c 'trap \"\" TERM; echo up; while :; do sleep 0.02; done'"))
    until(lambda: list(pods.lines("pod1")))
    process = psutil.Process(pods._pods["pod1"]._container.pid)
    pods.remove("pod1")
    pods.close()
    assert not process.is_running() or process.status() == "zombie"
    assert not (tmp_path / "pods" / "pod1").exists()


def test_a_pod_stopped_before_it_started_does_not_start(pods):
    pods.start(spec("echo up"))
    pods.stop("pod1", 0)
    pods.stop("no-such-pod", 0)
    pods.remove("no-such-pod")
    pods.close()
    assert pods.lines("pod1") == ()


def test_nothing_starts_after_the_end(pods):
    pods.close()
    pods.start(spec("sleep 600"))
    assert pods._pods == {}


def test_usage_of_no_pod_is_none(pods):
    assert pods.usage("pod1").cpu == 0


@pytest.mark.skipif(not namespaces(), reason="no mount namespace can be had here")
def test_a_volume_can_really_lie_at_its_path(tmp_path):
    (tmp_path / "workspace").mkdir()
    pods = ProcessPods(tmp_path / "pods", bind_mounts=True)
    try:
        mount = Mount(str(tmp_path / "workspace"), "pod1")
        lines, code = run(pods, spec(f"touch {tmp_path / 'workspace' / 'here'}", mount=mount))
        assert (lines, code) == ([], 0)
        assert list((tmp_path / "workspace").iterdir()) == []
        assert (tmp_path / "pods" / "pods" / "pod1" / "volume" / "here").exists()
    finally:
        pods.close()


def test_a_container_that_is_killed_from_outside_has_ended(pods):
    pods.start(spec("sleep 600"))
    container = until(lambda: pods._pods["pod1"]._container)
    os.kill(container.pid, signal.SIGKILL)
    assert until(lambda: pods.poll("pod1")) == 128 + signal.SIGKILL


def test_this_python_runs_in_the_pod(pods):
    lines, _ = run(pods, spec(python("import sys; print(sys.prefix)")))
    assert Path(lines[0]) == Path(sys.prefix)
