"""A serverless worker on the unmodified runpod SDK that reports as a training does, and trains nothing."""

import asyncio

import runpod

METRICS = {
    "training_loss": 1.5,
    "validation_loss": None,
    "learning_rate": 0.0002,
    "throughput": 100.0,
    "gpu_utilization": None,
    "gradient_norm": 0.5,
}


def status(progress, **changes):
    """The status object of specification B."""
    return {
        "status": "running",
        "progress": progress,
        "current_epoch": 0,
        "current_step": int(progress),
        "stage": "training",
        "metrics": METRICS,
        "error_message": None,
        **changes,
    }


async def handler(job):
    """Some updates, some seconds apart, then the result of a completed job."""
    for percent in (0, 40, 80):
        runpod.serverless.progress_update(job, status(percent))
        await asyncio.sleep(2.5)
    path = f"lora-models/adapters/job-{job['input']['job_id']}.tar.gz"
    return status(100, status="completed", stage="uploading", adapter_path=path)


runpod.serverless.start({"handler": handler})
