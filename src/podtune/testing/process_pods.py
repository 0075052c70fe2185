"""Pods that execute: each container is a real process of this machine, its disks are folders.

The command, the environment and the proxy port are what a pod would have. What differs is told:
`/workspace` is the folder in `PODTUNE_WORKSPACE` (or really `/workspace`, by `bind_mounts`), and of
several pods that all want port 8466 each is given a free one in `PODTUNE_BIND_PORT`, behind the proxy.
Sizes of disks are not enforced, and a pod's processes are this user's: no sandbox for foreign programs.
"""

import shlex
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Final
from uuid import uuid4

from podtune.testing.containers import Container, basics
from podtune.testing.executor import ContainerSpec, Usage
from podtune.testing.http import Request, Response
from podtune.testing.proxy import LIMIT_S, binding, forward, free_port, http_ports, plain

PULLABLE: Final = ("runpod/", "podtune/")
"""Images that any tag of can be pulled; others have to stand in the table of images."""

IDLE: Final = (sys.executable, "-c", "import signal; signal.pause()")
"""An image's own command: RunPod's images end their start script by sleeping (runpod.md 1.2)."""

SERVERLESS_MOUNT: Final = "/runpod-volume"
"""Where serverless workers see a network volume (runpod.md 0.10); told in `PODTUNE_RUNPOD_VOLUME`."""

END_S: Final = 60.0
"""What a container is given beyond its own grace before it is killed from outside."""

BIND: Final = 'mount --bind "$1" "$2" && shift 2 && exec "$@"'
"""Program text for `sh -c`; folder, mount path and command are its arguments, never part of it."""


class ProcessPods:
    """Runs containers as local processes.

    Args:
        folder: Where pods' disks and network volumes lie.
        images: Image name -> variables that the image itself brings.
        environment: What every container inherits of this machine: where libraries are fetched and
            how many threads to use, no secret (`app.settings.container_environment`).
        bind_mounts: Give each pod a mount namespace in which its volume lies at the mount path itself.
        proxy_limit_s: How long the proxy waits for an answer.
    """

    def __init__(
        self,
        folder: Path,
        images: Mapping[str, Mapping[str, str]] | None = None,
        environment: Mapping[str, str] | None = None,
        *,
        bind_mounts: bool = False,
        proxy_limit_s: float = LIMIT_S,
    ) -> None:
        self._folder = folder
        self._images = dict(images or {})
        self._environment = dict(environment or {})
        self._bind_mounts = bind_mounts
        self._proxy_limit_s = proxy_limit_s
        self._mark = uuid4().hex
        self._pods: dict[str, _Pod] = {}
        self._leaving: list[_Pod] = []
        self._is_closed = False
        self._lock = threading.Lock()

    def pull_problem(self, image: str) -> str | None:
        """Why an image cannot be pulled, as docker words it."""
        if image in self._images or image.startswith(PULLABLE):
            return None
        return f"image not found: pull access denied for {image}, repository does not exist"

    def start(self, pod: ContainerSpec) -> None:
        """Start a container, out of the caller's way; one that still ends is waited for."""
        with self._lock:
            if self._is_closed:
                return
            held = self._pods.get(pod.pod_id)
            if held is None:
                held = self._pods[pod.pod_id] = _Pod(self._folder / "pods" / pod.pod_id)
        held.start(lambda: self._launch(held, pod))

    def poll(self, pod_id: str) -> int | None:
        """Exit code once the command ended."""
        held = self._pods.get(pod_id)
        return held.poll() if held else None

    def stop(self, pod_id: str, grace_s: float) -> None:
        """Ask the container to end, killed after the grace; does not wait."""
        if held := self._pods.get(pod_id):
            held.stop(grace_s)

    def remove(self, pod_id: str) -> None:
        """End the container at once, and delete the pod's disks once it ended."""
        with self._lock:
            held = self._pods.pop(pod_id, None)
        if held is not None:
            held.remove()
            with self._lock:
                self._leaving = [pod for pod in self._leaving if not pod.is_gone()] + [held]

    def lines(self, pod_id: str) -> Sequence[str]:
        """New output."""
        held = self._pods.get(pod_id)
        return held.lines() if held else ()

    def request(self, pod_id: str, port: int, request: Request) -> Response:
        """Hand a request to the port that stands for the pod's; 404 for one that it does not offer."""
        held = self._pods.get(pod_id)
        if held is None:
            return plain(404, "no such pod")
        if not held.ports:
            return plain(502, "the container does not run yet")
        if port not in held.ports:
            return plain(404, "the pod does not offer this port")
        return forward(held.ports[port], request, self._proxy_limit_s)

    def usage(self, pod_id: str) -> Usage:
        """Load of the container's processes."""
        held = self._pods.get(pod_id)
        return held.usage() if held else Usage()

    def close(self, grace_s: float = 1.0) -> None:
        """End every container, wait until nothing of any is left, and start none from then on."""
        with self._lock:
            self._is_closed = True
            pods, leaving = list(self._pods.values()), self._leaving
            self._pods, self._leaving = {}, []
        for held in pods:
            held.stop(grace_s)
        for held in [*pods, *leaving]:
            held.settle()

    def _launch(self, held: "_Pod", pod: ContainerSpec) -> Container:
        disk = held.fresh_disk()
        mounted = self._mounted(held, pod) or _made(disk / "workspace")
        held.ports = {number: free_port() for number in http_ports(pod.ports)}
        command, workspace = _command(pod.args), str(mounted)
        path = pod.mount.path if pod.mount else ""
        if self._bind_mounts and path and Path(path).is_dir() and namespaces():
            command = [*namespaces(), "sh", "-c", BIND, "sh", workspace, path, *command]
            workspace = path
        environment = {
            **basics(disk),
            **self._environment,
            **self._images.get(pod.image, {}),
            **pod.env,
            "PODTUNE_WORKSPACE": workspace,
            **({"PODTUNE_RUNPOD_VOLUME": workspace} if path == SERVERLESS_MOUNT else {}),
            **binding(held.ports, pod.env.get("PODTUNE_PORT", "")),
        }
        return Container(command, environment, disk, f"{self._mark}-{pod.pod_id}")

    def _mounted(self, held: "_Pod", pod: ContainerSpec) -> Path | None:
        if pod.mount is None:
            return None
        if pod.mount.is_network:
            return _made(self._folder / "volumes" / Path(pod.mount.key).name)
        return _made(held.folder / "volume")


