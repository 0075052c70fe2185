"""Drivers of a job store, for tests that write as the workflow does. For tests only."""

from podtune.core.job import Job
from podtune.workflow.lease import Driver
from podtune.workflow.store import JobStore

ME = Driver("me", "owner123", "here")
"""Drives the jobs of `support.build`."""

OTHER = ME._replace(holder="other")

LONG_S = 1e7


def held(store: JobStore, job: Job, driver: Driver = ME) -> Job:
    """The job as a driver holds it that can reach it."""
    able = driver._replace(owner=job.owner, host=job.host or driver.host, account=job.account)
    store.hold(able, LONG_S)
    store.claim(able)
    return store.get(job.id)
