"""Where the Hub and Supabase are and what opens them. Reads no environment; opens no connection."""

import ipaddress
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from pydantic import SecretStr

from podtune.core.errors import CredentialsError, SpecError

HUB_URL: Final = "https://huggingface.co"
"""The Hub; `HF_ENDPOINT` names another."""

SUPABASE_BUCKET: Final = "lora-models"
"""Where adapters go when nobody names a bucket: specification B's."""


@dataclass(frozen=True)
class HubAccess:
    """An account of the Hub; the token shows only when it is sent."""

    token: SecretStr | None
    url: str = HUB_URL

    def key(self) -> str:
        """The token, to be sent.

        Raises:
            CredentialsError: there is none.
        """
        value = self.token.get_secret_value().strip() if self.token else ""
        if not value:
            raise CredentialsError(
                "HF_TOKEN is not set, and the Hub lets nobody write without one",
                code="missing_key",
                hint="make a token with write access at huggingface.co/settings/tokens, then: "
                "export HF_TOKEN=...",
            )
        return value


@dataclass(frozen=True)
class SupabaseAccess:
    """A project of Supabase; the key shows only when it is sent."""

    url: str
    """Of the project, such as `https://abc.supabase.co`."""
    service_key: SecretStr
    """May do everything in the project: it never leaves this machine."""


def checked(url: str, setting: str) -> str:
    """An address of the settings, without a slash at its end.

    Raises:
        SpecError: no https address, and none of this machine's own either.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
        raise SpecError(f"{setting} is no http or https address", code="bad_setting")
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise SpecError(
            f"{setting}: nothing is sent over http to {parts.hostname}",
            code="bad_setting",
            hint="use https; plain http is for this machine only (127.0.0.1, localhost)",
        )
    return url.rstrip("/")


def is_loopback(host: str) -> bool:
    """Whether a host is this machine by its very name."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
