"""The text lines of a PDF, in reading order.

Takes a path, gives lines. Knows nothing of questions; what layout wrapped stays wrapped here.
"""

import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from podtune.core.errors import DatasetError
from podtune.core.units import gib
from podtune.data.containers.streams import missing_library

if TYPE_CHECKING:
    from pypdf import PageObject, PdfReader

MAX_PAGES: Final = 2_000
"""Pages that are read; a longer document is no list of questions."""

MAX_TEXT: Final = 64 * 1024**2
"""Characters of text that a document may hold."""

_PAGE_NUMBER: Final = re.compile(
    r"\s{0,40}(?:(?:page|seite|página|pagina|strona|sida|side|стр\.?)\s{1,3})?[-–]?\s?(\d{1,4})\s?[-–]?"  # noqa: RUF001
    r"(?:\s{0,3}(?:/|of|von|sur|de|di|van|z|av|из)\s{0,3}\d{1,4})?\s{0,40}",
    re.IGNORECASE,
)


def lines(path: Path) -> Iterator[tuple[int, str]]:
    """Text lines with their numbers, from 1 over the whole document.

    Args:
        path: A PDF.

    Raises:
        DatasetError: it is damaged, encrypted, too large, or holds no text.
        UnsupportedError: the library is not installed.
    """
    reader = _opened(path)
    count = _page_count(path, reader)
    number = size = 0
    for at in range(count):
        text = _text_of(path, reader, at)
        size += len(text)
        if size > MAX_TEXT:
            raise _too_large(path, f"more than {gib(MAX_TEXT)} of text")
        for line in _without_page_number(text.splitlines(), at + 1):
            number += 1
            yield number, line
    if not size:
        raise DatasetError(
            f"{path.name!r} holds no text, only pictures of it",
            code="pdf_without_text",
            hint="run text recognition over it (such as ocrmypdf), or export it as text",
        )


def _opened(path: Path) -> "PdfReader":
    try:
        from pypdf import PdfReader
    except ImportError as error:
        raise missing_library("pypdf", "read .pdf files") from error
    # What it logs of a damaged file quotes the file
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)
    try:
        reader = PdfReader(path, strict=False)
        locked = reader.is_encrypted and not reader.decrypt("")
    except Exception as error:  # damaged files make pypdf raise whatever its code meets
        raise _damaged(path, error) from error
    if locked:
        raise DatasetError(
            f"{path.name!r} is encrypted",
            code="pdf_encrypted",
            hint="save it without a password, and give that file",
        )
    return reader


def _page_count(path: Path, reader: "PdfReader") -> int:
    try:
        count = len(reader.pages)
    except Exception as error:
        raise _damaged(path, error) from error
    if count > MAX_PAGES:
        raise _too_large(path, f"{count} pages")
    return count


def _text_of(path: Path, reader: "PdfReader", at: int) -> str:
    try:
        page: PageObject = reader.pages[at]
        return page.extract_text().replace("\x00", "").encode("utf-8", "replace").decode()
    except Exception as error:
        raise _damaged(path, error) from error


def _without_page_number(found: list[str], page: int) -> list[str]:
    """Lines of a page without its number at the top or bottom."""
    kept = list(found)
    for end in (-1, 0):
        match = _PAGE_NUMBER.fullmatch(kept[end]) if kept and len(kept[end]) <= 60 else None
        if match is not None and int(match[1]) == page:
            kept.pop(end)
    return kept


def _too_large(path: Path, what: str) -> DatasetError:
    return DatasetError(
        f"{path.name!r} is too large: {what}",
        code="pdf_too_large",
        hint=f"split it; at most {MAX_PAGES} pages and {gib(MAX_TEXT)} of text are read",
    )


def _damaged(path: Path, error: Exception) -> DatasetError:
    return DatasetError(
        f"{path.name!r} cannot be read as a PDF ({type(error).__name__})",
        code="bad_pdf",
        hint="open it in a viewer and save it again, or export it as text",
    )
