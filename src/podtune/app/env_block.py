"""The application's two variables, `GPU_CLUSTER_API_URL` and `GPU_CLUSTER_API_KEY`: shown, or put into its `.env.local`.

The address is the gateway's: RunPod's own job API has no `/training/...` (runpod.md 4). Of a file every other
line stays byte for byte; a file that git would keep is refused, since a key would be kept with it.
"""

import os
import re
import shlex
import stat
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from podtune.core.clock import token_bytes
from podtune.core.errors import ConflictError, SpecError, StateError

URL: Final = "GPU_CLUSTER_API_URL"
KEY: Final = "GPU_CLUSTER_API_KEY"

URL_PLACEHOLDER: Final = "https://your-podtune-gateway.example"
"""Says what belongs there; `.example` leads nowhere (RFC 2606)."""

KEY_PLACEHOLDER: Final = "ptk_your-gateway-key"
"""Gateway keys begin so (design.md 12)."""

HEADING: Final = "# GPU Cluster Configuration"
"""Specification B, step 5.1."""

FUNCTION: Final = "process-training-jobs"
"""The application's edge function (specification B, step 5.2)."""

LARGEST: Final = 1024 * 1024
"""Bytes of a file of variables; a larger one is none."""

GIT_S: Final = 20.0
"""For an answer of git."""

_LINE: Final = re.compile(rb"[ \t]*(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_.]*)[ \t]*=[ \t]*(.*)", re.DOTALL)  # fmt: skip
_QUOTES: Final = (b'"', b"'", b"`")


def values(gateway_url: str) -> dict[str, str]:
    """The two variables; placeholders for what is not known here."""
    return {URL: gateway_url or URL_PLACEHOLDER, KEY: KEY_PLACEHOLDER}


def block(given: Mapping[str, str]) -> str:
    """The lines for `.env.local`."""
    return "\n".join((HEADING, *(f"{name}={value}" for name, value in given.items()))) + "\n"


def commands(given: Mapping[str, str]) -> tuple[str, ...]:
    """What hands the same to the application's edge function."""
    secrets = " ".join(shlex.quote(f"{name}={value}") for name, value in given.items())
    return (f"supabase secrets set {secrets}", f"supabase functions deploy {FUNCTION}")


def check(path: Path) -> None:
    """Refuse a file that must not be written, before anything else is done.

    Raises:
        SpecError: its folder is not there, or it is no file of variables.
        ConflictError: git has it, or would take it.
        StateError: it cannot be read.
    """
    real = path.resolve()
    if not real.parent.is_dir():
        raise SpecError(
            f"the folder of {str(path)!r} is not there",
            code="bad_option",
            hint="--write-env takes the application's .env.local",
        )
    _read(real)
    _refuse_tracked(real)


def write(path: Path, given: Mapping[str, str]) -> tuple[str, ...]:
    """Put the variables into a file, whole or not at all, readable by its owner alone.

    A value that is there is not replaced by a placeholder, unless it is RunPod's own address or key.

    Returns:
        The names that were set or were so already.

    Raises:
        PodtuneError: see `check`.
    """
    check(path)
    real = path.resolve()
    before = _read(real)
    after = merged(before, given)
    if after != before or stat.S_IMODE(real.stat().st_mode) != 0o600:
        _replace(real, after)
    return tuple(given)


def merged(text: bytes, given: Mapping[str, str]) -> bytes:
    r"""A file's text with the variables set; every other line as it was.

    >>> merged(b"A=1\n", {"B": "2"})
    b'A=1\nB=2\n'
    """
    pieces, missing, until = list[bytes](), dict(given), b""
    for line in text.splitlines(keepends=True):
        if until:  # inside a value of several lines
            until = b"" if _closes(line, until) else until
            pieces.append(line)
            continue
        found = _LINE.fullmatch(line)
        name = found[1].decode() if found else ""
        until = _open_quote(found[2]) if found else b""
        if name not in given or until:
            pieces.append(line)
            continue
        missing.pop(name, None)
        end = line[len(line.rstrip(b"\r\n")) :]
        keeps = _is_placeholder(given[name]) and _is_real(found[2] if found else b"")
        pieces.append(line if keeps else f"{name}={given[name]}".encode() + end)
    if missing:
        end = b"\r\n" if text.endswith(b"\r\n") else b"\n"
        if pieces and not pieces[-1].endswith((b"\n", b"\r")):
            pieces.append(end)
        heading = [HEADING] if set(missing) == {URL, KEY} else []
        lines = [*heading, *(f"{name}={value}" for name, value in missing.items())]
        pieces += [line.encode() + end for line in lines]
    return b"".join(pieces)