class _Pod:
    """One pod's folder, its container of the moment, and what its containers printed.

    Whatever has to wait for a container's end is done by the pod's own thread, in order.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ports: dict[int, int] = {}
        """The pod's HTTP port -> the port of this machine that stands for it."""
        self._container: Container | None = None
        self._code: int | None = None
        self._printed: list[str] = []
        self._wish = 0
        self._discarded: Future[None] | None = None
        self._turns = ThreadPoolExecutor(1, thread_name_prefix=f"pod {folder.name}")
        self._lock = threading.Lock()

    def start(self, launch: Callable[[], Container]) -> None:
        with self._lock:
            self._wish += 1
            wish, old = self._wish, self._container
            self._container, self._code, self.ports = None, None, {}
        self._turns.submit(self._replace, old, launch, wish)

    def _replace(self, old: Container | None, launch: Callable[[], Container], wish: int) -> None:
        if old is not None and old.wait(END_S) is None:
            old.kill()
        with self._lock:
            self._printed += old.lines() if old else []
            if wish != self._wish:  # stopped, or started anew, meanwhile
                return
            try:
                self._container = launch()
            except OSError as error:
                self._code = 127
                self._printed.append(f"the container cannot be started: {error.strerror}")

    def stop(self, grace_s: float) -> None:
        with self._lock:
            self._wish += 1
            if self._container is not None:
                self._container.stop(grace_s)

    def remove(self) -> None:
        self.stop(0.0)
        self._discarded = self._turns.submit(self._discard)
        self._turns.shutdown(wait=False)

    def _discard(self) -> None:
        self._end()
        shutil.rmtree(self.folder, ignore_errors=True)

    def is_gone(self) -> bool:
        return self._discarded is not None and self._discarded.done()

    def settle(self) -> None:
        """Wait until nothing is left."""
        self._turns.shutdown()
        self._end()

    def _end(self) -> None:
        if self._container is not None and self._container.wait(END_S) is None:
            self._container.kill()

    def poll(self) -> int | None:
        container = self._container
        return container.poll() if container else self._code

    def lines(self) -> list[str]:
        with self._lock:
            printed, self._printed = self._printed, []
            return printed + (self._container.lines() if self._container else [])

    def usage(self) -> Usage:
        container = self._container
        return container.usage() if container else Usage()

    def fresh_disk(self) -> Path:
        """An empty container disk; the old one is deleted out of the way."""
        disk = self.folder / "container"
        if disk.exists():
            old = disk.rename(self.folder / f"wiped-{uuid4().hex}")
            threading.Thread(target=shutil.rmtree, args=(old, True), daemon=True).start()
        return _made(disk)


def _command(args: str) -> list[str]:
    """The words of `args`, split as a shell would; an image's own command when there are none."""
    try:
        return shlex.split(args) or list(IDLE)
    except ValueError:  # a quote without its end: a container that cannot start, as with docker
        return [args]


@cache
def namespaces() -> tuple[str, ...]:
    """How a program gets a mount namespace of its own here; empty where none can be had."""
    for words in (("unshare", "--mount"), ("unshare", "--user", "--map-root-user", "--mount")):
        try:
            done = subprocess.run([*words, "true"], capture_output=True, timeout=10, check=False)
        except (OSError, subprocess.TimeoutExpired):
            return ()
        if done.returncode == 0:
            return words
    return ()


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder
