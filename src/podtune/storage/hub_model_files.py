"""Which files of a model on the Hub belong into a cache: its weights as safetensors, its config, its tokenizer.

Never a second copy of the weights (pickles, GGUF, ONNX, `original/`) and never code: nothing of it is run.
Asked with a token or without one; every answer is bounded, and the token is sent to the Hub alone.
"""

from collections.abc import Mapping, Sequence
from fnmatch import fnmatch
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple, TypeVar
from urllib.parse import quote, urljoin, urlsplit

import msgspec

from podtune.core import addresses
from podtune.core.cache_filling import MOST_FILES, CacheFile
from podtune.core.errors import (
    CredentialsError,
    NotFoundError,
    ProviderError,
    SpecError,
    UnsupportedError,
)
from podtune.storage.access import HubAccess
from podtune.storage.object_wire import Answer, ObjectWire

INDEX: Final = "model.safetensors.index.json"

BESIDE: Final = (
    "*.json", "*.jinja", "*.model", "merges.txt", "vocab.txt", "*.tiktoken", "LICENSE*",
)  # fmt: skip
"""What a model needs beside its weights; of the repository's first level only."""

TEMPLATES: Final = "additional_chat_templates/*.jinja"

MOST_INDEX_BYTES: Final = 64 * 1024 * 1024
"""Of the index; that of a mixture of 512 experts over 48 layers has some 7 MB (2026-11)."""

_HOPS: Final = 3
_MOST_PAGES: Final = 50
_REDIRECTS: Final = frozenset((301, 302, 303, 307, 308))
_T = TypeVar("_T")


class ModelFiles(NamedTuple):
    """A model at one commit, as a cache holds it."""

    name: str
    commit: str
    is_restricted: bool
    """Gated or private: whoever fetches it needs a token."""
    files: tuple[CacheFile, ...]
    """Small files first, then the weights."""

    @property
    def total_bytes(self) -> int:
        """Of all files."""
        return sum(file.bytes for file in self.files)

    @property
    def weight_files(self) -> int:
        """How many of them are safetensors."""
        return sum(file.path.endswith(".safetensors") for file in self.files)


class _Info(msgspec.Struct, frozen=True):
    sha: str
    gated: object = False
    private: bool = False


class _Lfs(msgspec.Struct, frozen=True):
    oid: str
    size: int


class _Item(msgspec.Struct, frozen=True):
    type: str
    path: str
    oid: str = ""
    size: int = 0
    lfs: _Lfs | None = None


class _Index(msgspec.Struct, frozen=True):
    weight_map: dict[str, str]


