"""What comes of a completed job: its artifact, receipt and settlement, copies of them, and checkpoints."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from podtune.app import receipts, wiring
from podtune.app.installation import signing_key
from podtune.app.reading import Reading
from podtune.app.standing import Standing
from podtune.core.artifact import RECEIPT, SignedReceipt
from podtune.core.errors import ArtifactError, ConflictError, NotFoundError, UnsupportedError
from podtune.core.job import Job
from podtune.core.states import Outcome
from podtune.storage import archive, artifact_folder

if TYPE_CHECKING:
    from podtune.app import machines
    from podtune.app.delivered import Delivered


class Artifacts(Reading):
    """The verbs on what was made."""

    def artifact(self, job_id: str, to: Path | None = None) -> Path:
        """The folder of a completed job's artifact, or a verified copy of it.

        Args:
            job_id: Of the job.
            to: Where the copy goes: a folder, or one archive where it ends in `.tar.gz`.

        Raises:
            NotFoundError: the job has none.
            ArtifactError: it was changed since it was signed.
            PodtuneError: it could not be signed or delivered when the job ended, and cannot be now.
        """
        job = self._completed(job_id)
        folder = self.folder(job).artifact
        if job.error_code is not None and not (folder / RECEIPT).is_file():
            self._sign_again(job)
        own = signing_key(self.settings.home).public_base64
        receipts.verify(folder, own)
        if receipts.read(folder).public_key != own:
            raise ArtifactError(
                f"the receipt of {job.id!r} was signed by another installation",
                code="bad_signature",
                hint="the artifact was replaced; train again",
            )
        if to is None:
            return folder
        target = to.expanduser().absolute()
        if str(target) == job.plan.spec.deliver.to:
            self._delivered(job, str(target))
            return target
        if archive.is_archive(target):
            return archive.pack(folder, target).path
        return artifact_folder.copy(folder, target)

    def deliver(self, job_id: str, to: str) -> "Delivered":
        """Put a completed job's artifact where `deliver.to` may lead, and compare it there.

        Raises:
            NotFoundError: the job has none.
            SpecError: it is no target.
            PodtuneError: it cannot be put there.
        """
        job = self._completed(job_id)
        self.artifact(job.id)
        return self._delivered(job, to)

    def _delivered(self, job: Job, to: str) -> "Delivered":
        from podtune.app import deliver

        return deliver.put(to, job, self.folder(job).artifact, self.settings)

    def _sign_again(self, job: Job) -> None:
        """What the end of a completed job lacked: its receipt, and its delivery."""
        site = wiring.sites(self.settings, self._open()).get(job.plan.spec.where.on)
        if site is None:
            raise ConflictError(
                f"the receipt of {job.id!r} names a rented machine, and RunPod cannot be asked",
                code="missing_key",
                hint="set RUNPOD_API_KEY",
            )
        site.effects.receipt(job)

    def receipt(self, job_id: str) -> SignedReceipt:
        """The signed receipt of a completed job, or of an artifact's folder."""
        return receipts.read(self._receipt_folder(job_id))

    def settlement(self, job_or_folder: str) -> Standing | None:
        """What a rented job of this home cost in the end, beside its receipt; None for anything else."""
        if (Path(job_or_folder) / RECEIPT).is_file():
            return None
        job = self._completed(job_or_folder)
        return self.standing(job) if job.is_rented else None

    def verify_receipt(self, job_or_folder: str) -> list[str]:
        """Check a receipt against its artifact; what was checked, in words.

        Raises:
            ArtifactError: something does not hold.
        """
        folder = self._receipt_folder(job_or_folder)
        return receipts.verify(folder, signing_key(self.settings.home).public_base64)

    def signer(self, job_or_folder: str) -> str:
        """Who signed a receipt: `this installation` or `another installation`."""
        key = receipts.read(self._receipt_folder(job_or_folder)).public_key
        own = key == signing_key(self.settings.home).public_base64
        return "this installation" if own else "another installation"

    def _receipt_folder(self, job_or_folder: str) -> Path:
        path = Path(job_or_folder)
        if (path / RECEIPT).is_file():
            return path
        return self.folder(self._completed(job_or_folder)).artifact

    def chat_folder(self, job_or_folder: str) -> Path:
        """The adapter a chat should load: an artifact folder, or a completed job's.

        Raises:
            NotFoundError: neither.
        """
        path = Path(job_or_folder)
        if (path / "adapter_config.json").is_file():
            if not (path / "spec.yaml").is_file():
                raise UnsupportedError(
                    f"{str(path)!r} is no podtune artifact (it has no spec.yaml)",
                    hint="only adapters trained by podtune can be talked to yet",
                )
            return path.absolute()
        return self.folder(self._completed(job_or_folder)).artifact

    def checkpoints(self, job_id: str) -> "Sequence[machines.Checkpoint]":
        """Sealed checkpoints of a job, here and on its rented machine, the newest first."""
        from podtune.app import machines

        return machines.checkpoints(self.settings, self.job(job_id))

    def checkpoint(self, job_id: str, step: int, to: Path) -> Path:
        """A verified copy of one checkpoint.

        Raises:
            NotFoundError: there is none of that step.
        """
        from podtune.app import machines

        return machines.get_checkpoint(self.settings, self.job(job_id), step, to)

    def _completed(self, job_id: str) -> Job:
        job = self.job(job_id)
        if job.outcome is not Outcome.COMPLETED or not job.is_finished:
            raise NotFoundError(
                f"job {job.id!r} has no artifact: it is {job.outcome or job.phase}",
                code="no_artifact",
                hint=f"podtune watch {job.id}"
                if not job.is_finished
                else f"podtune resume {job.id}",
            )
        return job
