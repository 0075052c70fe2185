"""Web pages kept out: the stand-in cloud runs programs, and every browser of this machine reaches its port.

A page of any site may send requests to 127.0.0.1. By a name of its own that it points there (DNS
rebinding) it could set a key and read answers too, and so run commands as this user. Programs name
this machine itself, and no origin.
"""

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from podtune.core.addresses import is_loopback
from podtune.testing.http import Response, problem

_OWN_SITES: Final = frozenset({"", "none", "same-origin"})
"""`Sec-Fetch-Site` of programs, of an address that a person typed, of the cloud's own pages (W3C Fetch
Metadata, 2026-11-22)."""


def refusal(headers: Mapping[str, str]) -> Response | None:
    """The answer to a request that a page of elsewhere had sent; None for all others.

    Args:
        headers: Names in lower case.
    """
    host = headers.get("host", "")
    if not _is_here(host):
        return _forbidden("the host is not this machine: use http://127.0.0.1 and the port")
    origin = headers.get("origin")
    if origin is not None and origin != f"http://{host}":
        return _forbidden("requests of web pages are not answered")
    if headers.get("sec-fetch-site", "") not in _OWN_SITES:
        return _forbidden("requests of web pages are not answered")
    return None


def _is_here(host: str) -> bool:
    try:
        parts = urlsplit(f"//{host}")
        return is_loopback(parts.hostname or "") and parts.port != 0
    except ValueError:  # no port, or no host
        return False


def _forbidden(why: str) -> Response:
    return problem(403, "Forbidden", why)
