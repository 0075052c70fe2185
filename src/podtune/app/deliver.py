"""Carry out `deliver.to`: the adapter goes where the spec says, and is compared there.

Runs on this machine once the receipt is signed, so that the receipt travels along. May be called
again after a crash: what is there already with the same sum is success.
"""

import tempfile
from pathlib import Path
from typing import Final

from podtune.app import delivered, stores, targets
from podtune.app.delivered import Delivered
from podtune.app.settings import Settings
from podtune.app.targets import Bucket, HubRepository, LocalArchive, LocalFolder
from podtune.core.errors import ArtifactError, SpecError
from podtune.core.job import Job
from podtune.core.spec import TrainingSpec
from podtune.egress.s3 import S3Object
from podtune.storage import archive, artifact_folder, hub_delivery
from podtune.storage.object_wire import OnProgress
from podtune.storage.supabase import require_private

MEDIA_TYPE: Final = "application/gzip"


def check_target(spec: TrainingSpec, settings: Settings, job: str = "new") -> None:
    """See that the adapter can be delivered, before anything is trained or rented.

    Args:
        spec: Whose `deliver.to`.
        settings: Of this installation.
        job: Its id, which names archives.

    Raises:
        SpecError: it is no target, or something is there already.
        CredentialsError: a key is missing or rejected, or may not write there.
        NotFoundError: no such bucket.
        UnsupportedError: strangers could read it, and nobody said so.
        UnavailableError: the store does not answer.
    """
    if spec.deliver.to is None:
        return
    match targets.parse(spec.deliver.to):
        case LocalFolder() | LocalArchive() as target:
            targets.refuse_existing(target)
        case HubRepository(name):
            hub_delivery.check(stores.hub_account(), name, public=spec.deliver.public)
        case Bucket("s3") as target:
            store = stores.s3()
            store.check(target.bucket, target.key(job).rpartition("/")[0])
            if store.size(S3Object(target.bucket, target.key(job))) is not None:
                raise _taken(target, job)
        case Bucket() as target:
            supabase = stores.supabase()
            if supabase.is_public(target.bucket):
                require_private(supabase, target.bucket)
            if supabase.size(target.bucket, target.key(job)) is not None:
                raise _taken(target, job)


def deliver(
    job: Job, artifact: Path, settings: Settings, on_progress: OnProgress | None = None
) -> Delivered | None:
    """Put a job's artifact where its spec says, compare it there, and note where it is.

    Args:
        job: Whose.
        artifact: Its folder in the job's, with the signed receipt.
        settings: Of this installation.
        on_progress: Called with bytes sent and bytes in all.

    Returns:
        Where it is; None when the spec names no place.

    Raises:
        PodtuneError: as `check_target`.
        ArtifactError: what is there afterwards is something else.
    """
    to = job.plan.spec.deliver.to
    return None if to is None else put(to, job, artifact, settings, on_progress)


def put(
    to: str, job: Job, artifact: Path, settings: Settings, on_progress: OnProgress | None = None
) -> Delivered:
    """The same to a place that is named now.

    Raises:
        PodtuneError: as `deliver`.
    """
    done = _put(targets.parse(to), job, artifact, on_progress)
    delivered.write(artifact.parent, done)
    return done


def _put(
    target: targets.Target, job: Job, artifact: Path, on_progress: OnProgress | None
) -> Delivered:
    match target:
        case LocalFolder(path):
            artifact_folder.copy(artifact, path)
            return _folder(artifact, path.as_uri())
        case LocalArchive(path):
            written = archive.pack(artifact, path)
            uri = path.as_uri()
            return Delivered(uri=uri, sha256=written.sha256, size_bytes=written.size_bytes)
        case HubRepository(name):
            link = hub_delivery.deliver(
                stores.hub_account(),
                name,
                artifact,
                public=job.plan.spec.deliver.public,
                on_progress=on_progress,
            )
            return _folder(artifact, f"hf://{name}", link)
        case Bucket():
            with tempfile.TemporaryDirectory(dir=artifact.parent, prefix=".deliver-") as work:
                packed = archive.pack(artifact, Path(work) / "adapter.tar.gz")
                return _into_bucket(target, target.key(job.id), packed, on_progress)


def _into_bucket(
    target: Bucket, key: str, packed: archive.Archived, on_progress: OnProgress | None
) -> Delivered:
    """Put an archive into a bucket, unless it is there, and read its sum back."""
    if target.scheme == "s3":
        store, wanted = stores.s3(), S3Object(target.bucket, key)
        if store.size(wanted) != packed.size_bytes or store.get(wanted, None) != packed.sha256:
            store.put(packed.path, wanted, on_progress)
        there = store.get(wanted, None)
    else:
        supabase = stores.supabase()
        require_private(supabase, target.bucket)
        if supabase.size(target.bucket, key) != packed.size_bytes or (
            supabase.get(target.bucket, key, None) != packed.sha256
        ):
            supabase.put(packed.path, target.bucket, key, MEDIA_TYPE, on_progress)
        there = supabase.get(target.bucket, key, None)
    uri = f"{target.scheme}://{target.bucket}/{key}"
    if there != packed.sha256:
        raise ArtifactError(
            f"what {uri!r} holds is not what was sent",
            code="integrity_mismatch",
            hint="send it again: podtune artifact JOB --to TARGET",
        )
    return Delivered(
        uri=uri,
        sha256=packed.sha256,
        size_bytes=packed.size_bytes,
        adapter_path=f"{target.bucket}/{key}",
    )


def _folder(artifact: Path, uri: str, link: str | None = None) -> Delivered:
    files = artifact_folder.checksums(artifact)
    size = sum((artifact / name).stat().st_size for name in files)
    return Delivered(uri=uri, link=link, sha256=artifact_folder.combined(files), size_bytes=size)


def _taken(target: Bucket, job: str) -> SpecError:
    return SpecError(
        f"deliver.to: {target.scheme}://{target.bucket}/{target.key(job)} exists",
        code="target_exists",
        hint="name another key; nothing is overwritten",
    )
