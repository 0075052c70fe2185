"""Which paths of this machine a caller may name: those that lie in its workspace, links followed.

Knows no caller and asks no client; addresses are left alone.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from podtune.app.workspace import Workspace
from podtune.core.errors import SpecError
from podtune.data.sources import files_of

MOST_ROOTS: Final = 32
"""Folders of a client that are listened to. Chosen."""
_SOURCES: Final = ("data.source", "data.validation_source")
_MODELS: Final = ("base_model", "base_model.name")
_DELIVERY: Final = "deliver.to"


def folders(roots: Iterable[Any]) -> tuple[Path, ...]:
    """The folders of this machine among a client's roots; what is none is passed over."""
    found: list[Path] = []
    for root in list(roots)[:MOST_ROOTS]:
        parts = urlsplit(str(root.uri))
        if parts.scheme != "file" or parts.netloc not in ("", "localhost"):
            continue
        path = Path(unquote(parts.path))
        if path.is_absolute() and path.is_dir():
            found.append(path.resolve())
    return tuple(dict.fromkeys(found))


def inside(workspace: Workspace, named: str) -> str:
    """What a caller names as its data, as a plan takes it: whole, and in the workspace.

    Args:
        workspace: Its roots; a relative path is looked for in each, the first first.
        named: A path, a pattern or an address.

    Raises:
        SpecError: it leads out of the workspace, by itself or by a link; code `outside_workspace`.
        NotFoundError: there is no such file.
    """
    if "\0" in named:
        raise SpecError("a path holds no NUL", code="outside_workspace")
    if "://" in named:
        return workspace.source(named)
    others = [str(root / named) for root in workspace.roots[1:] if (root / named).exists()]
    is_first = (workspace.roots[0] / named).exists() or not others
    source = workspace.source(named if is_first else others[0])
    if any(not workspace.holds(held) for held in files_of(source)):
        raise SpecError(
            f"{named!r} leads out of the workspace by a link",
            code="outside_workspace",
            hint="copy the file into the workspace",
        )
    return source


def kept_inside(stated: Mapping[str, object], workspace: Workspace) -> dict[str, object]:
    """The same with every path of this machine whole, and in the workspace.

    Raises:
        SpecError: one leads out; code `outside_workspace`.
        NotFoundError: there is no such data.
    """
    kept = dict(stated)
    for path in _SOURCES:
        if kept.get(path) is not None:
            kept[path] = inside(workspace, str(kept[path]))
    for path in _MODELS:
        name = kept.get(path)
        if isinstance(name, str) and (folder := _folder(name, workspace)) is not None:
            kept[path] = _held(folder, workspace, path)
    to = kept.get(_DELIVERY)
    if to is not None and "://" not in str(to):
        target = workspace.roots[0] / Path(str(to)).expanduser()
        kept[_DELIVERY] = _held(target, workspace, _DELIVERY)
    return kept


def _folder(name: str, workspace: Workspace) -> Path | None:
    """The folder of this machine that a base model's name is; None of a name of the Hub."""
    named = Path(name).expanduser()
    try:
        # a plan looks for it from where the program was started
        near = next((p for p in (workspace.roots[0] / named, named) if p.is_dir()), None)
        return near.absolute() if near is not None else None
    except (OSError, ValueError, RuntimeError):
        return None


def _held(path: Path, workspace: Workspace, field: str) -> str:
    """A path of the workspace as it is.

    Raises:
        SpecError: it leads out; code `outside_workspace`.
    """
    if not workspace.holds(path):
        raise SpecError(
            f"{field}: {str(path)!r} lies outside of the workspace",
            code="outside_workspace",
            hint="name a place in the workspace, or leave it to the user's own command line",
        )
    return str(path)
