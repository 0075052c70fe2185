"""What a file's name tells: whether it may hold data, and whether its rows are held out."""

import re
from typing import Final

MEMBERS: Final = (
    ".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet", ".xlsx", ".txt", ".md", ".mbox", ".pdf",
)  # fmt: skip
"""What is looked at inside an archive; anything else is left alone."""

SUFFIXES: Final = (*MEMBERS, ".zip", ".markdown")
"""What a folder is searched for, with `.gz` or `.zst` behind or not."""

_HELD: Final = re.compile(r"(?:^|[_\-.])(?:val|valid|validation|eval|dev|test|heldout)(?:$|[_\-.])")
_TRAIN: Final = re.compile(r"(?:^|[_\-.])train(?:ing)?(?:$|[_\-.])")

SIDES: Final = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(
        ("validation", "valid", "val", "eval", "evaluation", "test", "dev", "holdout", "heldout"),
        "validation",
    ),
}
"""Words for the two sides of a split: keys of a document, values of a `split` column."""


def is_data_name(name: str) -> bool:
    """Whether a file's name ends as a data file's does.

    >>> is_data_name("a.jsonl.gz"), is_data_name("photo.png")
    (True, False)
    """
    plain = name.lower().removesuffix(".gz").removesuffix(".zst")
    return plain.endswith(SUFFIXES) and not plain.startswith("rejected.")


def split_of(name: str) -> str | None:
    """`train` or `validation`, where a file's name says so.

    >>> split_of("tickets.validation.jsonl"), split_of("train-00000.parquet"), split_of("contest.csv")
    ('validation', 'train', None)
    """
    if _HELD.search(name.lower()):
        return "validation"
    return "train" if _TRAIN.search(name.lower()) else None
