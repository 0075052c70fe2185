"""What is ordered for an attempt: the machine, what anybody may read of it, and what nobody may.

A machine's environment can be read back by whoever may read the account. So it names limits and the
sum of a token; the token, the key of the events and the Hub's token go over the machine's own port.
Token and key follow from this installation's signing key: any driver of this home has them, and they
are stored nowhere.
"""

from collections.abc import Mapping
from datetime import datetime
from decimal import ROUND_DOWN, Decimal
from pathlib import Path
from typing import Final

from pydantic import SecretStr

from podtune.app.installation import signing_key
from podtune.core.errors import ProviderError
from podtune.core.handover import PORT, pod_environment
from podtune.core.job import Job
from podtune.core.limits import Limits
from podtune.core.spec import ModelSource
from podtune.providers.base import LaunchRequest, Machine
from podtune.providers.runpod import command, images
from podtune.storage.bootstrap_program import bootstrap_program
from podtune.workflow.rental import offer_of

MOUNT: Final = "/workspace"
"""Where a pod's own volume is, and a network volume on a pod (runpod.md 0.10)."""


def token(home: Path, job: Job) -> SecretStr:
    """The attempt's token: opens its machine's port."""
    return SecretStr(signing_key(home).derive(f"port of {job.instance_name}"))


def event_key(home: Path, job: Job) -> SecretStr:
    """The attempt's key: its machine signs events with it."""
    return SecretStr(signing_key(home).derive(f"events of {job.instance_name}"))


def request(home: Path, folder: Path, job: Job, limits: Limits) -> LaunchRequest:
    """The order of an attempt's machine.

    Raises:
        ProviderError: the job has no intent.
    """
    if job.instance_name is None or job.intent_at is None or job.deadline is None:
        raise ProviderError(f"job {job.id!r} intends no machine", code="launch_failed")
    figures = _figures(job, job.intent_at, job.deadline, limits)
    told = pod_environment(
        job=job.id,
        attempt=job.attempt,
        token=token(home, job).get_secret_value(),
        figures=figures,
    )
    return LaunchRequest(job.instance_name, folder, told, machine(job))


def machine(job: Job) -> Machine:
    """The machine of the rung that is tried."""
    where, image = job.plan.spec.where, images.resolve(job.plan.spec.where.image)
    return Machine(
        offer=offer_of(job),
        image=image,
        command=command.python_command(bootstrap_program()),
        http_ports=(PORT,),
        disk_gb=where.disk_gb,
        volume_gb=0 if where.volume else where.volume_gb,
        mount_path=MOUNT,
        volume=where.volume,
        region=where.region or (offer_of(job).regions[0] if where.volume else None),
        registry=where.registry_auth,
        min_cuda=images.min_cuda(image),
        ssh=where.keep_on_failure_min > 0,
    )


def secrets(job: Job, hub_token: SecretStr | None) -> dict[str, SecretStr]:
    """What the worker is handed beside its work: the machines' own Hub token, where the Hub is used."""
    spec = job.plan.spec
    uses_hub = spec.base_model.source is ModelSource.HUB or spec.deliver.store == "hf"
    return {"HF_TOKEN": hub_token} if hub_token and uses_hub else {}


def _figures(
    job: Job, intent_at: datetime, deadline: datetime, limits: Limits
) -> Mapping[str, object]:
    """The limits the machine keeps by itself.

    What it may cost is its hours' worth: the deadline was set so that this is never more than is left
    of the ceiling.
    """
    hourly = offer_of(job).hourly
    hours = Decimal(str((deadline - intent_at).total_seconds())) / 3600
    return {
        "DEADLINE": int(deadline.timestamp()),
        "STARTED": int(intent_at.timestamp()),
        "MAX_USD": (hourly * hours).quantize(Decimal("0.000001"), rounding=ROUND_DOWN),
        "USD_PER_HOUR": hourly,
        "BOOT_LIMIT_S": limits.boot_limit_s,
        "SILENCE_LIMIT_S": limits.silence_limit_s,
        "UPLOAD_RESERVE_S": limits.upload_reserve_s,
        "KEEP_ON_FAILURE_S": job.plan.spec.where.keep_on_failure_min * 60,
    }
