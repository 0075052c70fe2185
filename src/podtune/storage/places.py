"""The seam with stores: how a bundle reaches a rented machine and how the artifact comes back.

Every store hands over the same way, through the machine's own token-protected port; what differs is
where bundle and artifact travel, which the two tickets say. A ticket holds addresses that serve one
object for a while, never a key of an account.
"""

import shutil
import tempfile
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Final, NamedTuple, Protocol

from pydantic import ValidationError

from podtune.core.errors import ArtifactError, UnsupportedError
from podtune.core.handover import (
    Address,
    BundleByPort,
    BundleTicket,
    DeliverByPort,
    DeliveredResult,
    DeliverTicket,
)
from podtune.storage import archive
from podtune.storage.artifact_folder import sha256_file
from podtune.storage.object_wire import OnProgress

ARCHIVE: Final = "adapter.tar.gz"
CHECKPOINT: Final = "checkpoint.tar.gz"
RESULT: Final = "result.json"
"""Under these names a machine puts what it made, the result last: with it all is there."""

BEGUN: Final = "begun.json"
"""The mark of a machine that is about to fetch its bundle, put before it does."""


ARTIFACT: Final = "artifact"
"""The folder that an artifact is fetched into."""


Get = Callable[[Path], str | None]
"""Gets one object of a store into a file; its SHA-256, or None where there is none."""


class StoreKey(NamedTuple):
    """Whose bundle and artifact: one attempt of one job."""

    job: str
    attempt: int


class BundleStore(Protocol):
    """A way there and back. Every verb may be called again: the same bytes there are success."""

    def send(
        self,
        bundle: Path,
        sha256: str,
        key: StoreKey,
        expires_at: datetime,
        on_progress: OnProgress | None = None,
    ) -> BundleTicket:
        """Put the bundle where the machine can get it; nothing is sent that is there already.

        Args:
            bundle: The file.
            sha256: Of it, in hex.
            key: Whose it is.
            expires_at: When the machine's time is over; no address outlives it.
            on_progress: Called with bytes sent and bytes in all.

        Raises:
            CredentialsError: the store rejects our key.
            PodtuneError: it cannot be sent.
        """
        ...

    def ticket(self, key: StoreKey, expires_at: datetime) -> DeliverTicket:
        """How the machine hands back. Asked again, it signs anew: some addresses live 2 hours.

        Raises:
            CredentialsError: the store rejects our key.
        """
        ...

    def outcome(self, key: StoreKey) -> DeliveredResult | None:
        """What the machine's `result.json` says; None while there is none."""
        ...

    def fetch(self, key: StoreKey, into: Path) -> Path | None:
        """The artifact as a folder below `into`, its sum compared; None while it is not there.

        Raises:
            ArtifactError: what came is not what the machine made.
        """
        ...

    def fetch_checkpoint(self, key: StoreKey, into: Path) -> bool:
        """Bring the checkpoint of an attempt that failed into a folder of checkpoints, its sum compared.

        Returns:
            Whether all that the machine left is here, which may be nothing; False while nothing came, and
            always where no checkpoint can come.

        Raises:
            ArtifactError: what came is not what the machine made.
        """
        ...

    def keep(self, key: StoreKey, folder: Path) -> None:
        """Put an artifact that came by the port where this store keeps artifacts."""
        ...

    def forget(self, key: StoreKey, bundle_sha256: str) -> None:
        """Remove an attempt's bundle, whose rows nobody needs any more; none there is success."""
        ...

    def remove(self, key: StoreKey, bundle_sha256: str | None = None) -> None:
        """Remove what was put there for an attempt, and the bundle; nothing there is success."""
        ...


class MarkedStore(BundleStore, Protocol):
    """A store in which a machine can leave a mark before it fetches its bundle.

    Without a bundle nothing begins. So whoever removes the bundle and then finds no mark knows that nothing
    has begun and nothing will; a mark says who has.
    """

    def marking(self, key: StoreKey, expires_at: datetime) -> Address:
        """An address that takes the mark."""
        ...

    def mark(self, key: StoreKey) -> bytes | None:
        """What the mark says; None where there is none."""
        ...


