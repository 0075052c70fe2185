"""An account of the hosted fine-tuning API, read: its jobs, its files, and what it lets be downloaded. Changes nothing.

What comes back is data from elsewhere: bounded, validated, and of an unknown field nothing is kept. Source: the SDK's
types and pagination (openai 3.54.0), read on 2026-11-23.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar, cast
from urllib.parse import urlencode

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError

from podtune.core import addresses
from podtune.core.errors import CredentialsError, NotFoundError, ProviderError, UnavailableError
from podtune.storage.access import OPENAI_URL
from podtune.storage.object_wire import Answer, ObjectWire

PAGE: Final = 100
MOST: Final = 10_000
"""Items of one list; more than that are said to be left."""
SERVICE: Final = "the hosted API"
_ID: Final = r"^[A-Za-z0-9_\-]{1,100}$"
"""An id becomes a part of a file's name."""


class _Part(BaseModel):
    """Frozen; what is not known is passed over."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


def _number(value: object) -> object:
    """`auto` and what is no number are the same as nothing."""
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


Figure = Annotated[float | None, BeforeValidator(_number)]


_Kind = TypeVar("_Kind", bound=_Part)


class RemoteFile(_Part):
    """A file of the account."""

    id: str = Field(pattern=_ID)
    filename: str = Field(default="data.jsonl", max_length=1000)
    bytes: int = Field(default=0, ge=0)
    purpose: str = Field(default="", max_length=100)
    created_at: int = 0


class Figures(_Part):
    """Hyperparameters that are numbers; None is `auto`."""

    n_epochs: Figure = None
    batch_size: Figure = None
    learning_rate_multiplier: Figure = None
    beta: Figure = None


class MethodPart(_Part):
    """One kind of method."""

    hyperparameters: Figures | None = None


class RemoteMethod(_Part):
    """What was learnt."""

    type: str = Field(default="supervised", max_length=40)
    supervised: MethodPart | None = None
    dpo: MethodPart | None = None


class RemoteJob(_Part):
    """A fine-tuning job of the account."""

    id: str = Field(pattern=_ID)
    model: str = Field(max_length=500)
    status: str = Field(default="", max_length=40)
    created_at: int = 0
    fine_tuned_model: str | None = Field(default=None, max_length=500)
    training_file: str = Field(pattern=_ID)
    validation_file: str | None = Field(default=None, pattern=_ID)
    seed: int | None = None
    trained_tokens: int | None = None
    hyperparameters: Figures | None = None
    method: RemoteMethod | None = None

    @property
    def is_dpo(self) -> bool:
        """Whether preferences were learnt."""
        return self.method is not None and self.method.type == "dpo"

    @property
    def kind(self) -> str:
        """The method's name."""
        return self.method.type if self.method else "supervised"

    @property
    def figures(self) -> Figures:
        """The hyperparameters, wherever they stand."""
        part = None
        if self.method is not None:
            part = self.method.dpo if self.is_dpo else self.method.supervised
        found = part.hyperparameters if part is not None else None
        return found or self.hyperparameters or Figures()


class HostedAccount:
    """One account, or one project of it."""

    def __init__(
        self, key: SecretStr, url: str = OPENAI_URL, wire: ObjectWire | None = None
    ) -> None:
        """Take an account; nothing is asked yet.

        Args:
            key: Opens it.
            url: With `/v1`.
            wire: Of a test.

        Raises:
            SpecError: the address is plain http to another machine.
        """
        self._base = addresses.checked(url, "OPENAI_BASE_URL")
        self._key = key
        self._wire = wire or ObjectWire(SERVICE)

    def jobs(self) -> list[RemoteJob]:
        """Its fine-tuning jobs, the newest first."""
        return [_read(RemoteJob, one) for one in self._pages("/fine_tuning/jobs", {})]

    def files(self) -> list[RemoteFile]:
        """Its training files, the newest first."""
        return [_read(RemoteFile, one) for one in self._pages("/files", {"purpose": "fine-tune"})]

    def download(self, file_id: str, target: Path) -> str:
        """Bring a file; its sha256.

        Raises:
            NotFoundError: it is not there any more.
            CredentialsError: the key may not read it.
            ArtifactError: it cannot be written.
        """
        got = self._wire.receive(
            f"{self._base}/files/{file_id}/content", target, headers=self._headers()
        )
        if not got.answer.ok:
            target.unlink(missing_ok=True)
            _refuse(got.answer, f"file {file_id}")
        return got.sha256

    def _pages(self, path: str, query: dict[str, str]) -> Iterator[dict[str, Any]]:
        """All items of a list, page by page."""
        after, count, seen = "", 0, set[str]()
        while count < MOST:
            asked = {**query, "limit": str(PAGE), **({"after": after} if after else {})}
            answer = self._wire.ask(
                "GET", f"{self._base}{path}?{urlencode(asked)}", headers=self._headers()
            )
            _refuse(answer, path)
            body = answer.fields()
            items = _objects(body.get("data"))
            yield from items
            count += len(items)
            after = str(items[-1].get("id", "")) if items else ""
            if body.get("has_more") is not True or not after or after in seen:
                return
            seen.add(after)

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._key.get_secret_value()}"}


def _objects(data: object) -> list[dict[str, Any]]:
    found = cast("list[object]", data) if isinstance(data, list) else []
    return [cast("dict[str, Any]", one) for one in found if isinstance(one, dict)]


def _read(kind: type[_Kind], value: dict[str, Any]) -> _Kind:
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        fields = ", ".join(sorted({str(item["loc"][0]) for item in error.errors() if item["loc"]}))
        raise ProviderError(
            f"{SERVICE} answered with an object that cannot be read ({fields})",
            code="vendor_answer",
        ) from None


def _refuse(answer: Answer, what: str) -> None:
    """Let success pass.

    Raises:
        CredentialsError: the key is rejected, or may not.
        NotFoundError: it is not there.
        UnavailableError: the API does not answer as it should.
    """
    if answer.ok:
        return
    if answer.status in (401, 403):
        raise CredentialsError(
            f"{SERVICE} rejects OPENAI_API_KEY for {what} ({answer.status})",
            code="rejected_key",
            hint="make a key that may read files and fine-tuning jobs",
        )
    if answer.status == 404:
        raise NotFoundError(f"{SERVICE} has no {what}", code="not_found")
    raise UnavailableError(f"{SERVICE} answers {answer.status} for {what}", hint="try again later")
