"""Regular expressions that are compiled when they are first asked: importing the grammar stays instant."""

import re
from collections.abc import Iterator
from functools import cached_property
from sys import maxsize


class Pattern:
    """A regular expression, compiled at its first use.

    Args:
        words: The expression. Whoever writes one gives every repetition a bound or lets it stand alone.
        flags: As `re.compile` takes them.
    """

    def __init__(self, words: str, flags: re.RegexFlag = re.NOFLAG) -> None:
        self.words = words
        self._flags = flags

    @cached_property
    def _compiled(self) -> re.Pattern[str]:
        return re.compile(self.words, self._flags)

    def search(self, text: str, start: int = 0, end: int = maxsize) -> re.Match[str] | None:
        """The first place that fits."""
        return self._compiled.search(text, start, end)

    def match(self, text: str, start: int = 0) -> re.Match[str] | None:
        """What fits from a place on."""
        return self._compiled.match(text, start)

    def fullmatch(self, text: str) -> re.Match[str] | None:
        """The whole text, where it fits."""
        return self._compiled.fullmatch(text)

    def finditer(self, text: str) -> Iterator[re.Match[str]]:
        """Every place that fits, none inside another."""
        return self._compiled.finditer(text)
