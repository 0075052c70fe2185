"""One attempt of a serverless job, in a process of its own: fetch, plan, train, pack, deliver.

    python serverless_job.py FOLDER      (the order comes by standard input: it holds signed addresses)

Everything it does is told as `TrainingEvent`s in `events.jsonl` of the folder, its end in
`outcome.json`. The training is `train_lora.py`, started as everywhere else. Exit code 0 when the adapter
lies where it belongs, 5 after a typed failure. Knows nothing of RunPod.
"""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import leash
import serverless_advice
import serverless_bundle
import serverless_claim
import serverless_plan
import serverless_request
import serverless_upload
from podtune.app import settings as configuration
from podtune.app import wiring
from podtune.app.settings import Settings
from podtune.core.errors import ArtifactError, PodtuneError
from podtune.core.events import WorkerResult
from podtune.core.plan import Plan
from podtune.core.states import WorkerStage
from podtune.core.submission import Submission
from podtune.egress.client import Egress
from podtune.storage import archive, artifact_folder
from podtune.storage.access import SupabaseAccess
from podtune.storage.archive import Archived
from podtune.workflow.folder import EventTail, JobFolder
from progress import EventWriter
from serverless_order import OUTCOME, JobOrder, Outcome
from serverless_request import Request
from serverless_upload import Delivered
from shutdown import Shutdown

HERE = Path(__file__).resolve().parent
ARCHIVE = "adapter.tar.gz"
ARCHIVE_SUM = "adapter.tar.gz.sha256"
"""Written once the archive is whole."""


class Attempt(NamedTuple):
    """One attempt, with all it needs."""

    folder: JobFolder
    order: JobOrder
    request: Request
    settings: Settings
    account: SupabaseAccess | None

    @property
    def asked(self) -> Submission:
        """The application's request."""
        return self.request.asked

    def events(self) -> EventWriter:
        """A voice that goes on where the last one of this attempt ended."""
        return EventWriter(self.folder.events, job=self.asked.job_id, attempt=self.order.attempt)


def prepare(folder: Path, order: JobOrder) -> Attempt:
    """See that the request can be carried out and its adapter delivered.

    Raises:
        PodtuneError: a field is wrong, or there is no place for the adapter.
    """
    settings = configuration.load(read_file=False).settings
    request = serverless_request.read(order.input, settings)
    account = configuration.supabase_access()
    serverless_upload.refuse_nowhere(request.upload, account)
    return Attempt(JobFolder(folder), order, request, settings, account)


def carry_out(attempt: Attempt, stop: Shutdown) -> Delivered:
    """The whole way of an attempt.

    Raises:
        PodtuneError: what went wrong.
        TrainingFailedError: the trainer's own typed failure.
    """
    packed = kept_archive(attempt)
    if packed is None and not is_trained(attempt):
        if attempt.request.upload is None and attempt.account is not None:
            serverless_upload.check_bucket(attempt.account)
        train(attempt, settle(attempt), stop)
    return deliver(attempt, packed)


def settle(attempt: Attempt) -> Plan:
    """The plan of this attempt: made here, or the one that came with its bundle.

    Raises:
        PodtuneError: see `serverless_plan.settle` and `serverless_bundle.settle`.
    """
    request, order, settings = attempt.request, attempt.order, attempt.settings
    if request.bundle is None:
        return serverless_plan.settle(
            request.asked, order, attempt.folder, settings, attempt.events()
        )
    given = serverless_bundle.Given(request.bundle, request.asked, order, request.upload, settings)
    return serverless_bundle.settle(given, attempt.folder, attempt.events())


def kept_archive(attempt: Attempt) -> Archived | None:
    """The whole archive that an earlier attempt left; None where there is none.

    Its upload failed, or it went to that attempt's own addresses.
    """
    path, files = attempt.folder.path / ARCHIVE, trained_files(attempt)
    try:
        told = (attempt.folder.path / ARCHIVE_SUM).read_text(encoding="ascii")
        if not files or artifact_folder.sha256_file(path) != told:
            return None
    except (OSError, ValueError):
        return None
    return Archived(path, told, path.stat().st_size, len(files))


def is_trained(attempt: Attempt) -> bool:
    """Whether an earlier attempt left a whole, proved artifact that was only not delivered."""
    files = trained_files(attempt)
    if not files or not attempt.folder.artifact.is_dir():
        return False
    try:
        artifact_folder.verify(attempt.folder.artifact, files)
    except ArtifactError:
        return False
    return True


def trained_files(attempt: Attempt) -> dict[str, str]:
    """The files of the last artifact that was trained, with their sums; none where nothing was."""
    results = [e.result for e in EventTail(attempt.folder.events).read() if e.result is not None]
    return next((r.files for r in reversed(results) if r.ok and r.files), {})


class TrainingFailedError(Exception):
    """The trainer's last word; it stands in the events already."""

    def __init__(self, result: WorkerResult) -> None:
        super().__init__(result.error_message)
        self.result = result


