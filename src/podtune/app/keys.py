"""Keys of the gateway: made, listed, revoked, checked.

A token is `ptk_<id>_<secret>`. Only the SHA-256 of the secret is stored: it has 256 random bits, so nothing
slower is needed. Every way in which a key does not open says the same words, after the same comparison.
"""

import hashlib
import hmac
import logging
import re
from collections.abc import Collection, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Final

from pydantic import SecretStr

from podtune.core.access import Principal, Scope
from podtune.core.clock import random_word, token_bytes
from podtune.core.errors import CredentialsError, SpecError, StateError
from podtune.workflow import keys as rows
from podtune.workflow.keys import ApiKey
from podtune.workflow.store import JobStore

__all__ = ["ApiKey", "Keys"]

log = logging.getLogger(__name__)

ID_LENGTH: Final = 10
SECRET_BYTES: Final = 32

USED_EVERY: Final = timedelta(minutes=1)
"""How exactly `last_used_at` is kept: a write for each request would cost more than the request. Chosen."""

MAX_BUDGET_USD: Final = Decimal(1_000_000)

MAX_LIFE: Final = timedelta(days=36_525)
_LASTS: Final = re.compile(r"([1-9][0-9]{0,5})([hdw])", re.ASCII)

_TOKEN: Final = re.compile(r"ptk_([a-z0-9]{4,20})_([0-9a-f]{64})", re.ASCII)
_TENANT: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,59}", re.ASCII)
_NOBODY: Final = "0" * 64
"""Compared with where no key is found, so that this takes no less time."""


class Keys:
    """The keys of one job store."""

    def __init__(self, store: JobStore) -> None:
        """On an open store; its clock says what has expired."""
        self._store = store

    def create(
        self,
        name: str,
        scopes: Collection[Scope],
        *,
        expires_at: datetime | None = None,
        budget_usd: Decimal | None = None,
        tenant: str | None = None,
    ) -> tuple[ApiKey, SecretStr]:
        """Make a key. Its token can be read here and never again.

        Args:
            name: For people, 1 to 80 characters.
            scopes: What it opens; at least one.
            expires_at: Aware, in the future; None: never.
            budget_usd: What all its jobs may cost together, up to a million dollars; None: no limit of its own.
            tenant: Whose jobs it sees and makes: letters, digits, `.`, `_`, `-`; its own id by default, so that
                each key is a tenant of its own.

        Raises:
            SpecError: one of these is not what it should be.
        """
        _check(name, scopes, budget_usd, tenant)
        now = self._store.clock()
        if expires_at is not None and expires_at <= now:
            raise SpecError(
                f"the key would have expired at {expires_at:%Y-%m-%d %H:%M} UTC",
                code="bad_key_option",
                hint="e.g. --expires 90d",
            )
        number, secret = random_word(ID_LENGTH), token_bytes(SECRET_BYTES).hex()
        key = ApiKey(
            id=number,
            name=name,
            tenant=tenant or number,
            scopes=frozenset(scopes),
            expires_at=expires_at,
            revoked_at=None,
            budget_usd=budget_usd,
            created_at=now,
            last_used_at=None,
        )
        with self._store.transaction() as connection:
            rows.add(connection, key, _digest(secret))
        return key, SecretStr(f"ptk_{number}_{secret}")

    def list(self) -> Sequence[ApiKey]:
        """All keys, the newest first, revoked ones too."""
        with self._store.reading() as connection:
            return rows.all_keys(connection)

    def revoke(self, key_id: str) -> ApiKey:
        """A key opens nothing from now on; its jobs go on. Revoked before is revoked.

        Raises:
            NotFoundError: there is none of this id.
        """
        with self._store.transaction() as connection:
            return rows.revoke(connection, key_id, self._store.clock())

    def any(self) -> bool:
        """Whether a key was made that is not revoked; one that has expired counts.

        A gateway without any lets in whoever sits at this machine; that an expiry opens it would surprise.
        """
        with self._store.reading() as connection:
            return rows.any_unrevoked(connection)

    def is_open(self, key_id: str) -> bool:
        """Whether a key that was checked before still opens: neither revoked since, nor expired."""
        with self._store.reading() as connection:
            found = rows.find(connection, key_id)
        return found is not None and found.key.opens(self._store.clock())

    def check(self, token: str) -> Principal:
        """Who a token's bearer is.

        Raises:
            CredentialsError: code `bad_key`; the words are the same whatever is wrong with it.
        """
        parts = _TOKEN.fullmatch(token[:200])
        number, secret = parts.groups() if parts else ("", "")
        with self._store.reading() as connection:
            found = rows.find(connection, number)
        fits = hmac.compare_digest(_digest(secret), found.sha256 if found else _NOBODY)
        now = self._store.clock()
        if found is None or not fits or not found.key.opens(now):
            raise CredentialsError(
                "the key is not valid: it is unknown, has expired, or was revoked",
                code="bad_key",
                hint="send `Authorization: Bearer ptk_...`; `podtune keys create` makes a key",
            )
        self._note_use(found.key, now)
        return principal_of(found.key)

    def _note_use(self, key: ApiKey, now: datetime) -> None:
        if key.last_used_at is not None and now - key.last_used_at < USED_EVERY:
            return
        try:
            with self._store.transaction() as connection:
                rows.note_use(connection, key.id, now, USED_EVERY)
        except StateError as error:  # a busy store must not lock a caller out
            log.warning("the use of key %s was not noted: %s", key.id, error.message)


