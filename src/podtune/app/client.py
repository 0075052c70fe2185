"""`from podtune import Client`: the verbs of the command line in Python, synchronous and typed."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType

from podtune.app import planner
from podtune.app import settings as settings_module
from podtune.app.service import Service
from podtune.core.artifact import SignedReceipt
from podtune.core.dataset import DatasetReport
from podtune.core.events import TrainingEvent
from podtune.core.job import Job
from podtune.core.plan import Plan
from podtune.core.wire import TrainingStatus
from podtune.data import method_fit
from podtune.data.record import ReadOptions


class Client:
    """Plans, starts and follows jobs of one `PODTUNE_HOME`.

    Jobs are run by a driver process of their own: they outlive the client, and any other client
    or command on the same home sees them.

    Every method raises a `podtune.core.errors.PodtuneError` with a stable `code`, a message and
    a hint when it cannot do what was asked.
    """

    def __init__(self, home: Path | str | None = None) -> None:
        """`home` overrides PODTUNE_HOME and `podtune.toml`."""
        settings = settings_module.load().settings
        if home is not None:
            settings = settings.model_copy(update={"home": Path(home).expanduser().absolute()})
        self._service = Service(settings)

    def __enter__(self) -> "Client":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Release the job store. Jobs go on."""
        self._service.close()

    def check(
        self,
        source: Path | str,
        columns: Mapping[str, str] | None = None,
        *,
        fix: Sequence[str] = (),
        method: str = "sft",
    ) -> DatasetReport:
        """Judge a source; bad rows are findings in the report, with their lines.

        Args:
            source: A file, a folder, a pattern, or an address (`https://`, `s3://`, `hf://`).
            columns: Role (`prompt`, `completion`, `system`, `label`, `text`) -> column.
            fix: Repairs consented to, by name, or `all`.
            method: What is to be learnt; it decides which rows are fit.
        """
        options = ReadOptions(
            columns=dict(columns or {}), fixes=frozenset(fix), method=method_fit.of_name(method)
        )
        return self._service.check(str(source), options)

    def plan(
        self,
        source: Path | str,
        *,
        model: str | None = None,
        minutes: float | None = None,
        fields: Mapping[str, object] | None = None,
    ) -> Plan:
        """What would happen; nothing is written.

        Args:
            source: A data file, or a spec in YAML.
            model: Base model: a Hub name or a folder.
            minutes: Shorten the training to about so many minutes.
            fields: Spec fields by dotted path, such as `{"training.epochs": 2}`.
        """
        stated = dict(fields or {})
        if model is not None:
            stated["base_model.name"] = model
        request = planner.source_request(str(source), stated, minutes)
        return self._service.plan(request)

    def submit(self, plan: Plan) -> Job:
        """Start a job on a plan and return at once."""
        return self._service.submit(plan, digest=plan.digest)

    def wait(self, job_id: str, on_event: Callable[[TrainingEvent], None] | None = None) -> Job:
        """Block until a job has ended; `on_event` gets the worker's events meanwhile."""
        if on_event is not None:
            for event in self._service.events(job_id, follow=True):
                on_event(event)
        return self._service.wait(job_id)

    def jobs(self, limit: int = 50) -> Sequence[Job]:
        """The newest jobs first."""
        return self._service.jobs(limit)

    def status(self, job_id: str) -> TrainingStatus:
        """The status object of the application's contract."""
        return self._service.status(job_id)

    def events(self, job_id: str, *, follow: bool = False) -> Iterator[TrainingEvent]:
        """The worker's events; with `follow`, until the job has ended."""
        return self._service.events(job_id, follow=follow)

    def logs(self, job_id: str, *, follow: bool = False) -> Iterator[str]:
        """The worker's own output."""
        return self._service.logs(job_id, follow=follow)

    def cancel(self, job_id: str) -> Job:
        """Ask for a job's end and wait until nothing of it runs."""
        self._service.cancel(job_id)
        return self._service.wait(job_id)

    def resume(self, job_id: str) -> Job:
        """Go on with a job that did not complete, from its last checkpoint."""
        return self._service.resume(job_id)

    def artifact(self, job_id: str, to: Path | str | None = None) -> Path:
        """The verified artifact's folder, or a copy at `to`: a folder, or one `.tar.gz`."""
        return self._service.artifact(job_id, Path(to) if to is not None else None)

    def receipt(self, job_id: str) -> SignedReceipt:
        """The signed receipt of a completed job."""
        return self._service.receipt(job_id)

    def verify_receipt(self, job_id: str) -> list[str]:
        """Check a receipt against its artifact; what was checked, in words."""
        return self._service.verify_receipt(job_id)
