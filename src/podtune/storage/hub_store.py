"""A store of bundles and artifacts in a private data set repository, `<account>/podtune-<job>`.

It holds what specification A puts there under A's names (`training-data.jsonl`, `train.sh`), the
bundle, and in the end the artifact under `adapter/`. The repository is made private, and its
visibility is read back before the first byte goes there. Our token never leaves this machine: the
machine gets the bundle at an address the Hub signed, and writes with a fine-grained token of its
own where there is one; else the artifact comes by the port and is put there from here.
"""

import tempfile
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Final

from pydantic import JsonValue, SecretStr

from podtune.core.errors import ArtifactError, CredentialsError, NotFoundError, UnsupportedError
from podtune.core.handover import (
    BundleByHttps,
    BundleByPort,
    BundleTicket,
    DeliverByPort,
    DeliverByProgram,
    DeliveredResult,
    DeliverTicket,
)
from podtune.storage import places
from podtune.storage.artifact_folder import checksums
from podtune.storage.hub_account import HubAccount, HubEntry, Kind
from podtune.storage.hub_upload import Upload, upload
from podtune.storage.object_wire import OnProgress
from podtune.storage.places import StoreKey

FINE_GRAINED: Final = "fineGrained"
"""What `whoami-v2` calls the role of a token whose rights were chosen one by one."""

ROWS: Final = "training-data.jsonl"
SCRIPT: Final = "train.sh"
BUNDLE: Final = "bundle.tar"
FOLDER: Final = "adapter"
"""Names in the repository; the first two are specification A's."""

PROGRAM: Final = "deliver_hub.py"
"""What a machine with a token of its own runs, in the worker's folder."""


class HubStore:
    """Bundles and artifacts in private repositories of one account."""

    def __init__(
        self,
        account: HubAccount,
        rows: Path,
        script: Path | None = None,
        pod_token: SecretStr | None = None,
        upload: Callable[[HubAccount, Upload, OnProgress | None], str] = upload,
    ) -> None:
        """Take an account.

        Args:
            account: Ours; its token may write.
            rows: The job's training rows.
            script: `train.sh`, which trains the same without us; not sent when there is none.
            pod_token: What the machine may be handed, checked by `check_pod_token`.
            upload: Commits files.
        """
        self._account, self._pod_token, self._upload = account, pod_token, upload
        self._rows, self._script = rows, script
        self._owner: str | None = None

    def repository(self, key: StoreKey) -> str:
        """`<account>/podtune-<job>`."""
        if self._owner is None:
            self._owner = self._account.who().name
        return f"{self._owner}/podtune-{key.job}"

    def send(
        self,
        bundle: Path,
        sha256: str,
        key: StoreKey,
        expires_at: datetime,
        on_progress: OnProgress | None = None,
    ) -> BundleTicket:
        """Commit bundle, rows and script, unless just that bundle is there already."""
        name = self.repository(key)
        make_private(self._account, "dataset", name)
        if self._entry(name, sha256, bundle) is None:
            files = {BUNDLE: bundle, ROWS: self._rows}
            if self._script is not None:
                files[SCRIPT] = self._script
            message = f"podtune: bundle of {key.job}, attempt {key.attempt}"
            self._upload(self._account, Upload("dataset", name, files, message), on_progress)
        entry = self._entry(name, sha256, bundle)
        if entry is None:
            raise ArtifactError(
                f"{name!r} does not hold the bundle that was sent", code="integrity_mismatch"
            )
        size = bundle.stat().st_size
        url = self._account.signed_address("dataset", name, BUNDLE, "main")
        if url is None:  # the Hub hands it out itself, to a token only
            return BundleByPort(sha256=sha256, bytes=size)
        return BundleByHttps(sha256=sha256, bytes=size, url=SecretStr(url))

    def ticket(self, key: StoreKey, expires_at: datetime) -> DeliverTicket:
        """By a program with the machine's own token, or by the port."""
        if self._pod_token is None:
            return DeliverByPort()
        told = ("--endpoint", self._account.url, "--repository", self.repository(key))
        which = ("--job", key.job, "--attempt", str(key.attempt))
        return DeliverByProgram(arguments=(PROGRAM, *told, *which))

    def outcome(self, key: StoreKey) -> DeliveredResult | None:
        """What the machine committed as its result; None while there is none of this attempt."""
        content = self._account.read("dataset", self.repository(key), places.RESULT)
        return None if content is None else places.parsed_result(content, key)

    def fetch(self, key: StoreKey, into: Path) -> Path | None:
        """The artifact as a folder, every sum compared; None while it is not there."""
        result = self.outcome(key)
        if result is None or not result.files:
            return None
        into.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=into, prefix=".fetched-") as work:
            folder = Path(work) / places.ARTIFACT
            for path, sha256 in result.files.items():
                self._fetch_one(key, path, folder / places.safe_name(path), sha256)
            return places.put_in_place(folder, into)

    def fetch_checkpoint(self, key: StoreKey, into: Path) -> bool:
        """A machine brings no checkpoint here: it writes the repository with the whole adapter only."""
        return False

    def keep(self, key: StoreKey, folder: Path) -> None:
        """Commit an artifact that came by the port, where this machine has to do it."""
        name = self.repository(key)
        make_private(self._account, "dataset", name)
        there = {entry.path: entry for entry in self._account.files("dataset", name)}
        wanted = {f"{FOLDER}/{path}": folder / path for path in checksums(folder)}
        if all(path in there and there[path].is_file(file) for path, file in wanted.items()):
            return
        message = f"podtune: adapter of {key.job}, attempt {key.attempt}"
        self._upload(self._account, Upload("dataset", name, wanted, message), None)

    def forget(self, key: StoreKey, bundle_sha256: str) -> None:
        """The repository is private and keeps what trains the same again: nothing is removed."""

    def remove(self, key: StoreKey, bundle_sha256: str | None = None) -> None:
        """Remove the whole repository of the job."""
        self._account.delete("dataset", self.repository(key))

    def _fetch_one(self, key: StoreKey, path: str, target: Path, sha256: str) -> None:
        got = self._account.get("dataset", self.repository(key), f"{FOLDER}/{path}", target)
        if got is None or got.sha256 != sha256:
            raise ArtifactError(
                f"{path!r} in the repository is not what the machine made",
                code="integrity_mismatch",
                hint="fetch it again",
            )

    def _entry(self, name: str, sha256: str, bundle: Path) -> HubEntry | None:
        """The bundle as the repository has it; None when it has none or another."""
        for entry in self._account.files("dataset", name):
            if entry.path == BUNDLE:
                same = entry.sha256 == sha256 if entry.sha256 else entry.is_file(bundle)
                return entry if same else None
        return None


