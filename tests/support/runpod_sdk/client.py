"""A client on the unmodified runpod SDK: does everything once and prints what it saw as JSON.

client.py FOLDER ASYNC_ENDPOINT PLAIN_ENDPOINT GENERATOR_ENDPOINT
"""

import asyncio
import json
import os
import sys
import time
from pathlib import Path

import runpod

runpod.api_key = os.environ["RUNPOD_API_KEY"]  # the SDK does not look there itself
folder = Path(sys.argv[1])
queue, plain, generator = (runpod.Endpoint(name) for name in sys.argv[2:5])
seen = {}


def raw(endpoint, job, name="status"):
    return endpoint.rp_client.get(f"{endpoint.endpoint_id}/{name}/{job.job_id}")


def wait(endpoint, job, *statuses, limit_s=60):
    end = time.monotonic() + limit_s
    while True:
        shown = raw(endpoint, job)
        if shown["status"] in (statuses or ("COMPLETED", "FAILED", "TIMED_OUT", "CANCELLED")):
            return shown
        if time.monotonic() > end:
            raise TimeoutError(f"{job.job_id} is still {shown}")
        time.sleep(0.1)


def submit(endpoint, body):
    """As any HTTP client would: the SDK has no way to say a policy, and wraps an empty input again."""
    answer = endpoint.rp_client.post(f"{endpoint.endpoint_id}/run", body)
    return runpod.endpoint.runner.Job(endpoint.endpoint_id, answer["id"], endpoint.rp_client)


def main():
    # all three endpoints begin to start their workers
    first = queue.run({"do": "echo", "x": 1})
    blocked_mark = folder / "blocked"
    blocked = plain.run({"do": "block", "seconds": 3, "mark": str(blocked_mark)})
    streamed = generator.run({"steps": 4})
    seen["new"] = raw(queue, first)
    seen["starting"] = queue.health()
    wait(queue, first, "COMPLETED", limit_s=90)
    seen["first"] = raw(queue, first)
    seen["output"] = first.output()
    empty = submit(queue, {"input": {}})

    one_call(queue)
    progress(queue)
    cancelled(queue)
    timed_out(queue)
    purged(queue)
    streams(streamed)
    plain_handler(blocked, blocked_mark)
    asyncio.run(async_client())
    seen["empty"] = wait(queue, empty)
    died(queue)
    seen["health"] = queue.health()
    seen["unauthorized"] = unauthorized()
    print(json.dumps(seen))


def one_call(endpoint):
    seen["sync"] = endpoint.run_sync({"do": "echo", "x": 2})
    for do in ("raise", "error", "nothing", "large", "look"):
        job = endpoint.run({"do": do})
        seen[do] = wait(endpoint, job)
    failed = endpoint.run({"do": "raise"})
    wait(endpoint, failed)
    seen["retried"] = endpoint.rp_client.post(f"{endpoint.endpoint_id}/retry/{failed.job_id}", None)
    seen["failed again"] = wait(endpoint, failed)


def progress(endpoint):
    job = endpoint.run({"do": "progress"})
    outputs = []
    while True:
        shown = raw(endpoint, job)
        if shown["status"] == "IN_PROGRESS" and shown.get("output") not in (None, *outputs):
            outputs.append(shown["output"])
        if shown["status"] == "COMPLETED":
            break
        time.sleep(0.05)
    seen["progress"] = {"outputs": outputs, "final": shown["output"]}


def cancelled(endpoint):
    mark = folder / "cancelled"
    job = endpoint.run({"do": "sleep", "seconds": 60, "mark": str(mark)})
    wait(endpoint, job, "IN_PROGRESS")
    # the SDK starts a job a moment after it took it, and cannot stop it before
    time.sleep(1)
    seen["cancel"] = job.cancel()
    after = endpoint.run({"do": "echo", "x": 3})
    seen["after cancel"] = wait(endpoint, after, limit_s=20)["status"]
    seen["heard"] = mark.read_text()
    seen["cancelled"] = raw(endpoint, job)


def timed_out(endpoint):
    mark = folder / "timed-out"
    given = {"do": "sleep", "seconds": 60, "mark": str(mark)}
    job = submit(endpoint, {"input": given, "policy": {"executionTimeout": 5000}})
    seen["timed out"] = wait(endpoint, job)
    end = time.monotonic() + 10
    while not mark.exists() and time.monotonic() < end:
        time.sleep(0.05)
    seen["heard time-out"] = mark.read_text()


def purged(endpoint):
    busy = endpoint.run({"do": "sleep", "seconds": 1, "mark": str(folder / "busy")})
    wait(endpoint, busy, "IN_PROGRESS")
    for _ in range(2):
        submit(endpoint, {"input": {"do": "echo"}, "policy": {"lowPriority": True}})
    seen["purged"] = endpoint.purge_queue()
    wait(endpoint, busy)


def streams(job):
    wait(generator, job, "COMPLETED", limit_s=90)
    seen["stream"] = list(job.stream())
    seen["aggregate"] = raw(generator, job)["output"]
    live = generator.run({"steps": 8})
    pieces = []
    for piece in live.stream():
        pieces.append((piece["step"], raw(generator, live)["status"]))
    seen["live stream"] = pieces


def plain_handler(job, mark):
    """A plain `def` handler blocks the event loop: a cancel is not heard until it returns."""
    wait(plain, job, "COMPLETED", limit_s=90)
    mark.unlink()
    job = plain.run({"do": "block", "seconds": 3, "mark": str(mark)})
    wait(plain, job, "IN_PROGRESS")
    time.sleep(1)
    job.cancel()
    after = plain.run({"do": "echo", "x": 4})
    wait(plain, after, limit_s=20)
    seen["plain"] = {"went_on": mark.exists(), "status": raw(plain, job)["status"]}
    seen["plain after"] = raw(plain, after)["output"]


async def async_client():
    async with runpod.http_client.AsyncClientSession() as session:
        endpoint = runpod.AsyncioEndpoint(queue.endpoint_id, session)
        job = await endpoint.run({"do": "echo", "x": 5})
        seen["asyncio"] = await job.output(timeout=30)


def died(endpoint):
    mark = folder / "died"
    job = endpoint.run({"do": "die", "mark": str(mark)})
    seen["died"] = wait(endpoint, job)
    seen["died on"] = mark.read_text()


def unauthorized():
    try:
        return runpod.Endpoint(queue.endpoint_id, api_key="wrong").health()
    except RuntimeError as error:
        return str(error)


main()
