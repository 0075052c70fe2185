"""Files that callers upload: kept in the home, looked into by the data doctor, shown to their tenant alone.

The bytes lie in `$PODTUNE_HOME/files/<id>/`, one file to a folder, so that nothing lies beside them. A job copies its
rows when it is submitted: deleting a file takes nothing from it.
"""

import logging
import re
import shutil
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import IO, Any, Final

from podtune.app.hosted_bytes import over_quota, safe_name, written
from podtune.app.service import Service
from podtune.core.clock import Clock, random_word, utc_now
from podtune.core.dataset import DatasetReport
from podtune.core.errors import (
    NotFoundError,
    PodtuneError,
    RequestError,
    UnsupportedError,
)
from podtune.core.redact import scrub
from podtune.core.spec import Method
from podtune.core.units import plural
from podtune.data import method_fit, reports
from podtune.data.record import ReadOptions
from podtune.workflow import files
from podtune.workflow.files import StoredFile

log = logging.getLogger(__name__)

FOLDER: Final = "files"
PURPOSE: Final = "fine-tune"
MAX_FILES: Final = 10_000
"""Of one tenant, and of one answer: the hosted API's largest page (same page)."""
EXPIRES_S: Final = range(3600, 2_592_001)
"""Seconds after which a file may be asked to go (same page: an hour to 30 days)."""
CHECKED_AT_ONCE: Final = 1
"""The doctor uses a core for each file it looks into. Chosen."""
FAULTS_SHOWN: Final = 10
DETAILS: Final = 2000
"""Characters of what is told of a bad file."""
_EXPIRED_AT_ONCE: Final = 100
_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,60}", re.ASCII)