def _is_placeholder(value: str) -> bool:
    return value in (URL_PLACEHOLDER, KEY_PLACEHOLDER)


def _is_real(value: bytes) -> bool:
    """Whether a value is worth keeping: RunPod's own address and key do not work there, an empty one neither."""
    plain = value.strip().strip(b"\"'`")
    return bool(plain) and b"api.runpod." not in plain and not plain.startswith((b"rp_", b"rpa_"))


def _open_quote(value: bytes) -> bytes:
    """The quote that a value opens and does not close on its line."""
    quote = value[:1]
    if quote not in _QUOTES or not quote:
        return b""
    return b"" if _closes(value[1:], quote) else quote


def _closes(text: bytes, quote: bytes) -> bool:
    return quote in re.sub(rb"\\.", b"", text, flags=re.DOTALL)


def _read(path: Path) -> bytes:
    """What a file holds; nothing where there is none.

    Raises:
        SpecError: it is a folder or too large.
        StateError: it cannot be read.
    """
    try:
        if not path.exists():
            return b""
        if not path.is_file() or path.stat().st_size > LARGEST:
            raise SpecError(
                f"{str(path)!r} is no file of variables",
                code="bad_option",
                hint="--write-env takes the application's .env.local",
            )
        return path.read_bytes()
    except OSError as error:
        raise StateError(
            f"{str(path)!r} cannot be read: {error.strerror or error}", code="cannot_write"
        ) from error


def _replace(path: Path, text: bytes) -> None:
    temporary = path.with_name(f".{path.name}.{token_bytes(4).hex()}.part")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(text)
                stream.flush()
                os.fsync(stream.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise StateError(
            f"{str(path)!r} cannot be written: {error.strerror or error}",
            code="cannot_write",
            hint="choose another place with --write-env",
        ) from error


def _refuse_tracked(path: Path) -> None:
    """Refuse what git has or would take.

    Raises:
        ConflictError: it does, or git cannot be asked although there is a repository.
    """
    has_repository = any((folder / ".git").exists() for folder in path.parents)
    inside = _git(path.parent, "rev-parse", "--is-inside-work-tree")
    if inside is None or inside.returncode:
        if not has_repository:
            return
        said = "git is not installed" if inside is None else inside.stderr.decode(errors="replace")
        raise ConflictError(
            f"{path.name} lies in a git repository, and git does not say whether it would keep it: "
            f"{said.strip()[:200]}",
            code="git_unclear",
            hint="copy the lines by hand, or name a file outside the repository",
        )
    tracked = _git(path.parent, "ls-files", "--error-unmatch", "--", path.name)
    if tracked is not None and tracked.returncode == 0:
        raise ConflictError(
            f"git tracks {path.name}: a key in it would go wherever the repository goes",
            code="git_tracked",
            hint=f"git rm --cached {path.name}, add {path.name} to .gitignore, commit, then run this again",
        )
    ignored = _git(path.parent, "check-ignore", "-q", "--", path.name)
    if ignored is None or ignored.returncode != 0:
        raise ConflictError(
            f"git does not ignore {path.name}: the next `git add .` would keep the key",
            code="git_tracked",
            hint=f"echo '{path.name}' >> {path.parent / '.gitignore'}, then run this again",
        )


def _git(folder: Path, *arguments: str) -> subprocess.CompletedProcess[bytes] | None:
    """What git says; None where there is no git.

    Raises:
        ConflictError: it does not answer.
    """
    try:
        return subprocess.run(
            ["git", *arguments], cwd=folder, capture_output=True, timeout=GIT_S, check=False,  # noqa: S607 - the user's git
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except FileNotFoundError:
        return None
    except subprocess.TimeoutExpired:
        raise ConflictError(
            f"git does not answer within {GIT_S:.0f} s",
            code="git_unclear",
            hint="copy the lines by hand, or name a file outside the repository",
        ) from None
