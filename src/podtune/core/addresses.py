"""Addresses that come from settings and requests: https, or plain http to this very machine."""

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


def flaw(url: str, most: int) -> str | None:
    """Why a text cannot be the address of anything that is asked over http or https; None where it can.

    Which hosts may be reached is `egress`'s to say. The words never hold the address: it may be a secret.

    Args:
        url: As somebody wrote it.
        most: Characters it may have.
    """
    if len(url) > most:
        return f"it has more than {most} characters"
    if not url.isprintable() or " " in url or "\\" in url:
        return "it holds a space, a backslash or what cannot be printed"
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "it cannot be understood as an address"
    if parts.scheme not in ("https", "http"):
        return "it has to begin with https://"
    if "@" in parts.netloc:
        return "it holds a user or a password; leave them away"
    if not host:
        return "it names no host"
    if parts.fragment:
        return "it holds a fragment (#...), which is never sent; leave it away"
    return None
