"""Why a job waits though there are drivers, as its owner reads it."""

from typing import Final

from podtune.workflow.lease import Driver
from podtune.workflow.shifts import Orphan

NO_KEY: Final = (
    "waits: RUNPOD_API_KEY is not set where podtune's driver runs; "
    "set it and run `podtune watch` once"
)

OTHER_KEY: Final = (
    "waits: RUNPOD_API_KEY or RUNPOD_REST_BASE_URL is not what the job was submitted with. A new key of the "
    "same account goes on with it once it shows the machine; else set them back and run `podtune watch` once, "
    "or `podtune cancel` it. Its machine ends itself at its deadline"
)


def of(orphan: Orphan, driver: Driver) -> str:
    """Why nobody drives a job, as its owner reads it."""
    if orphan.host not in (None, driver.host):
        return f"waits: it runs on {orphan.host}; run `podtune watch` there"
    return OTHER_KEY if driver.account else NO_KEY
