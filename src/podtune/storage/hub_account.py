"""An account of the Hub: who it is, its repositories, who may see them, what is in them.

Our own small requests, in bounded time: huggingface_hub's client has no limit of its own
(2.4, 2026-11). Contents are uploaded by `hub_upload`, which uses that client. The token is sent to
the Hub alone: a redirect to where files lie is followed without it.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal, NamedTuple, TypeVar
from urllib.parse import quote, urljoin, urlsplit

import msgspec
from pydantic import SecretStr

from podtune.core import addresses
from podtune.core.errors import CredentialsError, NotFoundError, ProviderError, UnsupportedError
from podtune.storage.access import HubAccess
from podtune.storage.object_wire import Answer, ObjectWire, OnProgress, Received

Kind = Literal["model", "dataset"]

_T = TypeVar("_T")
_HOPS: Final = 3
_REDIRECTS: Final = frozenset((301, 302, 303, 307, 308))


class Who(NamedTuple):
    """Whose token it is."""

    name: str
    organisations: tuple[str, ...]
    role: str
    """`fineGrained`, `read` or `write`; empty when the Hub does not say."""


class Repository(NamedTuple):
    """A repository as it stands."""

    private: bool
    commit: str


class HubEntry(msgspec.Struct, frozen=True):
    """A file of a repository."""

    path: str
    size_bytes: int
    sha256: str | None
    """Of large files."""
    git_sha1: str
    """Of the others: git's own name for their content."""

    def is_file(self, file: Path) -> bool:
        """Whether a local file holds the same bytes."""
        size = file.stat().st_size
        if size != self.size_bytes:
            return False
        own = hashlib.sha256() if self.sha256 else hashlib.sha1(b"blob %d\0" % size)  # noqa: S324  git's names
        with file.open("rb") as stream:
            while block := stream.read(1024 * 1024):
                own.update(block)
        return own.hexdigest() == (self.sha256 or self.git_sha1)


class _Lfs(msgspec.Struct, frozen=True):
    oid: str
    size: int


class _TreeItem(msgspec.Struct, frozen=True):
    type: str
    path: str
    oid: str = ""
    size: int = 0
    lfs: _Lfs | None = None


class _AccessToken(msgspec.Struct, frozen=True):
    role: str = ""


class _Auth(msgspec.Struct, frozen=True, rename="camel"):
    access_token: _AccessToken = _AccessToken()


class _Organisation(msgspec.Struct, frozen=True):
    name: str = ""


class _WhoAmI(msgspec.Struct, frozen=True):
    name: str
    orgs: list[_Organisation] = []
    auth: _Auth = _Auth()


