"""Field words as fingers write them: two letters swapped (`rnak`), one left out of a long word (`lerning`)."""

from typing import Final

_WORDS: Final = [
    "epochs",
    "epoch",
    "steps",
    "batch",
    "rank",
    "alpha",
    "dropout",
    "learning",
    "rate",
    "warmup",
    "budget",
    "gradient",
    "accumulation",
    "dollars",
    "euros",
    "maximum",
    "length",
]
_SWAPPED: Final = {w[0] + "".join(sorted(w[1:-1])) + w[-1]: w for w in _WORDS}
_SHORTENED: Final = {
    w[:at] + w[at + 1 :]: w for w in _WORDS if len(w) > 6 for at in range(1, len(w))
}


def meant(word: str) -> str:
    """The field word that a word stands for; the word itself where it is no near miss of one.

    Args:
        word: In small letters, without accents.
    """
    if not 3 < len(word) < 14:
        return word
    return _SWAPPED.get(word[0] + "".join(sorted(word[1:-1])) + word[-1]) or _SHORTENED.get(
        word, word
    )
