"""Files into a repository of the Hub, by huggingface_hub, in a process that can be ended.

hf_xet, which it uploads with, tried for ever when the Hub's answer lacked a field (1.8.0,
2026-11-22). So the upload runs as `python -m podtune.storage.hub_upload`, is ended at its limit and
done once more without hf_xet. The token goes in by stdin: it never stands in an argument.
"""

import json
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from pydantic import BaseModel, ConfigDict, ValidationError

from podtune.core.errors import ArtifactError, CredentialsError, PodtuneError, UnavailableError
from podtune.core.redact import scrub
from podtune.storage.hub_account import HubAccount, Kind
from podtune.storage.object_wire import OnProgress, transfer_limit_s

GRACE_S: Final = 5
"""After which a child whose parent died ends by itself, over its limit."""


class Upload(NamedTuple):
    """One commit."""

    kind: Kind
    repository: str
    files: Mapping[str, Path]
    """Path in the repository -> local file."""
    message: str


class _Order(BaseModel):
    """What the child is told."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    endpoint: str
    token: str
    kind: str
    repository: str
    files: dict[str, str]
    message: str
    xet: bool
    limit_s: int


class _Said(BaseModel):
    """What the child says."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    commit: str | None = None
    status: int | None = None
    reason: str = ""


def upload(
    account: HubAccount,
    wanted: Upload,
    on_progress: OnProgress | None = None,
    limit_s: float | None = None,
) -> str:
    """Commit files and return the commit.

    Args:
        account: Whose repository.
        wanted: What goes where.
        on_progress: Called at the beginning and at the end: the client does not tell more.
        limit_s: Of one attempt; by the size of the files when not given.

    Raises:
        CredentialsError: the token is rejected or may not write there.
        UnavailableError: it did not succeed, twice.
        ArtifactError: the Hub refuses the files.
    """
    size = sum(path.stat().st_size for path in wanted.files.values())
    limit = limit_s or transfer_limit_s(size)
    if on_progress:
        on_progress(0, size)
    said = _attempt(account, wanted, limit, xet=True)
    if said.commit is None and said.status not in (401, 403):
        said = _attempt(account, wanted, limit, xet=False)
    if said.commit is None:
        raise _fault(said, wanted.repository)
    if on_progress:
        on_progress(size, size)
    return said.commit


def _attempt(account: HubAccount, wanted: Upload, limit_s: float, *, xet: bool) -> _Said:
    order = _Order(
        endpoint=account.url,
        token=account.token.get_secret_value(),
        kind=wanted.kind,
        repository=wanted.repository,
        files={name: str(path.absolute()) for name, path in wanted.files.items()},
        message=wanted.message,
        xet=xet,
        limit_s=int(limit_s) + GRACE_S,
    )
    child = subprocess.Popen(
        [sys.executable, "-m", "podtune.storage.hub_upload"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    with child:
        try:
            out, _ = child.communicate(order.model_dump_json().encode(), timeout=limit_s)
        except subprocess.TimeoutExpired:
            child.kill()
            child.communicate()
            return _Said(reason=f"nothing after {limit_s:.0f} s")
        except BaseException:
            child.kill()
            raise
    try:
        return _Said.model_validate_json(out.rstrip().rpartition(b"\n")[2])
    except ValidationError:
        return _Said(reason=f"the uploading process ended with {child.returncode}")


def _refused(said: _Said) -> bool:
    """Whether the Hub has decided: another way of sending changes nothing."""
    return said.status is not None and 400 <= said.status < 500 and said.status not in (408, 429)


def _fault(said: _Said, repository: str) -> PodtuneError:
    if said.status in (401, 403):
        return CredentialsError(
            f"the Hub does not let this token write to {repository!r}",
            code="token_scope",
            hint="give the token write access at huggingface.co/settings/tokens",
        )
    if _refused(said):
        return ArtifactError(
            f"the Hub refuses the files for {repository!r}: {said.reason}", code="upload_refused"
        )
    return UnavailableError(
        f"the upload to {repository!r} did not succeed, with hf_xet and without: {said.reason}",
        code="store_unavailable",
        hint="try again; nothing was committed",
    )


def _commit(order: _Order) -> _Said:
    """Do what the child is for."""
    import huggingface_hub as hub
    from huggingface_hub import constants
    from huggingface_hub.errors import HfHubHTTPError

    switches: Any = constants
    switches.HF_HUB_DISABLE_XET = not order.xet  # read at each upload
    api: Any = hub.HfApi(endpoint=order.endpoint, token=order.token)
    operations = [
        hub.CommitOperationAdd(path_in_repo=name, path_or_fileobj=path)
        for name, path in order.files.items()
    ]
    try:
        done = api.create_commit(
            order.repository, operations, commit_message=order.message, repo_type=order.kind
        )
    except HfHubHTTPError as error:
        return _Said(status=error.response.status_code, reason=_reason(error))
    except Exception as error:  # noqa: BLE001  whatever the library raises is told to the parent
        return _Said(reason=f"{type(error).__name__}: {_reason(error)}")
    return _Said(commit=str(done.oid))


def _reason(error: Exception) -> str:
    return scrub(str(error).split("\n", 1)[0])[:200]


def main() -> None:
    """Read an order from stdin, carry it out, say how it went."""
    order = _Order.model_validate(json.load(sys.stdin))
    if hasattr(signal, "alarm"):
        signal.alarm(order.limit_s)
    sys.stdout.write(_commit(order).model_dump_json() + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
