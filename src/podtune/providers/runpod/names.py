"""Names of rented machines: `pt-<owner>-<job>-<attempt>-x<unix deadline>`.

A name tells whose machine it is and when it has to be gone, to anybody who can list the account.
What carries another form of name is none of ours, and nothing here touches it.
"""

import re
from datetime import UTC, datetime
from typing import Final, NamedTuple

PREFIX: Final = "pt-"
"""Every machine that podtune orders is called so."""

OWNER_VARIABLE: Final = "PODTUNE_OWNER"
"""Says in the environment of an endpoint or a template which installation made it: their names are people's
own."""

_FORM: Final = re.compile(
    r"pt-(?P<owner>[a-z0-9]{1,32})-(?P<job>[A-Za-z0-9][A-Za-z0-9._-]{0,99}?)"
    r"-(?P<attempt>[0-9]{1,6})(?:-x(?P<deadline>[0-9]{1,11}))?"
)


class MachineName(NamedTuple):
    """What a name says."""

    owner: str
    """The installation that ordered it."""
    job: str
    attempt: int
    deadline: datetime | None
    """When it has to be gone; None in names of workers on this machine."""


def parse(name: str) -> MachineName | None:
    """What a name says; None for one that has not our form.

    >>> parse("pt-abcd-job1-2-x1767312000").attempt
    2
    >>> parse("my-pod") is None
    True
    """
    found = _FORM.fullmatch(name)
    if found is None:
        return None
    deadline = found["deadline"]
    return MachineName(
        owner=found["owner"],
        job=found["job"],
        attempt=int(found["attempt"]),
        deadline=datetime.fromtimestamp(int(deadline), UTC) if deadline else None,
    )


def is_owned(name: str, owner: str) -> bool:
    """Whether a name carries this installation's owner, and not one that only begins like it."""
    return name.startswith(f"{PREFIX}{owner}-")