def expiry(text: str | None, now: datetime) -> datetime | None:
    """When a key ends that lasts `90d`, `12h` or `52w`, or until a day; None for None and `never`.

    Args:
        text: As somebody typed it. A day is meant in UTC, its end.
        now: Aware.

    Raises:
        SpecError: code `bad_key_option`: it is neither, or over a hundred years.

    >>> str(expiry("90d", datetime(2026, 1, 1, tzinfo=UTC)))
    '2026-04-01 00:00:00+00:00'
    >>> str(expiry("2027-01-31", datetime(2026, 1, 1, tzinfo=UTC)))
    '2027-02-01 00:00:00+00:00'
    """
    if text is None or text == "never":
        return None
    lasts = _LASTS.fullmatch(text)
    try:
        if lasts is not None:
            count, unit = int(lasts[1]), {"h": "hours", "d": "days", "w": "weeks"}[lasts[2]]
            found = now + timedelta(**{unit: count})
        else:
            found = datetime.combine(date.fromisoformat(text), time(), UTC) + timedelta(days=1)
    except (ValueError, OverflowError):
        found = None
    if found is None or found > now + MAX_LIFE:
        raise SpecError(
            f"{text[:40]!r} is no length of time and no day",
            code="bad_key_option",
            hint="e.g. --expires 90d, --expires 12h, --expires 2027-01-31, --expires never",
        )
    return found


def principal_of(key: ApiKey) -> Principal:
    """Who a key makes of its bearer; `admin` is of no tenant, and sees all."""
    return Principal(
        tenant=None if Scope.ADMIN in key.scopes else key.tenant,
        key_id=key.id,
        name=key.name,
        scopes=key.scopes,
        budget_usd=key.budget_usd,
    )


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _check(
    name: str, scopes: Collection[Scope], budget_usd: Decimal | None, tenant: str | None
) -> None:
    """Raise where a key cannot be made so.

    Raises:
        SpecError: code `bad_key_option`.
    """
    fault, hint = None, None
    if not 0 < len(name.strip()) <= len(name) <= 80 or not name.isprintable():
        fault, hint = (
            "a key's name has 1 to 80 printable characters",
            "e.g. `podtune keys create ci`",
        )
    elif not scopes:
        fault, hint = "a key without a scope opens nothing", "e.g. --scope submit --scope read"
    elif budget_usd is not None and not _is_budget(budget_usd):
        fault, hint = f"a budget of {budget_usd} dollars is none", "e.g. --budget 50"
    elif tenant is not None and not _TENANT.fullmatch(tenant):
        fault, hint = f"{tenant[:60]!r} is no name of a tenant", "letters, digits, `.`, `_`, `-`"
    if fault:
        raise SpecError(fault, code="bad_key_option", hint=hint)


def _is_budget(usd: Decimal) -> bool:
    return usd.is_finite() and 0 <= usd <= MAX_BUDGET_USD
