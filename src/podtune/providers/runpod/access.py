"""Where RunPod is and what opens it: addresses of its three interfaces, the proxy, the key."""

from dataclasses import dataclass
from typing import Final

from pydantic import SecretStr

from podtune.core.errors import CredentialsError

REST_URL: Final = "https://api.runpod.io/v2"
"""Control plane (REST v1 was retired on 2026-11-15)."""

GRAPHQL_URL: Final = "https://api.runpod.io/graphql"
"""Account balance, and a pod's last way to end itself; ends early 2027."""

JOBS_URL: Final = "https://api.runpod.ai/v2"
"""Serverless job API: `{url}/{endpoint}/run`."""

PROXY_URL: Final = "https://{pod}-{port}.proxy.runpod.net"
"""Public without authentication, 100 s a request."""


KEY_PREFIX: Final = "rpa_"
"""What every key in RunPod's own tests begins with (runpod/runpod-mcp 7074c87, 2026-08-20). Another
beginning is told and tried all the same: only RunPod knows its keys."""


@dataclass(frozen=True)
class RunPodAccess:
    """The account, and where its interfaces are; the key shows only when it is sent."""

    api_key: SecretStr | None
    rest_url: str = REST_URL
    graphql_url: str = GRAPHQL_URL
    jobs_url: str = JOBS_URL
    proxy_url: str = PROXY_URL

    def key(self) -> str:
        """The key, to be sent.

        Raises:
            CredentialsError: there is none.
        """
        value = self.api_key.get_secret_value().strip() if self.api_key else ""
        if not value:
            raise CredentialsError(
                "RUNPOD_API_KEY is not set",
                code="missing_key",
                hint="make a key at console.runpod.io under Settings, API Keys, then: "
                "export RUNPOD_API_KEY=...; or try everything free of charge: podtune dev cloud",
            )
        return value

    @property
    def odd_key(self) -> str | None:
        """A word about a key that does not look like RunPod's; None where it does, or there is none."""
        value = self.api_key.get_secret_value().strip() if self.api_key else ""
        if not value or value.startswith(KEY_PREFIX):
            return None
        return f"RUNPOD_API_KEY does not begin with {KEY_PREFIX}, as RunPod's keys do; it is tried as it is"

    def port_url(self, pod: str, port: int) -> str:
        """Where a pod's HTTP port is reached."""
        return self.proxy_url.replace("{pod}", pod).replace("{port}", str(port)).rstrip("/")
