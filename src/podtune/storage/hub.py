"""The model Hub: pin a revision to a commit, fetch the small files, fetch the weights.

Everything goes through huggingface_hub's cache. Only safetensors, JSON and templates are ever
fetched: a model repository is code, and we run none of it.
"""

import errno
import json
from collections.abc import Callable, Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, Final, NamedTuple

from podtune.core.clock import Sleep, sleep
from podtune.core.errors import CredentialsError, NotFoundError, PodtuneError, StateError
from podtune.core.redact import scrub
from podtune.storage import hub_names
from podtune.storage.hub_downloads import Patience, TruncatedError, complete

SMALL_FILES: Final = ("*.json", "*.jinja")
ALL_FILES: Final = ("*.json", "*.jinja", "*.safetensors")
UNWANTED: Final = ("consolidated*", "original/*", "onnx/*", "runs/*", "checkpoint*/*")
TIMEOUT_S: Final = 10.0


class HubUnreachableError(PodtuneError):
    """No answer from the Hub."""

    code = "hub_unreachable"
    retryable = True


class HubModel(NamedTuple):
    """A model at one commit, its small files already in the cache."""

    name: str
    commit: str
    folder: Path
    weights_here: bool
    download_bytes: int | None
    is_restricted: bool = False
    """Gated or private: who has no token does not get it. Unknown, so False, from the cache alone."""


def find(name: str, revision: str | None, *, as_stranger: bool = False) -> HubModel:
    """Pin a model to a commit and make its config and tokenizer available.

    From the cache alone when it already has that commit and the Hub does not answer.

    Args:
        name: `org/name`.
        revision: Branch, tag or commit; None for the newest.
        as_stranger: Ask without any token, and not the cache alone, which does not say who may read what it has:
            found is only what the Hub shows to everybody.

    Raises:
        NotFoundError: no such model or revision.
        CredentialsError: gated or private, and no token that may read it.
        HubUnreachableError: no network and nothing in the cache.
    """
    try:
        return _find_online(name, revision, as_stranger=as_stranger)
    except HubUnreachableError as fault:
        if as_stranger:
            raise
        return _cached(name, revision, fault)


def _find_online(name: str, revision: str | None, *, as_stranger: bool) -> HubModel:
    hf = _client()
    token = False if as_stranger else None
    api = hf.HfApi(token=token)
    info = _ask(
        lambda: api.model_info(name, revision=revision, timeout=TIMEOUT_S, files_metadata=True),
        name,
        revision,
        api,
    )
    siblings: list[Any] = info.siblings or []
    files: dict[str, int] = {s.rfilename: s.size or 0 for s in siblings}
    weights = [f for f in files if f.endswith(".safetensors") and "/" not in f]
    if not weights:
        raise NotFoundError(
            f"{name!r} has no safetensors weights",
            code="model_not_found",
            hint="GGUF and pickled repositories are not trained on; use the original model: "
            f"{hub_names.words(name, api) or hub_names.original(name)}",
        )
    # By the name asked for, so that the cache knows it too when the Hub does not answer.
    folder = Path(
        _ask(
            lambda: hf.snapshot_download(
                name,
                revision=revision,
                allow_patterns=list(SMALL_FILES),
                ignore_patterns=list(UNWANTED),
                token=token,
            ),
            name,
            revision,
            api,
        )
    )
    here = all((folder / f).exists() for f in weights)
    is_restricted = bool(info.gated) or bool(info.private)
    size = sum(files[f] for f in weights)
    return HubModel(name, folder.name, folder, here, size, is_restricted)


def fetch(
    name: str,
    commit: str,
    on_bytes: Callable[[float, float], None],
    *,
    sleep: Sleep = sleep,
) -> Path:
    """Download everything training needs of one commit, resuming what is there.

    An attempt that fails is followed by others, each from the byte the last one reached.

    Args:
        name: `org/name`.
        commit: As pinned by the plan.
        on_bytes: Called with bytes done and bytes in all.
        sleep: Waits between attempts.

    Raises:
        PodtuneError: as `find`.
        StateError: the disk is full.
    """
    hf = _client()
    patience = Patience(_is_transient, sleep=sleep)

    def siblings() -> list[Any]:
        info = hf.HfApi().model_info(name, revision=commit, timeout=TIMEOUT_S, files_metadata=True)
        return info.siblings or []

    def small_files() -> str:
        return hf.snapshot_download(
            name,
            revision=commit,
            allow_patterns=list(ALL_FILES),
            ignore_patterns=list(UNWANTED),
            tqdm_class=_silent_bar(),
        )

    try:
        found = _ask(lambda: patience.call(siblings), name, commit)
    except HubUnreachableError as fault:
        return _whole_in_cache(name, commit, fault)
    files = [(s.rfilename, s.size or 0) for s in found if _is_weights(s.rfilename)]
    _ask(lambda: complete(name, commit, files, on_bytes, patience), name, commit)
    return Path(_ask(lambda: patience.call(small_files), name, commit))


def _is_weights(path: str) -> bool:
    unwanted = any(fnmatch(path, pattern) for pattern in UNWANTED)
    return path.endswith(".safetensors") and not unwanted