def train(attempt: Attempt, plan: Plan, stop: Shutdown) -> None:
    """Run the trainer, and wait for it also while this process is asked to end: it saves then.

    Raises:
        TrainingFailedError: it says so, or it ended without a word.
    """
    environment = wiring.program_environment()
    environment |= configuration.cards_for(plan.spec.where.count)
    with stop.waiting():
        code = subprocess.run(
            leash.command(HERE / "train_lora.py", str(attempt.folder.path)),
            stdin=subprocess.DEVNULL,
            cwd=attempt.folder.path,
            env=environment,
            check=False,
        ).returncode
    told = [
        e.result
        for e in EventTail(attempt.folder.events).read()
        if e.attempt == attempt.order.attempt and e.result is not None
    ]
    if not told:
        raise TrainingFailedError(_without_a_word(code))
    if not told[-1].ok:
        raise TrainingFailedError(told[-1])
    artifact_folder.verify(attempt.folder.artifact, told[-1].files)


def _without_a_word(code: int) -> WorkerResult:
    """A trainer that was killed: as a rule the kernel took it because the machine's memory was full."""
    how = f"signal {-code}" if code < 0 else f"exit code {code}"
    killed = "; the machine's memory ran out, perhaps" if code == -9 else ""
    return WorkerResult(
        ok=False,
        error_code="worker_lost",
        error_message=f"the training ended without a word ({how}{killed})",
    )


def deliver(attempt: Attempt, packed: Archived | None = None) -> Delivered:
    """Pack the artifact and put it where it belongs.

    Args:
        attempt: Whose.
        packed: The archive that was kept, where there is one.

    Raises:
        PodtuneError: as `archive.pack` and `serverless_upload`.
    """
    events = attempt.events()
    events.stage(WorkerStage.UPLOADING)
    if packed is None:
        target = attempt.folder.path / ARCHIVE
        target.unlink(missing_ok=True)
        packed = archive.pack(attempt.folder.artifact, target)
        (attempt.folder.path / ARCHIVE_SUM).write_text(packed.sha256, encoding="ascii")

    def tell(done: int, total: int | None) -> None:
        events.task("upload adapter", done, total, "bytes")

    upload = attempt.request.upload
    if upload is not None:
        client = Egress(attempt.request.policy)
        return serverless_upload.to_address(attempt.asked.job_id, packed, upload, client, tell)
    if attempt.account is None:
        raise serverless_upload.nowhere()
    return serverless_upload.to_bucket(attempt.asked.job_id, packed, attempt.account, tell)


def run(folder: Path, order: JobOrder) -> Outcome:
    """Carry out an attempt; whatever happens, its outcome is typed."""
    asked: Submission | None = None
    try:
        with Shutdown() as stop:
            attempt = prepare(folder, order)
            asked, upload = attempt.asked, attempt.request.upload
            delivered = carry_out(attempt, stop)
    except TrainingFailedError as error:
        result = serverless_advice.failure(error.result, asked)
        return Outcome(attempt=order.attempt, result=result)
    except Exception as error:  # noqa: BLE001 - the attempt's last word is a typed failure
        _log(error)
        result = serverless_advice.failure(error, asked)
        _last_word(folder, order, asked, result)
        return Outcome(attempt=order.attempt, result=result)
    result = WorkerResult(ok=True)
    _last_word(folder, order, asked, result)
    orchestrated = upload is not None and upload.result is not None
    tidy(folder, keep_archive=orchestrated or not delivered.compared)
    return Outcome(
        attempt=order.attempt,
        asked_attempt=attempt.request.terms.attempt,
        result=result,
        adapter_path=delivered.adapter_path,
        adapter_sha256=delivered.sha256,
        adapter_bytes=delivered.size_bytes,
        compared=delivered.compared,
    )


def tidy(folder: Path, *, keep_archive: bool) -> None:
    """Remove rows, checkpoints and the artifact of a job whose adapter was delivered."""
    for name in ("data", "source", "checkpoints", "work", "artifact"):
        shutil.rmtree(folder / name, ignore_errors=True)
    if not keep_archive:
        for name in (ARCHIVE, ARCHIVE_SUM):
            (folder / name).unlink(missing_ok=True)


def _last_word(
    folder: Path, order: JobOrder, asked: Submission | None, result: WorkerResult
) -> None:
    """The result as an event, where the disk still takes one."""
    if asked is None:
        return
    path = JobFolder(folder).events
    try:
        told = [e for e in EventTail(path).read() if e.attempt == order.attempt]
        stage = told[-1].stage if told else WorkerStage.DOWNLOADING
        EventWriter(path, job=asked.job_id, attempt=order.attempt, stage=stage).result(result)
    except OSError as error:
        _log(error)


def _log(error: BaseException) -> None:
    """Into the worker's log: our own errors in one line, others with where they came from."""
    if isinstance(error, PodtuneError):
        sys.stderr.write(f"{error.code}: {serverless_advice.clean(error.message)}\n")
        return
    import traceback

    lines = traceback.format_exception(error)
    sys.stderr.write("".join(serverless_advice.clean(line) + "\n" for line in lines))


def main() -> int:
    """Read the order, carry it out, write the outcome."""
    leash.hold()
    folder = Path(sys.argv[1]).resolve()
    order = JobOrder.model_validate_json(sys.stdin.buffer.read())
    outcome = run(folder, order)
    serverless_claim.write_atomically(folder / OUTCOME, outcome.model_dump(mode="json"))
    return 0 if outcome.is_completed else 5


if __name__ == "__main__":
    sys.exit(main())
