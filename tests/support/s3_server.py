"""A real S3 server on loopback: SeaweedFS from PyPI, which verifies signatures and expiry.

Knows nothing of podtune. Every port is a free one, so that several may run on one machine.
"""

import json
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Self

ACCESS_KEY = "test-access-key"
SECRET_KEY = "test-secret-key-planted"
LIMIT_S = 40


def program() -> str | None:
    """Where `weed` is; None where it is not installed."""
    beside = Path(sys.executable).with_name("weed")
    return str(beside) if beside.is_file() else shutil.which("weed")


class S3Server:
    """Serves until closed; use as a context manager."""

    def __init__(self, folder: Path) -> None:
        """Start in an empty folder and wait until it answers."""
        folder.mkdir(parents=True, exist_ok=True)
        identity = {
            "name": "tests",
            "credentials": [{"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY}],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"],
        }
        config = folder / "s3.json"
        config.write_text(json.dumps({"identities": [identity]}))
        names = ("s3", "filer", "master", "volume")
        ports = dict(zip(names, _free_ports(len(names)), strict=True))
        grpc = dict(zip(names, _free_ports(len(names)), strict=True))
        self.url = f"http://127.0.0.1:{ports['s3']}"
        command = [program() or "weed", "-logtostderr=true", "server", f"-dir={folder}",
                   "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-s3", f"-s3.config={config}",
                   "-s3.port.iceberg=0", "-s3.port.lance=0", "-volume.max=64",
                   "-master.volumeSizeLimitMB=64"]  # fmt: skip
        command += [f"-{name}.port={port}" for name, port in ports.items()]
        command += [f"-{name}.port.grpc={port}" for name, port in grpc.items()]
        self._log = (folder / "weed.log").open("wb")
        self.process = subprocess.Popen(command, cwd=folder, stdout=self._log, stderr=self._log)
        self._wait(folder, ports["filer"])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the server at once: nothing of it is kept."""
        self.process.kill()
        self.process.wait()
        self._log.close()

    def _wait(self, folder: Path, filer: int) -> None:
        """Until it answers, and until its volumes take a file."""
        until = time.monotonic() + LIMIT_S
        probe = urllib.request.Request(f"http://127.0.0.1:{filer}/probe", b"x", method="PUT")
        while time.monotonic() < until and self.process.poll() is None:
            try:
                with urllib.request.urlopen(f"{self.url}/healthz", timeout=5):
                    pass
                with urllib.request.urlopen(probe, timeout=5):
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.1)
        self.close()
        raise AssertionError((folder / "weed.log").read_text(errors="replace")[-3000:])


def _free_ports(count: int) -> list[int]:
    """Ports that are free now, all different."""
    held = [socket.socket() for _ in range(count)]
    try:
        for one in held:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in held]
    finally:
        for one in held:
            one.close()
