"""What a serverless endpoint is sent for an attempt: where its bundle is, where everything goes, and until when.

The input is specification B's request with a bundle in the place of a data set: the plan that was approved is
what the worker trains. RunPod keeps inputs, so no key stands in one; the addresses in it each serve one object
until the job's time is over.
"""

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, ValidationError

from podtune.core.errors import ProviderError
from podtune.core.handover import BundleByHttps, DeliverByPut
from podtune.core.job import Job
from podtune.core.limits import Limits
from podtune.core.spec import ModelSource
from podtune.providers.base import QueuedWork
from podtune.storage.bundle import plain_name
from podtune.storage.places import MarkedStore, StoreKey
from podtune.workflow.rental import queue_time, running_time

LIFE_MARGIN: Final = timedelta(minutes=5)
"""Of a job's life at RunPod over its longest wait and run: one that is about to end is not deleted. Chosen."""


class Begun(BaseModel):
    """The mark of a worker that begins (`places.BEGUN`)."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    external_job_id: str
    """RunPod's id of the job."""


def begun(mark: bytes | None) -> Begun | None:
    """Who has begun, by a mark, which is data from elsewhere; None for none that can be read."""
    if mark is None:
        return None
    try:
        return Begun.model_validate_json(mark)
    except ValidationError:
        return None


def work(job: Job, bundle: BundleByHttps, store: MarkedStore, limits: Limits) -> QueuedWork:
    """The job for the endpoint's queue.

    Raises:
        ProviderError: the job has no intent, or names no endpoint.
        PodtuneError: the store signs no addresses.
    """
    endpoint = job.plan.spec.where.endpoint
    if job.intent_at is None or job.deadline is None or endpoint is None:
        raise ProviderError(f"job {job.id!r} intends nothing", code="launch_failed")
    runs = running_time(job, limits)
    waits = queue_time(job, limits)
    return QueuedWork(
        endpoint=endpoint,
        given=given(job, bundle, store, limits, job.deadline),
        run_s=int(runs.total_seconds()),
        life_s=int((runs + waits + LIFE_MARGIN).total_seconds()),
    )


def model_name(job: Job) -> str:
    """The base model in the request's words; one that is a folder here comes with the bundle."""
    base = job.plan.spec.base_model
    if base.source is ModelSource.PATH:
        return f"local/{plain_name(Path(base.name).name)}"
    return base.name


def given(
    job: Job, bundle: BundleByHttps, store: MarkedStore, limits: Limits, deadline: datetime
) -> dict[str, object]:
    """The worker's input; see `runpod-worker/serverless_order.py`."""
    key = StoreKey(job.id, job.attempt)
    ticket = store.ticket(key, deadline)
    if not isinstance(ticket, DeliverByPut):
        raise ProviderError("the job's store takes nothing by an address", code="launch_failed")
    upload = json.loads(ticket.model_dump_json())
    upload["begun"] = json.loads(store.marking(key, deadline).model_dump_json())
    begin_by = (job.intent_at or deadline) + queue_time(job, limits)
    saves_s = running_time(job, limits).total_seconds() - limits.upload_reserve_s
    return {
        "job_id": job.id,
        "dataset_url": bundle.url.get_secret_value(),
        "hyperparameters": {"base_model": model_name(job)},
        "max_hours": saves_s / 3600,
        "attempt": job.attempt,
        "begin_by": int(begin_by.timestamp()),
        "deadline": int(deadline.timestamp()),
        "bundle": {"sha256": bundle.sha256, "bytes": bundle.bytes, "plan": job.plan.digest},
        "upload": upload,
    }
