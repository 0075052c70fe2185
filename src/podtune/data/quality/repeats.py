"""Rows that say again what an earlier row said, or contradict it.

Takes the rows of a file one after another and gives, for each, the earlier row it repeats.

Exact: the same text once blanks are collapsed (in turns other than the first question and the
answer: once they are taken out).

Near: what a user would call the same row typed twice. A share of common words does not tell:
support answers are templates, and two of them that differ in one product, number or colour are
two lessons, however long they are. So two rows are near repeats when

1. nothing but case, width, blanks and punctuation differs, or
2. both have at least 20 words, at least 90 % of them are common and in the same order, and what
   differs is only (a) words that one row has in addition to the other ("Hello,", "please"), or
   (b) a word spelt slightly differently (4 letters or more, one letter or one swap apart). A word
   replaced by another one, or any difference in a word that holds a digit, makes it another row;
   only in rows of 60 words and more one word in fifty may be another.
   The answers must be the same, or be of 20 words too: in a short one a "not" says it all.

Conflict: the same question, as `split.normalise` sees it, and another answer.

What it does not know: meaning. A paraphrase is no repeat here.
"""

import re
import zlib
from array import array
from collections.abc import Iterator
from difflib import SequenceMatcher
from hashlib import blake2b
from typing import Final, NamedTuple

from podtune.data.split import normalise

NEAR_ROWS: Final = 20_000
"""Near repeats are looked for among so many rows: below it a check costs under a second, and a
larger file has had its repeats found by the exact check or has a generator behind it."""

NEAR_CHARACTERS: Final = 32_000_000
"""... and in so many characters of folded text, which are kept to compare with (32 MB)."""

_LONGEST: Final = 8_000  # characters; comparing two longer texts word by word takes too long
_FEWEST_WORDS: Final = 20
_COMMON_SHARE: Final = 0.9
_LONG_WORDS: Final = 60
_REPLACED_SHARE: Final = 0.02

# Min-wise hashing with one permutation (Li, Owen, Zhang 2012, arXiv 1208.1259): the smallest hash
# in each of 20 bins, in 5 bands of 4. A pair with 90 % of its words in common shares a band with
# probability 1 - (1 - 0.9**4)**5 = 0.995; one with 50 % with 0.28, and is compared in vain.
_BINS: Final = 20
_BAND: Final = 4
_CANDIDATES: Final = (
    6  # rows compared word by word at most; a template has thousands of look-alikes
)

_PUNCTUATION: Final = re.compile(
    r"[\s!\"'(),.:;?\[\]_`{}\u00a1\u00ab\u00b4\u00b7\u00bb\u00bf\u2010-\u201f\u2026\u2039\u203a"
    r"\u3001-\u3011\uff01\uff08\uff09\uff0c\uff0e\uff1a\uff1b\uff1f-]+"
)
_ASCII_BLANKS: Final = bytes(
    32 if _PUNCTUATION.fullmatch(chr(byte)) else byte for byte in range(256)
)
_UNSPACED: Final = re.compile(r"([\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff])")  # a word each


class Seen(NamedTuple):
    """What an earlier row has to do with this one; at most one of the three is set."""

    duplicate_of: int | None = None
    near_of: int | None = None
    conflicts_with: int | None = None


_NEW: Final = Seen()


