"""What is said to the examples' edge functions, and what they are answered. For tests only."""

import json
import secrets
from datetime import UTC, datetime

from support.odd_server import response

SECRET = "whsec_cG9kdHVuZS10ZXN0LXNlY3JldC0wMTIzNDU2Nzg5"
NEXT_SECRET = "whsec_YW5vdGhlci1zZWNyZXQtb2YtcG9kdHVuZS0wMTIz"
CRON = "cron-key-0123456789abcdefghij"
CLUSTER_KEY = "ptk_application_0123456789abcdefghij"
METRICS = {
    "training_loss", "validation_loss", "learning_rate", "throughput", "gpu_utilization", "gradient_norm",
}  # fmt: skip
STATUS = {
    "status": "completed", "progress": 100.0, "current_epoch": 2, "current_step": 20,
    "stage": "uploading", "metrics": {"training_loss": 0.5}, "error_message": None, "job_id": "j",
    "adapter_path": "lora-models/adapters/job-j.tar.gz", "warnings": ["a"], "cost_usd": 0.1,
}  # fmt: skip


def running(supabase, job):
    """A row as it is while its training runs; the id that the cluster knows it by."""
    external = f"rows-{secrets.token_hex(4)}"
    supabase.change(job, status="running", external_job_id=external)
    return external


def message(external, *, at=None, kind="training.completed", **changes):
    """A callback's body."""
    data = {**STATUS, "external_job_id": external, **changes}
    told = {"type": kind, "timestamp": (at or datetime.now(UTC)).isoformat(), "data": data}
    return json.dumps(told)


def code(answer):
    """Status and code of an error."""
    return answer.status_code, answer.json()["error"]["code"]


def told(receiver, *answers):
    """What a receiver will answer, and what it was asked from here on."""
    receiver.turns[:] = list(answers)
    receiver.calls.clear()
    return receiver.calls


def submitted(external):
    """A cluster's answer to a submit."""
    return response(200, json.dumps({"external_job_id": external}).encode())


def refusal(status, name="some_code", **headers):
    """A cluster's error."""
    body = {"error": {"code": name, "message": "their words", "hint": "their hint", "context": {}}}
    return response(status, json.dumps(body).encode(), **headers)
