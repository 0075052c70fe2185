"""Files that come in by a form: on disk under the home, each caller's apart, swept when they are old.

A file is known by a word that nobody guesses, and found only by the caller who brought it.
"""

import hashlib
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

from podtune.app.ceilings import FILES
from podtune.app.settings import Settings
from podtune.core.clock import Clock, random_word, utc_now
from podtune.core.errors import DatasetError, NotFoundError, StateError

MOST_BYTES: Final = 512 << 20
"""What the hosted fine-tuning API takes too (its reference, read on 2026-11-23)."""
KEPT_S: Final = 24 * 3600
"""A plan that was shown is approved within a day, or asked for again."""
_BLOCK: Final = 1 << 20
_WORD: Final = re.compile(r"[a-z0-9]{24}")
_FOLDER: Final = "dashboard"


class Upload(NamedTuple):
    """A file that was brought."""

    word: str
    path: Path

    @property
    def name(self) -> str:
        """As it is shown."""
        return self.path.name


class Uploads:
    """What one caller brought."""

    def __init__(self, settings: Settings, tenant: str | None, *, clock: Clock = utc_now) -> None:
        """Nothing is created yet. `tenant` is None for this machine's own user."""
        whose = "own" if tenant is None else hashlib.sha256(tenant.encode()).hexdigest()[:24]
        self._folder = settings.home / FILES / _FOLDER / whose
        self._clock = clock

    def keep(self, name: str, stream: BinaryIO) -> Upload:
        """Put a file on disk, in blocks.

        Raises:
            DatasetError: it is empty, or larger than 512 MB.
            StateError: it cannot be written.
        """
        self.sweep()
        word = random_word(24)
        path = self._folder / word / safe_name(name)
        try:
            path.parent.mkdir(parents=True, mode=0o700)
            self._copy(stream, path)
        except BaseException as error:
            shutil.rmtree(path.parent, ignore_errors=True)
            if isinstance(error, OSError):
                raise StateError(
                    f"the file cannot be kept: {error.strerror or 'it cannot be written'}",
                    hint="free some space in PODTUNE_HOME, then send it again",
                ) from error
            raise
        return Upload(word, path)

    def find(self, word: str) -> Upload:
        """What was brought under a word.

        Raises:
            NotFoundError: nothing, or it was swept.
        """
        for upload in self.known(word):
            return upload
        raise NotFoundError(
            "the file that was sent is not here any more", hint="choose it again", code="not_found"
        )

    def known(self, word: str) -> Iterator[Upload]:
        """The same, or nothing."""
        folder = self._folder / word
        if _WORD.fullmatch(word) and folder.is_dir():
            yield from (Upload(word, path) for path in folder.iterdir())

    def sweep(self) -> None:
        """Remove what is older than a day."""
        if not self._folder.is_dir():
            return
        for folder in self._folder.iterdir():
            if self._clock().timestamp() - folder.stat().st_mtime > KEPT_S:
                shutil.rmtree(folder, ignore_errors=True)

    @staticmethod
    def _copy(stream: BinaryIO, path: Path) -> None:
        size = 0
        with path.open("xb") as target:
            while block := stream.read(_BLOCK):
                size += len(block)
                if size > MOST_BYTES:
                    raise DatasetError(
                        "the file is larger than 512 MB",
                        code="body_too_large",
                        hint="put it where an https address leads to, and give that",
                    )
                target.write(block)
        if not size:
            raise DatasetError("the file is empty", code="empty_file", hint="choose another one")


def safe_name(name: str) -> str:
    r"""A file's name as it may stand on a disk: its last part, plain signs, its ending.

    >>> safe_name("../../etc/pass wd.jsonl"), safe_name("C:\\chats\\a.csv"), safe_name(".."), safe_name("")
    ('pass-wd.jsonl', 'a.csv', 'data', 'data')
    """
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    plain = re.sub(r"[^A-Za-z0-9._-]++", "-", last[-200:]).strip("-.")
    return plain[-100:].lstrip("-.") or "data"
