"""Style sheet, script and icon: served under names that change with their bytes, so browsers may keep them.

Knows nothing of pages. Everything comes out of the package; nothing is ever fetched from elsewhere.
"""

import hashlib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Final, NamedTuple

from podtune.core.errors import NotFoundError

TYPES: Final[Mapping[str, str]] = {
    "dashboard.css": "text/css; charset=utf-8",
    "dashboard.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
KEPT: Final = "public, max-age=31536000, immutable"
"""A name stands for the same bytes for ever."""


class Asset(NamedTuple):
    """One file as it is served."""

    name: str
    """With the first 12 signs of its sha256 before the ending."""
    content: bytes
    media_type: str


def url(name: str) -> str:
    """Where a file of `static/` is served."""
    return f"/static/{_assets()[name].name}"


def find(served: str) -> Asset:
    """The file of a served name.

    Raises:
        NotFoundError: there is none; a name of another release is none either.
    """
    for asset in _assets().values():
        if asset.name == served:
            return asset
    raise NotFoundError("there is no such file", hint="load the page again", code="not_found")


@cache
def _assets() -> Mapping[str, Asset]:
    return {name: _asset(name) for name in TYPES}


def _asset(name: str) -> Asset:
    folder = resources.files("podtune.gateway.dashboard")
    content = folder.joinpath("static", name).read_bytes()
    stem, dot, ending = name.rpartition(".")
    served = f"{stem}.{hashlib.sha256(content).hexdigest()[:12]}{dot}{ending}"
    return Asset(served, content, TYPES[name])
