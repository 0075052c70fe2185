"""`deliver.callback_url`: whether it is an address at all, found before anything is read.

Knows nothing of networks: which hosts may be reached is `egress`'s to say. An error never holds the
address, which may hold a secret.
"""

from typing import Final

from podtune.core.addresses import flaw
from podtune.core.errors import SpecError
from podtune.core.spec import CALLBACK, TrainingSpec

MAX_CHARACTERS: Final = 2000
"""Longer than any address a receiver is known to hand out; what is stored stays small. Chosen."""


def refuse_bad_callback(spec: TrainingSpec) -> None:
    """Raise where nothing could ever be sent to `deliver.callback_url`.

    Raises:
        SpecError: code `bad_url`, saying what to change.
    """
    url = spec.deliver.callback_url
    problem = None if url is None else flaw(url, MAX_CHARACTERS)
    if problem is not None:
        raise SpecError(
            f"{CALLBACK}: {problem}",
            code="bad_url",
            hint="for example https://app.example.org/hooks/podtune; what is sent is signed, so the "
            "address needs no password",
        )