class DirectStore:
    """Everything through the machine's port; nothing is kept anywhere else."""

    def send(
        self,
        bundle: Path,
        sha256: str,
        key: StoreKey,
        expires_at: datetime,
        on_progress: OnProgress | None = None,
    ) -> BundleTicket:
        """Say that the bundle follows through the port."""
        return BundleByPort(sha256=sha256, bytes=bundle.stat().st_size)

    def ticket(self, key: StoreKey, expires_at: datetime) -> DeliverTicket:
        """Say that the artifact is fetched through the port."""
        return DeliverByPort()

    def outcome(self, key: StoreKey) -> DeliveredResult | None:
        """Only the port knows."""
        return None

    def fetch(self, key: StoreKey, into: Path) -> Path | None:
        """Only the port has it."""
        return None

    def fetch_checkpoint(self, key: StoreKey, into: Path) -> bool:
        """Only the port has them."""
        return False

    def keep(self, key: StoreKey, folder: Path) -> None:
        """The job's folder has it already."""

    def forget(self, key: StoreKey, bundle_sha256: str) -> None:
        """There is nothing."""

    def remove(self, key: StoreKey, bundle_sha256: str | None = None) -> None:
        """There is nothing."""


def parsed_result(content: bytes, key: StoreKey) -> DeliveredResult | None:
    """A machine's `result.json`, which is data from elsewhere; None when of another attempt.

    Raises:
        ArtifactError: it is none.
    """
    try:
        result = DeliveredResult.model_validate_json(content)
    except ValidationError as error:
        raise ArtifactError(f"{RESULT} cannot be read", code="artifact_incomplete") from error
    return result if (result.job, result.attempt) == key else None


def safe_name(path: str) -> str:
    """A file's path below an artifact's folder, as a store says it.

    Raises:
        ArtifactError: it leads elsewhere.
    """
    parts = path.split("/")
    if path.startswith("/") or not path.isprintable() or {"", ".", ".."} & set(parts):
        raise ArtifactError(f"{path[:200]!r} is no name below a folder", code="archive_unsafe")
    if "\\" in path or ":" in path:
        raise ArtifactError(f"{path[:200]!r} is no name below a folder", code="archive_unsafe")
    return path


def fetch_archive(result: DeliveredResult | None, get: Get, into: Path) -> Path | None:
    """The artifact that a machine put into its store as an archive, as a folder below `into`.

    Args:
        result: What the machine said; None while it has said nothing.
        get: Gets the archive.
        into: Where to; made when it is not there.

    Returns:
        The folder; None while there is none.

    Raises:
        ArtifactError: it is another than the machine made, or damaged.
    """
    if result is None or result.archive is None:
        return None
    into.mkdir(parents=True, exist_ok=True)
    packed = into / ARCHIVE
    if get(packed) is None:
        return None
    return _unpacked(packed, result.archive.sha256, into / ARTIFACT)


def fetch_checkpoint(result: DeliveredResult | None, get: Get, into: Path) -> bool:
    """The checkpoint of an attempt that failed, below `into`: see `BundleStore.fetch_checkpoint`."""
    if result is None or result.checkpoint is None:
        return result is not None
    into.mkdir(parents=True, exist_ok=True)
    packed = into / CHECKPOINT
    if get(packed) is not None:
        _unpacked(packed, result.checkpoint.sha256, into / result.checkpoint.name)
    return True


def _unpacked(packed: Path, sha256: str, target: Path) -> Path:
    """An archive that was fetched, compared with its sum and unpacked in place of what was there."""
    if sha256_file(packed) != sha256:
        packed.unlink()
        raise ArtifactError(
            f"{packed.name}: what came is not what the machine made",
            code="integrity_mismatch",
            hint="fetch it again",
        )
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".fetched-") as work:
        unpacked = Path(work) / target.name
        archive.unpack(packed, unpacked, sha256=sha256)
        shutil.rmtree(target, ignore_errors=True)
        unpacked.replace(target)
    packed.unlink()
    return target


def put_in_place(fetched: Path, into: Path) -> Path:
    """A whole artifact takes the place of what an earlier attempt or half a fetch has left."""
    folder = into / ARTIFACT
    shutil.rmtree(folder, ignore_errors=True)
    fetched.replace(folder)
    return folder


def volume_refused() -> UnsupportedError:
    """Why a network volume is no store, and what to do."""
    return UnsupportedError(
        "deliver.store: a network volume cannot hand out or take a file without a running machine: "
        "its S3 interface signs no addresses",
        code="unsupported_store",
        hint="use --set deliver.store=direct; where.volume keeps base models and checkpoints there",
    )
