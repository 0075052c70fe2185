"""Where RunPod is and what opens it: addresses of its three interfaces, the proxy, the key."""

import ipaddress
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from pydantic import SecretStr

from podtune.core.errors import CredentialsError, SpecError

REST_URL: Final = "https://api.runpod.io/v2"
"""Control plane (REST v1 was retired on 2026-11-15)."""

GRAPHQL_URL: Final = "https://api.runpod.io/graphql"
"""Account balance, and a pod's last way to end itself; ends early 2027."""

JOBS_URL: Final = "https://api.runpod.ai/v2"
"""Serverless job API: `{url}/{endpoint}/run`."""

PROXY_URL: Final = "https://{pod}-{port}.proxy.runpod.net"
"""Public without authentication, 100 s a request."""


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

    def port_url(self, pod: str, port: int) -> str:
        """Where a pod's HTTP port is reached."""
        return self.proxy_url.replace("{pod}", pod).replace("{port}", str(port)).rstrip("/")


def checked(url: str, setting: str) -> str:
    """An address of the settings, without a slash at its end.

    Raises:
        SpecError: no https address, and none of this machine's own either.
    """
    parts = urlsplit(url.replace("{pod}", "pod").replace("{port}", "80"))
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
        raise SpecError(f"{setting} is no http or https address", code="bad_setting")
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise SpecError(
            f"{setting}: a key is never sent over http to {parts.hostname}",
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