def _whole_in_cache(name: str, commit: str, fault: HubUnreachableError) -> Path:
    """The cache's copy with its weights; raises the fault when a part of it is missing."""
    cached = _cached(name, commit, fault)
    index = cached.folder / "model.safetensors.index.json"
    if index.is_file():
        shards = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
        here = all((cached.folder / shard).exists() for shard in shards)
    else:
        here = cached.weights_here
    if not here:
        raise fault
    return cached.folder


def _ask(call: Callable[[], Any], name: str, revision: str | None, api: Any = None) -> Any:
    """Call the Hub's client; its faults become ours. `api` is who looks for names near one that is not there."""
    try:
        return call()
    except Exception as error:
        raise _fault(name, revision, error, api) from error


def _client() -> Any:
    """The Hub library, imported when it is first needed; its own types are only partly known."""
    import huggingface_hub

    return huggingface_hub


def _silent_bar() -> type:
    """A tqdm that draws nothing."""
    base: Any = _client().utils.tqdm

    class Bar(base):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            base.__init__(self, *args, **{**kwargs, "disable": True})

    return Bar


def _cached(name: str, revision: str | None, fault: HubUnreachableError) -> HubModel:
    """The cache's copy of a revision; raises the fault when it has none or half of one."""
    try:
        folder = Path(
            _client().snapshot_download(
                name,
                revision=revision,
                local_files_only=True,
                allow_patterns=list(SMALL_FILES),
                ignore_patterns=list(UNWANTED),
            )
        )
    except (OSError, ValueError) as error:  # the client's "not in the cache" is a ValueError too
        raise fault from error
    if not (folder / "config.json").is_file():
        raise fault
    return HubModel(name, folder.name, folder, any(folder.glob("*.safetensors")), None)


def _fault(name: str, revision: str | None, error: Exception, api: Any) -> PodtuneError:
    """A fault of the Hub's client in our words.

    Raises:
        Exception: the error itself, when it is none of the Hub's.
    """
    from huggingface_hub import errors

    if isinstance(error, errors.GatedRepoError):
        return _gated(name)
    if isinstance(error, errors.HfHubHTTPError) and _rejected(error):
        return CredentialsError(
            "the Hub rejects HF_TOKEN",
            code="token_rejected",
            hint="set HF_TOKEN to a valid token, or unset it for public models",
        )
    if isinstance(error, errors.RepositoryNotFoundError | errors.RevisionNotFoundError):
        at = f" at revision {revision!r}" if revision else ""
        return NotFoundError(
            f"no model {name!r}{at} on the Hub",
            code="model_not_found",
            hint=f"{'' if revision else _nearest_words(name, api)}check the spelling; a private model "
            "needs HF_TOKEN",
        )
    if isinstance(error, errors.HFValidationError):
        return NotFoundError(
            f"{name!r} is neither a folder here nor a name the Hub could have",
            code="model_not_found",
            hint="a Hub name is org/name; a folder must exist",
        )
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StateError(
            "the disk with the Hub's cache is full",
            code="disk_full",
            hint="free some space or set HF_HOME to another disk; what was fetched is kept",
        )
    if isinstance(error, errors.HfHubHTTPError | OSError) or _is_connection_error(error):
        reason = scrub(str(error).split("\n", 1)[0])[:160]
        return HubUnreachableError(
            f"no answer from the Hub ({reason})",
            hint="check the network and try again; what was fetched is kept",
        )
    raise error


def _nearest_words(name: str, api: Any) -> str:
    words = hub_names.words(name, api or _client().HfApi())
    return f"{words} " if words else ""


def _is_transient(error: Exception) -> bool:
    """Whether the same question may get an answer a moment later."""
    from huggingface_hub import errors

    if isinstance(error, errors.OfflineModeIsEnabled):
        return False
    if isinstance(error, errors.HfHubHTTPError):
        status = getattr(error.response, "status_code", 0)
        return status in (408, 425, 429) or status >= 500
    return isinstance(error, TruncatedError) or _is_connection_error(error, local=False)


def _rejected(error: Any) -> bool:
    """Whether the Hub refused the token itself.

    To strangers it answers 401, "Invalid username or password", for what is private or not there.
    """
    status = getattr(error.response, "status_code", None)
    return status == 401 and "invalid credentials" in str(error).lower()


def _is_connection_error(error: BaseException, *, local: bool = True) -> bool:
    """Whether the HTTP client could not connect, whichever client the Hub library uses.

    With `local`, any fault of this machine's system calls counts too.
    """
    chain: list[BaseException] = []
    current: BaseException | None = error
    while current is not None and current not in chain:
        chain.append(current)
        current = current.__cause__ or current.__context__
    names = {base.__name__ for e in chain for base in type(e).__mro__}
    known = {"TransportError", "ConnectionError", "TimeoutException"}
    return bool(names & (known | {"OSError"} if local else known))


def _gated(name: str) -> CredentialsError:
    return CredentialsError(
        f"{name!r} is gated",
        code="gated_model",
        hint="accept its licence on its Hub page, then set HF_TOKEN to a token that may read it",
    )


def environment_names() -> Mapping[str, str]:
    """The Hub's own variables and what each is for."""
    return {
        "HF_TOKEN": "read gated and private models",
        "HF_HOME": "where the Hub's cache is",
        "HF_ENDPOINT": "another Hub server",
        "HF_HUB_OFFLINE": "never ask the Hub",
    }
