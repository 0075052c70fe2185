"""Where the Hub and Supabase are and what opens them. Reads no environment; opens no connection."""

from dataclasses import dataclass
from typing import Final

from pydantic import SecretStr

from podtune.core.errors import CredentialsError

HUB_URL: Final = "https://huggingface.co"
"""The Hub; `HF_ENDPOINT` names another."""

OPENAI_URL: Final = "https://api.openai.com/v1"
"""The hosted fine-tuning API; `OPENAI_BASE_URL` names another. The SDK's default (openai 3.54.0, 2026-11-23)."""

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
