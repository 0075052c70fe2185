"""Tokens of one document -> labels: the answers, each up to and with the token that ends it.

Knows tokens and character spans; what a conversation or a template is, it does not know.
"""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from podtune.data.template import TokenizerFolder

IGNORED: Final = -100
"""The label of a token that no loss is taken on (PyTorch's cross_entropy ignores it)."""


class Labelled(NamedTuple):
    """A document's token ids and labels, equal in length."""

    ids: list[int]
    labels: list[int]
    ends: list[int]
    """Behind the last trained token of each answer."""
    encoding: Any
    """The tokenizer's own, for the places of tokens; of an added token it knows nothing."""


def unlabelled(encoding: Any) -> Labelled:
    """A document of which nothing is trained."""
    ids = list(encoding.ids)
    return Labelled(ids, [IGNORED] * len(ids), [], encoding)


class Labeller:
    """Labels tokens under one model's stop tokens."""

    def __init__(self, folder: TokenizerFolder) -> None:
        """Of a base model's tokenizer and stop tokens."""
        self._tokenizer = folder.tokenizer
        self._stop_ids = folder.stop_ids
        self._added = folder.tokenizer.get_added_tokens_decoder()
        self._wordless: dict[int, bool] = {}

    def label(
        self, encoding: Any, spans: Sequence[tuple[int, int]], closings: Sequence[int] = ()
    ) -> Labelled | None:
        """Labels for the spans of the answers; None where one does not end with a stop token.

        Behind its stop token a span may hold blanks, markers, and what is known to be the
        template's: none of that is trained.

        Args:
            encoding: The tokenizer's, of the whole document.
            spans: Characters of each answer, from the prompt's end on.
            closings: How many characters at the end of each span are the template's.
        """
        ids: list[int] = encoding.ids
        labels = [IGNORED] * len(ids)
        ends: list[int] = []
        for number, (start, end) in enumerate(spans):
            first, last = _inside(encoding, start, end)
            stop = self._stop(ids, first, last)
            if stop is None and closings:
                stop = self._stop_behind(encoding, (first, start), end, closings[number])
            if stop is None:
                return None
            labels[first : stop + 1] = ids[first : stop + 1]
            ends.append(stop + 1)
        return Labelled(ids, labels, ends, encoding)

    def close(
        self, encoding: Any, spans: Sequence[tuple[int, int]], end_id: int | None
    ) -> Labelled | None:
        """Labels where some answers end without a stop token.

        The token behind such an answer is trained with it if it is a stop token (GLM's next role);
        where the text ends, `end_id` is added. None where neither can be had.
        """
        ids: list[int] = list(encoding.ids)
        labels = [IGNORED] * len(ids)
        ends: list[int] = []
        for start, end in spans:
            first, last = _inside(encoding, start, end)
            stop = self._stop(ids, first, last)
            if stop is None and last + 1 == len(ids) and end_id is not None:
                ids.append(end_id)
                labels.append(IGNORED)
            if stop is None and last >= first and ids[last + 1 : last + 2]:
                stop = last + 1 if ids[last + 1] in self._stop_ids else None
            if stop is None:
                return None
            labels[first : stop + 1] = ids[first : stop + 1]
            ends.append(stop + 1)
        return Labelled(ids, labels, ends, encoding)

    def _stop_behind(
        self, encoding: Any, begin: tuple[int, int], end: int, closing: int
    ) -> int | None:
        """The first stop token among the template's own words at the end of a span."""
        first, start = begin
        spoken = max(_inside(encoding, start, end - closing)[1], first - 1)
        ids: list[int] = encoding.ids
        stop = next((i for i in range(spoken + 1, len(ids)) if ids[i] in self._stop_ids), None)
        return stop if stop is not None and encoding.token_to_chars(stop)[1] <= end else None

    def _stop(self, ids: Sequence[int], first: int, last: int) -> int | None:
        """The last stop token of a span, if no word of the answer stands behind it."""
        for at in range(last, first - 1, -1):
            if ids[at] in self._stop_ids:
                return at
            if not (self._wordless.get(ids[at]) or self._is_wordless(ids[at])):
                return None
        return None

    def _is_wordless(self, token: int) -> bool:
        """Whether a token is blank, or a marker of the template."""
        if token not in self._wordless:
            added = self._added.get(token)
            text = self._tokenizer.decode([token], skip_special_tokens=False)
            self._wordless[token] = not text.strip() or bool(added and added.special)
        return self._wordless[token]


def _inside(encoding: Any, start: int, end: int) -> tuple[int, int]:
    """First and last token that lie wholly inside a span of characters.

    The last is before the first where there is none. Some tokenizers trim offsets: a token of
    blanks then has no width, but still belongs where it stands.
    """
    first = encoding.char_to_token(start) if end > start else None
    last = encoding.char_to_token(end - 1) if end > start else None
    if first is not None and last is not None:
        first += encoding.token_to_chars(first)[0] < start
        place = encoding.token_to_chars(last)
        # a letter of several bytes may be several tokens, of which the first was found
        while encoding.token_to_chars(last + 1) == place:
            last += 1
        return first, last if place[1] <= end else last - 1
    offsets: list[tuple[int, int]] = encoding.offsets
    found = [i for i, (left, right) in enumerate(offsets) if start <= left and start < right <= end]
    return (found[0], found[-1]) if found else (0, -1)