class Repeats:
    """Remembers rows by hashes: about 260 bytes each, and the text of the first 20,000."""

    def __init__(self) -> None:
        self._rows = array("q")  # the caller's number of the i-th row seen
        self._wholes = array("Q")
        self._answers = array("Q")
        self._by_question: dict[int, int] = {}  # the first row with it
        self._by_answer: dict[int, int] = {}
        self._by_whole: dict[int, int] = {}  # of questions asked more than once only
        self._answer_counts: dict[int, int] = {}  # of answers given more than once only
        self._near = _NearRepeats()

    def see(self, row: int, question: str, answer: str, whole: str) -> Seen:
        """Compare a row with those before it, and remember it.

        Args:
            row: The caller's number for it, 0 <= row < 2**63.
            question: Its first user turn; a part of `whole`. Empty: it has none.
            answer: Its last assistant turn; a part of `whole`. Empty: it has none.
            whole: All its text, with something that is no blank between turns.
        """
        index = len(self._rows)
        keys = (
            _text_key(normalise(question)),
            _text_key(normalise(answer)),
            _key(_without_blanks(whole)),
        )
        self._rows.append(row)
        self._answers.append(keys[1])
        self._wholes.append(keys[2])
        if answer:
            self._count(keys[1], index)
        asked = self._by_question.setdefault(keys[0], index)
        if asked != index:
            self._by_whole.setdefault(self._wholes[asked], asked)
            first = self._by_whole.setdefault(keys[2], index)
            if first != index and self._answers[first] == keys[1]:
                return Seen(duplicate_of=self._rows[first])
        if self._near.complete:
            near = self._near.see(index, keys[1], answer, whole)
            if near is not None:
                return Seen(near_of=self._rows[near])
        if asked != index and question.strip() and self._answers[asked] != keys[1]:
            return Seen(conflicts_with=self._rows[asked])
        return _NEW

    @property
    def near_complete(self) -> bool:
        """Whether near repeats were looked for in every row so far."""
        return self._near.complete

    def commonest_answer(self) -> tuple[int, int]:
        """How many rows have the commonest answer, and the first row with it; (0, 0) without rows.

        Answers are the same when `split.normalise` makes them so.
        """
        if not self._by_answer:
            return 0, 0
        if not self._answer_counts:
            return 1, self._rows[next(iter(self._by_answer.values()))]
        key, count = max(
            self._answer_counts.items(), key=lambda item: (item[1], -self._by_answer[item[0]])
        )
        return count, self._rows[self._by_answer[key]]

    def _count(self, key: int, index: int) -> None:
        if self._by_answer.setdefault(key, index) != index:
            self._answer_counts[key] = self._answer_counts.get(key, 1) + 1


class _NearRepeats:
    """The folded text of the first rows, found again by bands of word hashes."""

    def __init__(self) -> None:
        self.complete = True
        self._characters = 0
        self._texts: dict[int, tuple[str, int, bool]] = {}  # folded, key of the answer, is it long
        self._places: dict[int, int] = {}  # band or whole text -> the first row with it

    def see(self, index: int, answer_key: int, answer: str, whole: str) -> int | None:
        """The earlier row this one nearly repeats."""
        if index >= NEAR_ROWS or self._characters > NEAR_CHARACTERS:
            self.complete = False
            return None
        folded = _fold(whole)
        words = folded.split()
        place = hash((-1, _text_key(folded)))
        same = self._places.get(place)
        if same is not None:
            return same
        self._places[place] = index
        if len(words) < _FEWEST_WORDS or len(folded) > _LONGEST:
            return None
        self._characters += len(folded)
        counted = answer if answer.isascii() else _fold(answer)  # the fold is dear
        long_answer = len(counted.split()) >= _FEWEST_WORDS
        self._texts[index] = folded, answer_key, long_answer
        for earlier in self._alike(index, words):
            text, its_answer, its_long = self._texts[earlier]
            if (its_answer == answer_key or (its_long and long_answer)) and _is_near(
                text.split(), words
            ):
                return earlier
        return None

    def _alike(self, index: int, words: list[str]) -> list[int]:
        """Rows that share a band, those that share most first."""
        shared: dict[int, int] = {}
        for band in _bands(words):
            first = self._places.setdefault(band, index)
            if first != index:
                shared[first] = shared.get(first, 0) + 1
        return sorted(shared, key=lambda row: (-shared[row], row))[:_CANDIDATES]


def _without_blanks(text: str) -> bytes:
    """Cheaper than collapsing them; question and answer are compared with theirs."""
    if text.isascii():
        return text.encode().translate(None, b" \t\n\r\v\f\x1c\x1d\x1e\x1f")
    return "".join(text.split()).encode("utf-8", "surrogatepass")


