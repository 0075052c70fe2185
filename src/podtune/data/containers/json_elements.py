"""JSON text -> the bracketed values in it, found without decoding and held one at a time.

One value whose brackets or quotes do not close costs one value: where values begin on lines of their
own, the next line that begins like them begins the next one. What a value means is not known here.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

import msgspec

from podtune.data.containers.streams import BLOCK, MAX_LINE

_TOKEN: Final = re.compile(rb'[{}\[\]]|"(?:[^"\\]++|\\.)*+(?:"|\\\Z)?', re.DOTALL)
_LAST_KEY: Final = re.compile(rb'("(?:[^"\\\n]|\\.){0,200}")\s*:\s*\[\s*\Z')

_QUOTE, _BRACE, _BRACKET = b'"{['
"""The bytes of a quote and of the two opening brackets."""

_OPENER: Final = {b"}": _BRACE, b"]": _BRACKET}

AGAIN: Final = MAX_LINE
"""Bytes that may be read again behind values that never close, so that it stays linear."""

PATIENCE: Final = 10_000
"""Broken elements in a row from which on the rest is not read: it is no list of records."""

_BLANK: Final = b" \t\r\n,\x1e\0"
"""What may stand between elements; NULs are what a writer that crashed leaves at the end."""

_SHOWN: Final = 200
"""Bytes kept of what stands between values."""

_decode = msgspec.json.Decoder().decode


class Element(NamedTuple):
    """A bracketed value at the wanted depth."""

    line: int
    raw: bytes
    key: str | None
    """The key of the array it stands in, at the top of one object."""
    whole: bool
    """Whether its brackets close."""
    stray: bool = False
    """Whether it is what stands between elements, which should be nothing but commas."""
    unread: int = 0
    """Bytes that were not read because of it: its own, or all to the end of the text."""


def elements(chunks: Iterable[bytes], depth: int) -> Iterator[Element]:
    """Bracketed values that stand inside exactly `depth` brackets, with what stands between them.

    At depth 2 only those in an array under a key of the outermost object.
    """
    scanner = _Scanner(depth)
    for chunk in chunks:
        yield from scanner.feed(chunk)
    yield from scanner.finish()


class _Scanner:
    """Follows brackets and strings; keeps only the element it is in."""

    def __init__(self, depth: int) -> None:
        self._depth = depth
        self._buffer = b""
        self._at = 0
        """Where the next token is looked for."""
        self._start = 0
        """Where the element begins, or what stands since the last one."""
        self._inside = self._broken = False
        self._level = 0
        """Brackets round the element."""
        self._open: list[int] = []
        self._line = 1
        self._counted = 0
        """Up to where the lines of the buffer are in `_line`."""
        self._key: str | None = None
        self._last_string = b""
        self._mark: bytes | None = None
        """A line's end and the beginning of a line with which elements begin."""
        self._first = True
        self._ambiguous = False
        """Whether lines inside elements begin like that too."""
        self._again = 0
        """Bytes that were read again."""
        self._between: tuple[int, bytes] | None = None
        """Line and beginning of a long text between elements that is no longer in the buffer."""
        self._lost: Element | None = None
        self._broken_in_a_row = 0
        self._restart: int | None = None
        """Where the next element begins, when the one that is read turned out to be broken."""

    def feed(self, chunk: bytes) -> Iterator[Element]:
        if self._lost is not None:
            self._lost = self._lost._replace(unread=self._lost.unread + len(chunk))
            return
        self._buffer += chunk
        yield from self._scan()
        done = self._start if self._inside else self._at
        while len(self._buffer) - done > MAX_LINE:
            # Neither an element nor a string may be so long.
            if not self._goes_back(done):
                self._lose(done, MAX_LINE + 1)
                return
            yield from self._cut()
            yield from self._scan()
            done = self._start if self._inside else self._at
        if not self._inside and done - self._start > BLOCK:
            self._keep_between(done)
        self._forget(min(done, self._start))

    def finish(self) -> Iterator[Element]:
        while self._inside and self._lost is None:
            if not self._goes_back(self._start):
                self._lose(self._start, None)
                break
            yield from self._cut()
            yield from self._scan()
        if self._lost is not None:
            yield self._lost
        else:
            yield from self._stray(len(self._buffer))

    def _lose(self, at: int, kept: int | None) -> None:
        """Give up: behind this place nothing can be told apart."""
        raw = self._buffer[at:] if kept is None else self._buffer[at : at + kept]
        line = self._line_at(at)
        self._lost = Element(line, raw, self._key, False, unread=len(self._buffer) - at)
        self._buffer = b""

    def _scan(self) -> Iterator[Element]:
        while self._at < len(self._buffer):
            yield from self._tokens()
            if self._restart is None:
                return
            yield from self._cut()
            if self._broken_in_a_row >= PATIENCE:
                self._lose(self._at, _SHOWN)

    def _tokens(self) -> Iterator[Element]:
        """Follow tokens up to the buffer's end, or up to where an element is found broken."""
        for match in _TOKEN.finditer(self._buffer, self._at):
            token = match.group()
            if token[0] == _QUOTE:
                if self._mark is not None and self._mark in token and not self._ambiguous:
                    # No string of JSON goes over a line's end: a quote is missing before
                    self._restart = match.start() + token.index(self._mark) + len(self._mark) - 1
                    return
                if match.end() == len(self._buffer):
                    self._at = match.start()
                    return  # it may go on in the next block
                if not self._inside:
                    self._last_string = token
            elif token in b"{[":
                yield from self._opens(match.start(), token)
            else:
                yield from self._closes(match.start(), token)
            if self._restart is not None:
                return
        self._at = len(self._buffer)

    def _opens(self, at: int, token: bytes) -> Iterator[Element]:
        if self._inside:
            if self._mark is not None and token == b"{" and self._is_out_of_place(at):
                self._restart = at
            if self._broken or self._restart is not None:
                return
        elif self._is_element(at, token):
            yield from self._stray(at)
            self._note_beginning(at)
            self._start, self._inside, self._level = at, True, len(self._open)
        else:
            if len(self._open) == 1 and token == b"[":
                self._key = _key_of(self._last_string)
            self._start = at + 1
        self._open.append(token[0])

    def _is_element(self, at: int, token: bytes) -> bool:
        level = len(self._open)
        if self._depth < 2:
            return level == self._depth or (level < self._depth and token == b"{")
        if self._open == [_BRACE, _BRACKET]:
            return True
        # In an object a bracket stands behind a colon; this one is behind a list closed too early
        return self._open == [_BRACE] and token == b"{" and self._before(at) == b","

    def _is_out_of_place(self, at: int) -> bool:
        """Whether an object begins on a line like the elements' where none can begin."""
        if self._ambiguous or not self._buffer.endswith(self._mark or b"", 0, at + 1):
            return False
        if self._broken:
            return True
        allowed = (b":",) if self._open[-1] == _BRACE else (b"[", b",")
        return self._before(at) not in allowed

    def _before(self, at: int) -> bytes:
        """The byte before a place, blanks aside."""
        return self._buffer[max(self._start, at - 1000) : at].rstrip()[-1:]

    def _note_beginning(self, at: int) -> None:
        """Remember how the line of an element begins, where nothing but commas stands before it."""
        between = self._buffer[max(self._start, at - 1000) : at]
        _, newline, indent = between.rpartition(b"\n")
        if (newline or (self._first and self._depth == 0)) and not indent.strip():
            self._mark = b"\n" + indent + self._buffer[at : at + 1]
        self._first = False

    def _closes(self, at: int, token: bytes) -> Iterator[Element]:
        opener = _OPENER[token]
        if not self._inside:
            if self._open and self._open[-1] == opener:
                yield from self._stray(at)
                self._open.pop()
                self._start = at + 1
            return
        if self._broken or (self._open[-1] != opener and self._breaks(at)):
            return
        closed = self._closed(opener)
        if closed > self._level:
            del self._open[closed:]
            return
        end = at + (closed == self._level)
        raw = self._buffer[self._start : end]
        self._ambiguous = self._ambiguous or (self._mark is not None and self._mark in raw)
        whole, line = closed == self._level, self._line_at(self._start)
        self._broken_in_a_row = 0
        yield Element(line, raw, self._key, whole, unread=0 if whole else len(raw))
        self._inside = False
        self._start = at + 1
        del self._open[closed:]

    def _breaks(self, at: int) -> bool:
        """Where elements have lines of their own, a wrong bracket spoils all up to the next line."""
        if self._mark is None or self._ambiguous:
            return False
        begun = self._buffer.find(self._mark, self._start + 1, at)
        if begun >= 0:
            self._restart = begun + len(self._mark) - 1
        self._broken = True
        return True

    def _closed(self, opener: int) -> int:
        """Which open bracket a closing one ends: the last of its kind, or the element's own."""
        for index in range(len(self._open) - 1, -1, -1):
            if self._open[index] == opener:
                return index
        return self._level

    def _next_mark(self, start: int) -> int:
        """Where the next line begins like an element, behind a place in one; -1 for nowhere."""
        if self._mark is None or self._ambiguous:
            return -1
        found = self._buffer.find(self._mark, start + 1)
        return found + len(self._mark) - 1 if found >= 0 else -1

    def _goes_back(self, start: int) -> bool:
        """Whether the text behind a broken element can be read again from the next one on."""
        at = self._next_mark(start)
        self._again += len(self._buffer) - at
        if at < 0 or self._again > AGAIN:
            return False
        self._restart = at
        return True

    def _cut(self) -> Iterator[Element]:
        """End what is read where the next element begins, and go on there."""
        at = self._restart or 0
        self._restart = None
        if self._inside:
            raw = self._buffer[self._start : at]
            line = self._line_at(self._start)
            yield Element(line, raw, self._key, False, unread=len(raw))
            self._broken_in_a_row += 1
        else:
            yield from self._stray(at)
        new_list = _LAST_KEY.search(self._buffer, max(self._start, at - 1000), at)
        if self._depth == 2 and new_list is not None:
            self._key = _key_of(new_list[1])
        self._open = [_BRACE, _BRACKET][2 - self._depth :]
        self._inside = self._broken = False
        self._at = self._start = at
        self._first = False

    def _stray(self, end: int) -> Iterator[Element]:
        """What stands between elements; commas, blanks and record separators are nothing."""
        if self._depth == 2 and self._open != [_BRACE, _BRACKET]:
            self._between = None
            return
        between = self._buffer[self._start : end]
        text = between.strip(_BLANK)
        if self._between is not None:
            line, shown = self._between
            yield Element(line, shown, self._key, True, True)
        elif text:
            at = self._start + between.index(text[:1])
            yield Element(self._line_at(at), text[:_SHOWN], self._key, True, True)
        self._between = None

    def _keep_between(self, end: int) -> None:
        """Let go of a long text between elements, but for its beginning."""
        between = self._buffer[self._start : end]
        text = between.strip(_BLANK)
        if text and self._between is None:
            at = self._start + between.index(text[:1])
            self._between = (self._line_at(at), text[:_SHOWN])
        self._start = end

    def _line_at(self, at: int) -> int:
        """The line of a place; places are asked for in rising order."""
        if at > self._counted:
            self._line += self._buffer.count(b"\n", self._counted, at)
            self._counted = at
        return self._line

    def _forget(self, at: int) -> None:
        """Drop the buffer before a place."""
        self._line_at(at)
        self._buffer = self._buffer[at:]
        self._at = max(0, self._at - at)
        self._start = max(0, self._start - at)
        self._counted = max(0, self._counted - at)


def _key_of(string: bytes) -> str | None:
    try:
        value: Any = _decode(string)
    except (msgspec.DecodeError, UnicodeEncodeError):
        return None
    return value if isinstance(value, str) else None