class ModelListing:
    """Asks the Hub for models."""

    def __init__(self, given: HubAccess, wire: ObjectWire | None = None) -> None:
        """Nothing is asked yet; `wire` is of a test.

        Raises:
            SpecError: the address is plain http to another machine.
        """
        self.url = addresses.checked(given.url, "HF_ENDPOINT").rstrip("/")
        self._token = given.token
        self._wire = wire or ObjectWire("the Hub")

    def files(self, name: str, revision: str | None = None) -> ModelFiles:
        """What belongs into a cache of a model.

        Args:
            name: `org/name`.
            revision: Branch, tag or commit; the main branch when not given.

        Raises:
            NotFoundError: no such model or revision, or none with safetensors.
            CredentialsError: gated or private, and no token that may read it.
            UnavailableError: the Hub does not answer.
        """
        if name.count("/") != 1 or name.startswith((".", "/", "~")) or ":" in name:
            raise SpecError(
                f"{name!r} is no name of a model on the Hub", hint="a Hub name is org/name"
            )
        info = self._info(name, revision)
        there = {item.path: item for item in self._tree(name, info.sha) if item.type == "file"}
        weights = self._weights(name, info.sha, there)
        beside = [path for path in there if _is_beside(path) and path not in weights]
        picked = [*sorted(beside), *sorted(weights)]
        if len(picked) > MOST_FILES:
            raise UnsupportedError(f"{name!r} has {len(picked)} files (most: {MOST_FILES})")
        found = tuple(_file(there[path]) for path in picked)
        return ModelFiles(name, info.sha, bool(info.gated) or info.private, found)

    def check_readable(self, name: str, commit: str, path: str) -> None:
        """See that a file may be read with this token: of a gated model everybody may see the list.

        Raises:
            CredentialsError: it may not.
        """
        url = f"{self.url}/{name}/resolve/{commit}/{quote(path)}"
        answer = self._wire.ask("HEAD", url, headers=self._auth)
        if answer.status not in _REDIRECTS:
            self._refuse(answer, name)

    def _info(self, name: str, revision: str | None) -> _Info:
        at = f"/revision/{quote(revision, safe='')}" if revision else ""
        answer = self._wire.ask("GET", f"{self.url}/api/models/{name}{at}", headers=self._auth)
        self._refuse(answer, name, revision)
        info = _decoded(answer, _Info)
        if len(info.sha) != 40 or not info.sha.isalnum():
            raise ProviderError("the Hub's answer names no commit", code="store_failed")
        return info

    def _tree(self, name: str, commit: str) -> list[_Item]:
        url = f"{self.url}/api/models/{name}/tree/{commit}?recursive=true&expand=false"
        found = list[_Item]()
        for _ in range(_MOST_PAGES):
            answer = self._wire.ask("GET", url, headers=self._auth)
            self._refuse(answer, name)
            found += _decoded(answer, list[_Item])
            after = _next(answer.headers.get("link", ""))
            if not after:
                return found
            url = urljoin(url, after)
            if urlsplit(url)[:2] != urlsplit(self.url)[:2]:
                raise ProviderError("the Hub's list leads to another host", code="store_failed")
        raise UnsupportedError(f"{name!r} holds more files than any model")

    def _weights(self, name: str, commit: str, there: Mapping[str, _Item]) -> Sequence[str]:
        """Paths of the weights, by the index where there is one.

        Raises:
            NotFoundError: there are none, or one of the index is missing.
        """
        if INDEX in there:
            if there[INDEX].size > MOST_INDEX_BYTES:
                raise UnsupportedError(f"{name!r} has an index of {there[INDEX].size:,} bytes")
            content = self._read(name, commit, INDEX)
            named = sorted(set(_parsed(content, _Index, INDEX).weight_map.values()))
            missing = [path for path in named if path not in there]
            if missing or not named:
                what = f"{missing[0]!r}, which its index names" if missing else "weights"
                raise NotFoundError(f"{name!r} has no {what}", code="model_not_found")
            return named
        single = [path for path in there if path == "model.safetensors"]
        first = [path for path in there if path.endswith(".safetensors") and "/" not in path]
        found = single or [path for path in first if not path.startswith("consolidated")]
        if not found:
            raise NotFoundError(
                f"{name!r} has no safetensors weights",
                code="model_not_found",
                hint="GGUF and pickled repositories are not trained on; name the original model",
            )
        return found

    def _read(self, name: str, commit: str, path: str) -> bytes:
        """A small file, behind the Hub's redirects."""
        url = f"{self.url}/{name}/resolve/{commit}/{quote(path)}"
        with TemporaryDirectory(prefix="podtune-") as folder:
            target = Path(folder) / "file"
            for _ in range(_HOPS + 1):
                got = self._wire.receive(url, target, headers=self._auth_at(url))
                if got.answer.status not in _REDIRECTS:
                    self._refuse(got.answer, name)
                    return target.read_bytes()
                url = urljoin(url, got.answer.headers.get("location", ""))
        raise ProviderError(f"the Hub hands out no {path}", code="store_failed")

    def _auth_at(self, url: str) -> Mapping[str, str]:
        """What is sent along to an address: the token to the Hub alone.

        Raises:
            ProviderError: it is neither https nor this machine's own.
        """
        parts, own = urlsplit(url), urlsplit(self.url)
        if parts.scheme != "https" and not addresses.is_loopback(parts.hostname or ""):
            raise ProviderError(
                "the Hub leads to an address that is not https", code="store_failed"
            )
        return self._auth if parts[:2] == own[:2] else {}

    @property
    def _auth(self) -> Mapping[str, str]:
        value = self._token.get_secret_value().strip() if self._token else ""
        return {"Authorization": f"Bearer {value}"} if value else {}

    def _refuse(self, answer: Answer, name: str, revision: str | None = None) -> None:
        """Raise what a refusal means; an answer that is none passes."""
        if answer.ok:
            return
        kind = answer.headers.get("x-error-code", "")
        said = answer.headers.get("x-error-message", "").casefold()
        if kind == "GatedRepo" or answer.status == 403:
            raise CredentialsError(
                f"{name!r} is gated",
                code="gated_model",
                hint="accept its licence on its Hub page, then set HF_TOKEN to a token that may "
                "read it",
            )
        if answer.status == 401 and "invalid credentials" in said:
            raise CredentialsError(
                "the Hub rejects HF_TOKEN",
                code="token_rejected",
                hint="set HF_TOKEN to a valid token, or unset it for public models",
            )
        if answer.status in (401, 404):  # to strangers it says 401 of what they cannot see
            at = f" at revision {revision!r}" if revision else ""
            raise NotFoundError(
                f"no model {name!r}{at} on the Hub",
                code="model_not_found",
                hint="check the spelling; a private model needs HF_TOKEN",
            )
        raise ProviderError(
            f"the Hub answers HTTP {answer.status} for {name!r}", code="store_failed"
        )


def _is_beside(path: str) -> bool:
    if "/" in path:
        return fnmatch(path, TEMPLATES)
    return any(fnmatch(path, pattern) for pattern in BESIDE)


def _file(item: _Item) -> CacheFile:
    sha256 = item.lfs.oid if item.lfs else None
    git = item.oid if not item.lfs and len(item.oid) == 40 else None
    try:
        size = item.lfs.size if item.lfs else item.size
        return CacheFile(path=item.path, bytes=size, sha256=sha256, git_sha1=git)
    except ValueError:
        raise UnsupportedError(
            f"the model has a file of an odd name or sum: {item.path[:80]!r}", code="bad_model_file"
        ) from None


def _next(link: str) -> str | None:
    """The address of the next page of a `Link` header."""
    for part in link.split(","):
        address, _, rest = part.partition(";")
        if 'rel="next"' in rest:
            return address.strip().strip("<>")
    return None


def _decoded(answer: Answer, kind: type[_T]) -> _T:
    return _parsed(answer.body, kind, "answer")


def _parsed(body: bytes, kind: type[_T], what: str) -> _T:
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.DecodeError as error:
        raise ProviderError(f"the Hub's {what} cannot be read", code="store_failed") from error
