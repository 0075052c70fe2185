"""The model Hub: pin a revision to a commit, fetch the small files, fetch the weights.

Everything goes through huggingface_hub's cache. Only safetensors, JSON and templates are ever
fetched: a model repository is code, and we run none of it.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from podtune.core.errors import CredentialsError, NotFoundError, PodtuneError

SMALL_FILES: Final = ("*.json", "*.jinja")
ALL_FILES: Final = ("*.json", "*.jinja", "*.safetensors")
UNWANTED: Final = ("original/*", "onnx/*", "runs/*", "checkpoint*/*")
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


def find(name: str, revision: str | None) -> HubModel:
    """Pin a model to a commit and make its config and tokenizer available.

    From the cache alone when it already has that commit and the Hub does not answer.

    Raises:
        NotFoundError: no such model or revision.
        CredentialsError: gated or private, and no token that may read it.
        HubUnreachableError: no network and nothing in the cache.
    """
    from huggingface_hub import errors

    hf = _client()

    try:
        info = hf.HfApi().model_info(
            name, revision=revision, timeout=TIMEOUT_S, files_metadata=True
        )
    except errors.GatedRepoError as error:
        raise _gated(name) from error
    except (errors.RepositoryNotFoundError, errors.RevisionNotFoundError) as error:
        raise NotFoundError(
            f"no model {name!r}"
            + (f" at revision {revision!r}" if revision else "")
            + " on the Hub",
            code="model_not_found",
            hint="check the spelling; a private model needs HF_TOKEN",
        ) from error
    except (errors.HfHubHTTPError, errors.OfflineModeIsEnabled, OSError) as error:
        return _cached(name, revision, error)
    except Exception as error:
        if not _is_connection_error(error):
            raise
        return _cached(name, revision, error)
    commit = str(info.sha)
    siblings: list[Any] = info.siblings or []
    files: dict[str, int] = {s.rfilename: s.size or 0 for s in siblings}
    weights = [f for f in files if f.endswith(".safetensors") and "/" not in f]
    if not weights:
        raise NotFoundError(
            f"{name!r} has no safetensors weights",
            code="model_not_found",
            hint="GGUF and pickled repositories are not trained on; use the original model",
        )
    folder = Path(
        hf.snapshot_download(
            name, revision=commit, allow_patterns=list(SMALL_FILES), ignore_patterns=list(UNWANTED)
        )
    )
    here = all((folder / f).exists() for f in weights)
    return HubModel(name, commit, folder, here, sum(files[f] for f in weights))


def fetch(name: str, commit: str, on_bytes: Callable[[float, float], None]) -> Path:
    """Download everything training needs of one commit, resuming what is there.

    Args:
        name: `org/name`.
        commit: As pinned by the plan.
        on_bytes: Called with bytes done and bytes in all.

    Raises:
        PodtuneError: as `find`.
    """
    from huggingface_hub import errors

    hf = _client()

    try:
        return Path(
            hf.snapshot_download(
                name,
                revision=commit,
                allow_patterns=list(ALL_FILES),
                ignore_patterns=list(UNWANTED),
                tqdm_class=_bar_class(on_bytes),
            )
        )
    except errors.GatedRepoError as error:
        raise _gated(name) from error
    except (errors.HfHubHTTPError, OSError) as error:
        raise HubUnreachableError(
            f"the download of {name!r} broke off: {str(error)[:200]}",
            hint="run it again; what was fetched is kept",
        ) from error


def _client() -> Any:
    """The Hub library, imported when it is first needed; its own types are only partly known."""
    import huggingface_hub

    return huggingface_hub


def _bar_class(on_bytes: Callable[[float, float], None]) -> type:
    """A tqdm that reports bytes to us instead of drawing."""
    base: Any = _client().utils.tqdm

    totals: dict[int, tuple[float, float]] = {}

    class Bar(base):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            self.counts_bytes = kwargs.get("unit") == "B"
            self.seen = float(kwargs.get("initial") or 0)
            self.whole = float(kwargs.get("total") or 0)
            base.__init__(self, *args, **{**kwargs, "disable": True})

        def update(self, n: float | None = 1) -> None:
            if not self.counts_bytes:
                return
            self.seen += n or 0
            known: float = getattr(self, "total", 0) or self.whole
            totals[id(self)] = (self.seen, known)
            # The largest bar is the one over all files; the others are files of their own.
            done, whole = max(totals.values(), key=lambda pair: pair[1])
            on_bytes(done, whole)

    return Bar


def _cached(name: str, revision: str | None, cause: BaseException) -> HubModel:
    """The newest commit of the cache that has a config; raise HubUnreachableError otherwise."""
    from huggingface_hub import errors

    hf = _client()

    try:
        folder = Path(
            hf.snapshot_download(
                name,
                revision=revision,
                local_files_only=True,
                allow_patterns=list(SMALL_FILES),
            )
        )
    except (errors.LocalEntryNotFoundError, OSError, ValueError):
        reason = str(cause).split("\n", 1)[0][:160]
        raise HubUnreachableError(f"no answer from the Hub ({reason})") from cause
    weights = list(folder.glob("*.safetensors"))
    if not (folder / "config.json").is_file():
        raise HubUnreachableError("no answer from the Hub, and its cache is incomplete") from cause
    return HubModel(name, folder.name, folder, bool(weights), None)


def _is_connection_error(error: BaseException) -> bool:
    """Whether the HTTP client could not connect, whichever client the Hub library uses."""
    chain: list[BaseException] = []
    current: BaseException | None = error
    while current is not None and current not in chain:
        chain.append(current)
        current = current.__cause__ or current.__context__
    names = {base.__name__ for e in chain for base in type(e).__mro__}
    return bool(names & {"TransportError", "ConnectionError", "OSError", "TimeoutException"})


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
