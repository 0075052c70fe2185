"""RunPod's serverless handler: a job in, the documented status object out.

    python -u handler.py

`handler` is async, so that a cancel or a time-out of the platform is heard while a training runs; the
training itself is a process of its own. Importing this module imports neither torch nor the SDK. It is
the one file of the worker that reads the environment.
"""

import logging
import os
import secrets
import sys
import time
from functools import cache
from typing import Any

import leash
import serverless_places
from serverless_worker import Worker

LOG_FORMAT = "%(asctime)s.%(msecs)03dZ %(levelname)s %(message)s"


@cache
def worker() -> Worker:
    """This process's worker, made of its environment when the first job comes."""
    import serverless_cleaning
    import serverless_sender

    environment = dict(os.environ)  # noqa: TID251 - the one place
    return Worker(
        places=serverless_places.of(environment),
        environment=environment,
        worker_id=environment.get("RUNPOD_POD_ID") or f"local-{os.getpid()}",
        process=secrets.token_hex(8),
        update=serverless_sender.platform_update(),
        keep_days=serverless_cleaning.keep_days(environment),
    )


async def handler(job: dict[str, Any]) -> dict[str, Any]:
    """Train what a job asks for.

    Args:
        job: `id`, and `input` in the form of specification B.

    Returns:
        `{status, progress, current_epoch, current_step, stage, metrics, error_message, ...}`; of a
        completed job with `adapter_path`, of a failed one with `error_code`, `advice` and `error`.
    """
    return await worker().run(job)


def log_to_stderr() -> None:
    """Our own lines, with the time in UTC."""
    output = logging.StreamHandler(sys.stderr)
    formatter = logging.Formatter(LOG_FORMAT, "%Y-%m-%dT%H:%M:%S")
    formatter.converter = time.gmtime
    output.setFormatter(formatter)
    log = logging.getLogger("podtune.worker")
    log.addHandler(output)
    log.setLevel(logging.INFO)
    log.propagate = False


def main() -> None:
    """Take jobs until the platform ends this worker."""
    # By default the SDK prints every result and every input (runpod 1.12.0, measured).
    os.environ.setdefault("RUNPOD_LOG_LEVEL", "INFO")  # noqa: TID251
    leash.hold_forks()
    log_to_stderr()
    import runpod

    runpod.serverless.start({"handler": handler})


if __name__ == "__main__":
    main()