def _text_key(text: str) -> int:
    data = text.encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(data, digest_size=8).digest(), "big")


def _key(data: bytes) -> int:
    """8 bytes: two of a million different texts are taken for one with probability 3e-8."""
    return int.from_bytes(blake2b(data, digest_size=8).digest(), "big")


def _fold(text: str) -> str:
    """Case, width, blanks and punctuation do not count; signs such as + # % = do.

    >>> _fold("Don't STOP \u2014 now!"), _fold("C++ or C#?")
    ('dont stop now', 'c++ or c#')
    """
    plain = normalise(text)
    if plain.isascii():  # ten times as fast
        spaced = plain.encode().translate(_ASCII_BLANKS, b"'").decode()
    else:
        bare = plain.replace("'", "").replace("\u2019", "")
        spaced = _UNSPACED.sub(r" \1 ", _PUNCTUATION.sub(" ", bare))
    return " ".join(spaced.split())


def _bands(words: list[str]) -> Iterator[int]:
    """Five hashes of a text's words; texts with nearly the same words share one of them."""
    hashes = sorted(
        set(map(zlib.crc32, " ".join(words).encode("utf-8", "surrogatepass").split())), reverse=True
    )
    smallest = {value % _BINS: value for value in hashes}
    for start in range(0, _BINS, _BAND):
        band = [smallest.get(place, 0) for place in range(start, start + _BAND)]
        if any(band):
            yield hash((start, *band))  # of integers: the same in every process


def _is_near(a: list[str], b: list[str]) -> bool:
    """Whether two lists of words differ by additions and slips of the pen only."""
    longest = max(len(a), len(b))
    if min(len(a), len(b)) < _COMMON_SHARE * longest:
        return False
    odd = set(a) ^ set(b)
    if len(odd) > 2 * (1 - _COMMON_SHARE) * longest or any(map(_holds_digit, odd)):
        return False
    start = _common_start(a, b)
    end = _common_start(a[start:][::-1], b[start:][::-1])
    a_middle, b_middle = a[start : len(a) - end], b[start : len(b) - end]
    common, replaced = start + end, 0
    for tag, i, j, k, m in SequenceMatcher(None, a_middle, b_middle, False).get_opcodes():
        left, right = a_middle[i:j], b_middle[k:m]
        if tag == "equal":
            common += j - i
        elif any(map(_holds_digit, left + right)):
            return False
        elif tag == "replace":
            others = sum(not _is_slip(x, y) for x, y in zip(left, right, strict=False))
            replaced += others + abs(len(left) - len(right))
            common += min(len(left), len(right)) - others
    may_differ = _REPLACED_SHARE * longest if longest >= _LONG_WORDS else 0
    return replaced <= may_differ and common >= _COMMON_SHARE * longest


def _common_start(a: list[str], b: list[str]) -> int:
    for at, (left, right) in enumerate(zip(a, b, strict=False)):
        if left != right:
            return at
    return min(len(a), len(b))


def _holds_digit(word: str) -> bool:
    return any(map(str.isdigit, word))


def _is_slip(a: str, b: str) -> bool:
    """One letter more, less or other, or two neighbours swapped, in a word of 4 or more.

    >>> _is_slip("recieve", "receive"), _is_slip("blue", "blues"), _is_slip("red", "bed")
    (True, True, False)
    """
    if min(len(a), len(b)) < 4:
        return False
    start = 0
    while start < min(len(a), len(b)) and a[start] == b[start]:
        start += 1
    rest_a, rest_b = a[start:], b[start:]
    return (
        rest_a[1:] == rest_b[1:]
        or rest_a[1:] == rest_b
        or rest_a == rest_b[1:]
        or (rest_a[1::-1] == rest_b[:2] and rest_a[2:] == rest_b[2:])
    )
