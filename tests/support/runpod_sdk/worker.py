"""A serverless worker on the unmodified runpod SDK. Run by the SDK's own environment, not by ours.

worker.py async|plain|generator
"""

import asyncio
import os
import signal
import sys
import time
from pathlib import Path

import runpod


async def answer(job):
    """Do what the input says, on the event loop as the SDK wants it."""
    given = job["input"]
    do = given.get("do", "echo")
    if do == "progress":
        for percent in (0, 50, 100):
            runpod.serverless.progress_update(job, {"progress": percent})
            await asyncio.sleep(0.4)
        return {"status": "completed", "progress": 100}
    if do == "sleep":
        try:
            await asyncio.sleep(given["seconds"])
        except asyncio.CancelledError:
            write(given["mark"], "heard")
            raise
    return plain(job)


def write(mark, word):
    """Leave a word for the test."""
    Path(mark).write_text(word)


def plain(job):
    """What needs no event loop."""
    given = job["input"]
    do = given.get("do", "echo")
    if do == "raise":
        raise ValueError("boom")
    if do == "error":
        return {"error": "no seed", "progress": 5}
    if do == "look":
        return {
            "names": sorted(os.environ),
            "is_volume": Path(os.environ["PODTUNE_RUNPOD_VOLUME"]).is_dir(),
        }
    if do == "nothing":
        return {}
    if do == "large":
        return {"blob": "x" * (11 * 2**20)}
    if do == "block":
        time.sleep(given["seconds"])
        write(given["mark"], "went on")
    if do == "die" and not Path(given["mark"]).exists():
        write(given["mark"], os.environ["RUNPOD_POD_ID"])
        os.kill(os.getpid(), signal.SIGKILL)
    return {"echo": given, "job": job["id"]}


async def steps(job):
    """Puts out one piece after the other."""
    for step in range(job["input"]["steps"]):
        await asyncio.sleep(0.2)
        yield {"step": step}


if __name__ == "__main__":
    handler = {"async": answer, "plain": plain, "generator": steps}[sys.argv.pop(1)]
    runpod.serverless.start({"handler": handler, "return_aggregate_stream": True})
