"""What one look at an account of 5,000 pods costs: its answer decoded, and every pod in our words.

CPU seconds, the best of several; against the standard library's parser alone. Goal: 30 ms to decode.
"""

import json
import time
from datetime import UTC, datetime

import measure
import msgspec

from podtune.providers.runpod import listing, wire

PODS = 5000
RUNS = 7


def pod(number: int) -> dict[str, object]:
    """A pod as REST v2 shows it, with the environment that ours have."""
    return {
        "id": f"pod{number:011d}",
        "name": f"pt-abcdefgh-tickets-{number}-1-x1800000000",
        "status": "RUNNING",
        "actions": ["stop", "restart", "terminate"],
        "image": "runpod/pytorch:1.0.3-cu1281-torch291-ubuntu2404",
        "args": "x" * 200,
        "disk": 20,
        "mounts": {"persistent": {"size": 50, "path": "/workspace"}},
        "ports": ["8466/http"],
        "env": {f"PODTUNE_{i}": "0" * 32 for i in range(12)},
        "registry": None,
        "gpu": {"id": "NVIDIA A40", "count": 1},
        "cloud": "SECURE",
        "dataCenterId": "US-KS-2",
        "cudaVersion": "12.8",
        "ssh": {"proxy": None, "direct": None},
        "cost": 0.4,
        "locked": False,
        "runtime": {"uptime": 3600, "gpus": [{"util": 94, "memoryUtil": 78}], "ports": []},
        "createdAt": "2026-11-22T12:00:00Z",
        "startedAt": "2026-11-22T12:02:00Z",
    }


def best(work) -> float:
    """Least CPU seconds of one run, in milliseconds."""
    times = []
    for _ in range(RUNS):
        begun = time.process_time()
        work()
        times.append(time.process_time() - begun)
    return round(1000 * min(times), 1)


if __name__ == "__main__":
    body = msgspec.json.encode({"pods": [pod(i) for i in range(PODS)]})
    listed = msgspec.json.decode(body, type=wire.PodList)
    now = datetime.now(UTC)
    measure.write(
        "lists",
        {
            "pods": PODS,
            "answer_mb": round(len(body) / 1e6, 1),
            "decode_ms": best(lambda: msgspec.json.decode(body, type=wire.PodList)),
            "facts_ms": best(lambda: listing.listing(now, [listed])),
            "json_loads_ms": best(lambda: json.loads(body)),
        },
    )