def make_private(account: HubAccount, kind: Kind, name: str) -> None:
    """Make a private repository and read its visibility back, before the first byte goes there.

    Raises:
        CredentialsError: the token may not.
        UnsupportedError: strangers may read it.
        NotFoundError: it is not there although it was made.
    """
    if account.repository(kind, name) is None:
        account.create(kind, name, private=True)
    found = account.repository(kind, name)
    if found is None:
        raise NotFoundError(
            f"the Hub made {name!r} and does not show it", code="no_repository", hint="try again"
        )
    if not found.private:
        raise UnsupportedError(
            f"the Hub repository {name!r} is public: anybody could read what is put there",
            code="public_place",
            hint="make it private in its settings on the Hub, or name another",
        )


def put_result(
    account: HubAccount,
    key: StoreKey,
    name: str,
    folder: Path,
    facts: Mapping[str, JsonValue] | None = None,
) -> None:
    """On a rented machine: commit an artifact with its result, all at once, and compare.

    Args:
        account: By the machine's own token.
        key: Which attempt.
        name: The repository; it has to be private.
        folder: The artifact.
        facts: What the worker measured.

    Raises:
        PodtuneError: as `make_private` and `upload`.
        ArtifactError: the repository holds something else afterwards.
    """
    found = account.repository("dataset", name)
    if found is None or not found.private:
        raise UnsupportedError(
            f"{name!r} is not there or not private: nothing was sent", code="public_place"
        )
    files = checksums(folder)
    told_facts = dict(facts or {})
    result = DeliveredResult(
        job=key.job, attempt=key.attempt, ok=True, files=files, facts=told_facts
    )
    wanted = {f"{FOLDER}/{path}": folder / path for path in files}
    with tempfile.TemporaryDirectory() as work:
        told = Path(work) / places.RESULT
        told.write_text(result.model_dump_json(), encoding="utf-8")
        message = f"podtune: adapter of {key.job}, attempt {key.attempt}"
        upload(account, Upload("dataset", name, {**wanted, places.RESULT: told}, message))
    compare(account, "dataset", name, wanted)


def compare(account: HubAccount, kind: Kind, name: str, wanted: Mapping[str, Path]) -> None:
    """See that a repository holds just these bytes under these names.

    Raises:
        ArtifactError: it does not.
    """
    there = {entry.path: entry for entry in account.files(kind, name)}
    for path, file in wanted.items():
        if path not in there or not there[path].is_file(file):
            raise ArtifactError(
                f"{path!r} in {name!r} is not what was sent",
                code="integrity_mismatch",
                hint="send it again",
            )


def check_pod_token(account: HubAccount) -> None:
    """See that a token may be handed to a rented machine: its rights must have been chosen.

    Raises:
        CredentialsError: it is rejected, or opens the whole account.
    """
    role = account.who().role
    if role == FINE_GRAINED:
        return
    raise CredentialsError(
        f"PODTUNE_POD_HF_TOKEN opens the whole account (its role is {role or 'not stated'!r})",
        code="broad_token",
        hint="at huggingface.co/settings/tokens make a fine-grained token with write access to the "
        "repositories of this account that start with podtune-, or read access to the gated model",
    )
