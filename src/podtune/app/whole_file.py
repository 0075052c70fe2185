"""Writing a file so that it appears whole or not at all."""

import os
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from podtune.core.errors import StateError


@contextmanager
def writing(path: Path, option: str) -> Generator[IO[bytes]]:
    """A stream whose file is there once it was closed in peace, and only if anything was written.

    Where something fails, neither a part of the file nor a folder made for it is left.

    Args:
        path: The file; what is there is replaced.
        option: By which somebody names another place, such as `-o`.

    Raises:
        StateError: it cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    made = [folder for folder in path.parents if not folder.exists()]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as stream:
            yield stream
        if temporary.stat().st_size:
            temporary.replace(path)
        else:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise StateError(
            f"{str(path)!r} cannot be written: {error.strerror or error}",
            code="cannot_write",
            hint=f"choose another place with {option}",
        ) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
            for folder in made:
                folder.rmdir()  # only where nothing came to lie in it
