"""The unmodified runpod SDK's client, one call for each line of JSON on standard input.

desk.py ENDPOINT      {"run": INPUT} | {"status": ID} | {"cancel": ID} | {"output": ID}
"""

import json
import os
import sys

import runpod

runpod.api_key = os.environ["RUNPOD_API_KEY"]  # the SDK does not look there itself
endpoint = runpod.Endpoint(sys.argv[1])
jobs = {}


def answer(call):
    if "run" in call:
        job = endpoint.run(call["run"])
        jobs[job.job_id] = job
        return {"id": job.job_id}
    ((name, job_id),) = call.items()
    if name == "status":
        return endpoint.rp_client.get(f"{endpoint.endpoint_id}/status/{job_id}")
    if name == "cancel":
        return jobs[job_id].cancel()
    return jobs[job_id].output()


for line in sys.stdin:
    print(json.dumps(answer(json.loads(line))), flush=True)
