"""An adapter's own model repository on the Hub: private, unless public was stated and confirmed.

Checked before any money is spent, and compared afterwards. A public repository is filled while it is
private and shown once everything in it is compared; samples stay behind, which are rows of the data.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Final

from podtune.core.artifact import RECEIPT, SAMPLES
from podtune.core.errors import ConflictError, CredentialsError, UnsupportedError
from podtune.storage.artifact_folder import checksums
from podtune.storage.hub_account import HubAccount
from podtune.storage.hub_store import compare
from podtune.storage.hub_upload import Upload, upload
from podtune.storage.object_wire import OnProgress

_OF_THE_HUB: Final = frozenset((".gitattributes", "README.md"))
"""What a repository holds when nobody has put anything there."""


def check(account: HubAccount, name: str, *, public: bool) -> None:
    """See that a repository is free or an earlier adapter's, and may be written.

    Args:
        account: Ours.
        name: `org/name`.
        public: Whether it may be seen by everybody.

    Raises:
        CredentialsError: the token is rejected, or of somebody else.
        UnsupportedError: it is public and nobody said so.
        ConflictError: it holds something else.
    """
    who = account.who()
    if name.partition("/")[0] not in (who.name, *who.organisations):
        raise CredentialsError(
            f"deliver.to: the Hub token belongs to {who.name!r}, who cannot write to {name!r}",
            code="token_scope",
            hint=f"deliver to hf://{who.name}/{name.partition('/')[2]}, or set HF_TOKEN to another",
        )
    if who.role == "read":
        raise CredentialsError(
            "deliver.to: the Hub token may only read",
            code="token_scope",
            hint="make one with write access at huggingface.co/settings/tokens",
        )
    found = account.repository("model", name)
    if found is None:
        return
    if not found.private and not public:
        raise UnsupportedError(
            f"deliver.to: the Hub repository {name!r} is public",
            code="public_place",
            hint="name another, or state it: --set deliver.public=true",
        )
    paths = {entry.path for entry in account.files("model", name)}
    if paths - _OF_THE_HUB and RECEIPT not in paths:
        raise ConflictError(
            f"deliver.to: the Hub repository {name!r} holds something that is no adapter of ours",
            code="target_exists",
            hint="name a new repository; nothing is overwritten",
        )


def deliver(
    account: HubAccount,
    name: str,
    folder: Path,
    *,
    public: bool = False,
    on_progress: OnProgress | None = None,
    upload: Callable[[HubAccount, Upload, OnProgress | None], str] = upload,
) -> str:
    """Put an artifact into its repository, compare it, and return its link.

    Args:
        account: Ours.
        name: `org/name`; made private when it is not there.
        folder: The artifact with its receipt.
        public: Show it to everybody at the end.
        on_progress: Called with bytes sent and bytes in all.
        upload: Commits files.

    Raises:
        PodtuneError: as `check` and `upload`.
        ArtifactError: the repository holds something else afterwards.
    """
    account.create("model", name, private=True)
    check(account, name, public=public)
    wanted = {path: folder / path for path in published(folder, public=public)}
    there = {entry.path: entry for entry in account.files("model", name)}
    if not all(p in there and there[p].is_file(file) for p, file in wanted.items()):
        upload(account, Upload("model", name, wanted, "podtune: adapter"), on_progress)
    compare(account, "model", name, wanted)
    found = account.repository("model", name)
    if public and found is not None and found.private:
        account.set_visibility("model", name, private=False)
    if not public and (found is None or not found.private):
        raise UnsupportedError(
            f"the Hub shows {name!r} to everybody although it was made private",
            code="public_place",
            hint="make it private in its settings on the Hub",
        )
    return f"{account.url}/{name}"


def published(folder: Path, *, public: bool) -> tuple[str, ...]:
    """The files that go there; before/after samples, which are row text, stay out of public ones."""
    names = set(checksums(folder))
    if (folder / RECEIPT).is_file():
        names.add(RECEIPT)
    return tuple(sorted(names - {SAMPLES} if public else names))