class HubAccount:
    """One account, or what its token lets us do."""

    def __init__(self, given: HubAccess, wire: ObjectWire | None = None) -> None:
        """Take an account.

        Args:
            given: The token and where the Hub is.
            wire: Of a test.

        Raises:
            SpecError: the address is plain http to another machine.
        """
        self.url = addresses.checked(given.url, "HF_ENDPOINT")
        self._given = given
        self._wire = wire or ObjectWire("the Hub")

    @property
    def token(self) -> SecretStr:
        """The token.

        Raises:
            CredentialsError: there is none.
        """
        return SecretStr(self._given.key())

    def who(self) -> Who:
        """Whose token it is.

        Raises:
            CredentialsError: there is none, or the Hub rejects it.
        """
        answer = self._ask("GET", "/api/whoami-v2")
        self._refuse(answer, "its account")
        found = _decoded(answer, _WhoAmI)
        return Who(found.name, tuple(o.name for o in found.orgs), found.auth.access_token.role)

    def repository(self, kind: Kind, name: str) -> Repository | None:
        """A repository; None when there is none that this token sees.

        Raises:
            CredentialsError: the token is rejected.
        """
        answer = self._ask("GET", f"/api/{kind}s/{name}")
        if answer.status == 404:
            return None
        self._refuse(answer, name)
        facts = answer.fields()
        # What does not say that it is private counts as public.
        return Repository(facts.get("private") is True, str(facts.get("sha") or ""))

    def create(self, kind: Kind, name: str, *, private: bool) -> None:
        """Make a repository; one of that name already there is success.

        Raises:
            CredentialsError: the token may not.
        """
        owner, _, short = name.partition("/")
        body = {
            "name": short,
            "organization": owner,
            "type": kind,
            "visibility": "private" if private else "public",
        }
        answer = self._ask("POST", "/api/repos/create", body)
        if answer.status != 409:
            self._refuse(answer, name)

    def set_visibility(self, kind: Kind, name: str, *, private: bool) -> None:
        """Show a repository to everybody, or to nobody else.

        Raises:
            CredentialsError: the token may not.
        """
        body = {"visibility": "private" if private else "public"}
        self._refuse(self._ask("PUT", f"/api/{kind}s/{name}/settings", body), name)

    def files(self, kind: Kind, name: str, revision: str = "main") -> tuple[HubEntry, ...]:
        """Every file of a repository at a revision; none when it is empty or not there.

        Raises:
            CredentialsError: the token is rejected.
        """
        place = f"/api/{kind}s/{name}/tree/{quote(revision, safe='')}?recursive=true&expand=false"
        answer = self._ask("GET", place)
        if answer.status == 404:
            return ()
        self._refuse(answer, name)
        if 'rel="next"' in answer.headers.get("link", ""):
            raise UnsupportedError(f"repository {name!r} holds more files than any adapter")
        return tuple(
            HubEntry(i.path, i.lfs.size if i.lfs else i.size, i.lfs.oid if i.lfs else None, i.oid)
            for i in _decoded(answer, list[_TreeItem])
            if i.type == "file"
        )

    def address(self, kind: Kind, name: str, path: str, revision: str) -> str:
        """Where the Hub hands out a file; asks for a token when the repository is private."""
        prefix = "datasets/" if kind == "dataset" else ""
        at = f"{quote(revision, safe='')}/{quote(path)}"
        return f"{self.url}/{prefix}{name}/resolve/{at}"

    def signed_address(self, kind: Kind, name: str, path: str, revision: str) -> str | None:
        """Where a large file lies for about an hour, to be read without a token: a secret.

        None for a small one, which the Hub hands out itself.

        Raises:
            CredentialsError: the token is rejected.
        """
        url = self.address(kind, name, path, revision)
        answer = self._wire.ask("HEAD", url, headers=self._auth)
        if answer.status not in _REDIRECTS:
            self._refuse(answer, name)
            return None
        led, headers = self._led(url, answer)
        return None if headers else led

    def get(
        self,
        kind: Kind,
        name: str,
        path: str,
        target: Path | None,
        on_progress: OnProgress | None = None,
    ) -> Received | None:
        """Bring a file of the newest commit; None when there is none.

        Raises:
            CredentialsError: the token is rejected.
        """
        url, headers = self.address(kind, name, path, "main"), self._auth
        got = self._wire.receive(url, target, headers=headers, on_progress=on_progress)
        hops = _HOPS
        while got.answer.status in _REDIRECTS and hops:
            url, headers = self._led(url, got.answer)
            got = self._wire.receive(url, target, headers=headers, on_progress=on_progress)
            hops -= 1
        if got.answer.status == 404:
            return None
        self._refuse(got.answer, name)
        return got

    def read(self, kind: Kind, name: str, path: str) -> bytes | None:
        """A small file of the newest commit; None when there is none.

        Raises:
            CredentialsError: the token is rejected.
        """
        url, headers = self.address(kind, name, path, "main"), self._auth
        answer = self._wire.ask("GET", url, headers=headers)
        hops = _HOPS
        while answer.status in _REDIRECTS and hops:
            url, headers = self._led(url, answer)
            answer = self._wire.ask("GET", url, headers=headers)
            hops -= 1
        if answer.status == 404:
            return None
        self._refuse(answer, name)
        return answer.body

    def delete(self, kind: Kind, name: str) -> None:
        """Remove a repository with everything in it; none there is success.

        Raises:
            CredentialsError: the token may not.
        """
        owner, _, short = name.partition("/")
        answer = self._ask(
            "DELETE", "/api/repos/delete", {"name": short, "organization": owner, "type": kind}
        )
        if answer.status != 404:
            self._refuse(answer, name)

    @property
    def _auth(self) -> Mapping[str, str]:
        return {"Authorization": f"Bearer {self._given.key()}"}

    def _ask(self, method: str, place: str, body: Mapping[str, object] | None = None) -> Answer:
        url = self.url + place
        if body is None:
            return self._wire.ask(method, url, headers=self._auth)
        return self._wire.ask_json(method, url, body, self._auth)

    def _led(self, url: str, answer: Answer) -> tuple[str, Mapping[str, str]]:
        """Where a redirect leads (https, or this machine), and what is sent there."""
        led = urljoin(url, answer.headers.get("location", ""))
        parts, own = urlsplit(led), urlsplit(self.url)
        loopback = parts.scheme == "http" and addresses.is_loopback(parts.hostname or "")
        if parts.scheme != "https" and not loopback:
            raise ProviderError(
                "the Hub leads to an address that is not https", code="store_failed"
            )
        same = (parts.scheme, parts.netloc) == (own.scheme, own.netloc)
        return led, self._auth if same else {}

    def _refuse(self, answer: Answer, name: str) -> None:
        """Raise what a refusal means; an answer that is none passes."""
        if answer.ok:
            return
        if answer.status == 401:
            raise CredentialsError(
                "the Hub rejects HF_TOKEN",
                code="token_rejected",
                hint="make a token at huggingface.co/settings/tokens and set HF_TOKEN to it",
            )
        if answer.status == 403:
            raise CredentialsError(
                f"the Hub token may not do that with {name!r}",
                code="token_scope",
                hint="give the token write access to that repository or account at "
                "huggingface.co/settings/tokens",
            )
        if answer.status == 404:
            raise NotFoundError(f"the Hub has no {name!r} for this token", code="no_repository")
        raise ProviderError(
            f"the Hub answers HTTP {answer.status} for {name!r}", code="store_failed"
        )


def of_environment(url: str) -> HubAccount:
    """The account of HF_TOKEN, or of the token that `hf auth login` has kept."""
    from huggingface_hub import get_token

    token = get_token()
    return HubAccount(HubAccess(SecretStr(token) if token else None, url))


def _decoded(answer: Answer, kind: type[_T]) -> _T:
    try:
        return msgspec.json.decode(answer.body, type=kind)
    except msgspec.DecodeError as error:
        raise ProviderError("the Hub's answer cannot be read", code="store_failed") from error