class HostedFiles:
    """The uploaded files of one home."""

    def __init__(self, service: Service, *, clock: Clock = utc_now) -> None:
        """On an open home; nothing is read yet."""
        self._service = service
        self._clock = clock
        self._folder = service.settings.home / FOLDER
        self._doctor = ThreadPoolExecutor(CHECKED_AT_ONCE, thread_name_prefix="file-check")
        self._checking: set[str] = set()
        self._lock = threading.Lock()

    def close(self) -> None:
        """Look into no further file; what was not looked into is taken up when somebody asks for it."""
        self._doctor.shutdown(wait=True, cancel_futures=True)

    def receive(
        self,
        tenant: str | None,
        name: str,
        purpose: str,
        content: IO[bytes],
        *,
        expires_s: int | None = None,
    ) -> StoredFile:
        """Keep a file, and have it looked into.

        Args:
            tenant: Whose it is; None for this machine's own user.
            name: As the caller calls it.
            purpose: What it is for; only `fine-tune` is known.
            content: Read once, in flat memory.
            expires_s: Seconds until it goes by itself; None: never.

        Raises:
            UnsupportedError: another purpose, or too large.
            RequestError: it is empty, or its time is out of range.
            StateError: the disk is full.
            ForbiddenError: code `files_quota`: the tenant keeps too much already.
        """
        _check_form(purpose, expires_s)
        self._sweep()
        if len(self.of(tenant)) >= MAX_FILES:
            raise RequestError(
                f"there are {MAX_FILES} files already",
                code="too_many_files",
                hint="delete some: client.files.delete(id)",
                context={"param": "file"},
            )
        file_id = f"file-{random_word(20)}"
        folder = self._folder / file_id
        try:
            folder.mkdir(parents=True)
            path = folder / safe_name(name)
            size, digest = written(content, path, self._left(tenant))
            now = self._clock()
            file = StoredFile(
                id=file_id,
                tenant=tenant or "",
                filename=path.name,
                purpose=purpose,
                bytes=size,
                sha256=digest,
                status=files.UPLOADED,
                error=None,
                created_at=now,
                expires_at=None if expires_s is None else now + timedelta(seconds=expires_s),
            )
            with self._service.store().transaction(on_disk=True) as connection:
                self._refuse_over(connection, tenant, size)  # others may have come meanwhile
                files.add(connection, file)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        self._look_into(file)
        return file

    def _left(self, tenant: str | None) -> int | None:
        """Bytes that a tenant may still bring; None for no limit."""
        with self._service.store().reading() as connection:
            return self._refuse_over(connection, tenant, 0)

    def _refuse_over(self, connection: Any, tenant: str | None, more: int) -> int | None:
        most = round(self._service.settings.tenant_files_gb * 1e9)
        if tenant is None or not most:
            return None
        left = most - files.held_bytes(connection, tenant, self._clock()) - more
        if left < 0 or (left == 0 and not more):
            raise over_quota()
        return left

    def of(self, tenant: str | None) -> Sequence[StoredFile]:
        """A tenant's files, the newest first; of all tenants where None is given."""
        with self._service.store().reading() as connection:
            found = files.of(connection, tenant, self._clock(), MAX_FILES)
        for one in found:
            self._look_into(one)
        return found

    def get(self, tenant: str | None, file_id: str) -> StoredFile:
        """One file.

        Raises:
            NotFoundError: there is none, or it is another tenant's.
        """
        found = None
        if _ID.fullmatch(file_id):  # PostgreSQL's text holds no NUL: it is not even asked
            with self._service.store().reading() as connection:
                found = files.find(connection, file_id, tenant, self._clock())
        if found is None:
            raise NotFoundError(
                f"no file {file_id[:60]!r}",
                code="no_such_file",
                hint="client.files.list() lists them",
                context={"param": "file_id"},
            )
        self._look_into(found)
        return found

    def path(self, tenant: str | None, file_id: str) -> Path:
        """Where a file's bytes are.

        Raises:
            NotFoundError: no such file, or its bytes are not on this machine.
        """
        found = self.get(tenant, file_id)
        path = self._path(found)
        if not path.is_file():
            raise NotFoundError(
                f"the bytes of file {found.id!r} are not on this machine",
                code="file_elsewhere",
                hint="ask the gateway that took it, or upload it again",
                context={"param": "file_id"},
            )
        return path

    def delete(self, tenant: str | None, file_id: str) -> None:
        """Remove a file; jobs that were submitted keep their rows.

        Raises:
            NotFoundError: there is none.
        """
        found = self.get(tenant, file_id)
        with self._service.store().transaction(on_disk=True) as connection:
            files.delete(connection, found.id, self._clock())
        shutil.rmtree(self._folder / found.id, ignore_errors=True)

    def _path(self, file: StoredFile) -> Path:
        return self._folder / file.id / file.filename

    def _sweep(self) -> None:
        """Remove what has expired."""
        now = self._clock()
        with self._service.store().transaction() as connection:
            over = files.expired(connection, now, _EXPIRED_AT_ONCE)
            for one in over:
                files.delete(connection, one.id, now)
        for one in over:
            shutil.rmtree(self._folder / one.id, ignore_errors=True)

    def _look_into(self, file: StoredFile) -> None:
        """Have the doctor look into a new file, once in this process, where its bytes are here."""
        if file.status != files.UPLOADED:
            return
        with self._lock:
            if file.id in self._checking or not self._path(file).is_file():
                return
            self._checking.add(file.id)
        try:
            self._doctor.submit(self._check, file)
        except RuntimeError:  # it is closed: another process takes it up
            self._checking.discard(file.id)

    def _check(self, file: StoredFile) -> None:
        """Look into a file and write down what was found."""
        try:
            flaw = self._flaw(self._path(file))
            status = files.PROCESSED if flaw is None else files.ERROR
            with self._service.store().transaction() as connection:
                files.settle(connection, file.id, status, flaw)
        except Exception:
            log.exception("file %s could not be looked into", file.id)
        finally:
            with self._lock:
                self._checking.discard(file.id)

    def _flaw(self, path: Path) -> str | None:
        """Why a file cannot be trained on by any method; None where it can."""
        try:
            report = self._service.check(str(path))
            other = method_fit.other_method(report)
            if other is not None and other is not Method.SFT:
                report = self._service.check(str(path), ReadOptions(method=other))
            reports.refuse_open_choices(report)
        except PodtuneError as error:
            words = f"{error.message}. {error.hint}" if error.hint else error.message
            return scrub(words.replace(str(path), path.name))[:DETAILS]
        return None if report.good_rows and not report.errors() else _words(report)[:DETAILS]


def _words(report: DatasetReport) -> str:
    """What is wrong with the rows: line by line, as many as fit; no row's text is in it."""
    bad = report.errors()
    told = [
        f"line {one.line}: {one.message}" if one.line else one.message for one in bad[:FAULTS_SHOWN]
    ]
    more = f"; and {len(bad) - len(told)} more" if len(bad) > len(told) else ""
    counts = f"{plural(len(bad), 'error')} in {plural(report.rows, 'row')}"
    return (
        f"{counts}: {'; '.join(told)}{more}. Correct them and upload again, or train on the others with "
        '{"podtune": {"on_bad_rows": "skip"}}'
    )


def _check_form(purpose: str, expires_s: int | None) -> None:
    if purpose != PURPOSE:
        raise UnsupportedError(
            f"no file is taken for the purpose {purpose[:40]!r}",
            code="unsupported_purpose",
            hint=f"purpose={PURPOSE!r}",
            context={"param": "purpose"},
        )
    if expires_s is not None and expires_s not in EXPIRES_S:
        raise RequestError(
            f"expires_after.seconds {expires_s} is out of range",
            code="bad_expiry",
            hint=f"from {EXPIRES_S[0]} to {EXPIRES_S[-1]} seconds",
            context={"param": "expires_after"},
        )
