"""Addresses that come from settings: https, or plain http to this very machine."""

import ipaddress
from urllib.parse import urlsplit

from podtune.core.errors import SpecError


def checked(url: str, setting: str) -> str:
    """An address of the settings, without a slash at its end.

    Args:
        url: May hold `{pod}` and `{port}`, which are filled in later.
        setting: What it is called where it was set.

    Raises:
        SpecError: no https address, and none of this machine's own either.
    """
    parts = urlsplit(url.replace("{pod}", "pod").replace("{port}", "80"))
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
