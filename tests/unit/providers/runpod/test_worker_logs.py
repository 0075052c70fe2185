import json

import httpx2

from podtune.providers.runpod import endpoints
from podtune.providers.runpod.worker_logs import LINES, last_words
from support.runpod_account import Account, client, problem
from support.serverless_site import Site


def frame(line, source):
    return f"id: 2026-06-01T12:02:00Z\ndata: {json.dumps({'source': source, 'line': line, 'ts': ''})}\n\n".encode()


def account(*workers):
    seen = Account()
    listed = [
        {"id": name, "status": status, "gpuCount": 1, "isStale": False} for name, status in workers
    ]
    seen.answer("GET /v2/serverless/e1/workers", httpx2.Response(200, json={"workers": listed}))
    return seen


def logs(seen, worker, *answers):
    seen.answer(f"GET /v2/serverless/e1/workers/{worker}/logs", *answers)


def log(*lines, source="container"):
    return httpx2.Response(200, content=iter([frame(line, source) for line in lines]))


def test_who_fails_is_heard_first():
    seen = account(
        ("w1", "RUNNING"), ("w2", "THROTTLED"), ("w3", "UNHEALTHY"), ("w4", "INITIALIZING")
    )
    logs(seen, "w3", log(*(f"line {n}" for n in range(20))))
    logs(seen, "w4", log(), log("pulling", source="system"))
    found = last_words(client(seen), "e1")
    assert [(said.worker, said.status) for said in found] == [
        ("w3", "UNHEALTHY"),
        ("w4", "INITIALIZING"),
    ]
    assert found[0].lines == tuple(f"line {n}" for n in range(20 - LINES, 20))
    assert found[1].lines == ("pulling",)
    asked = [dict(r.url.params) for r in seen.requests if r.url.path.endswith("/logs")]
    assert [one["source"] for one in asked] == ["container", "container", "system"]
    assert {one["tail"] for one in asked} == {str(LINES)}


def test_what_cannot_be_read_is_nothing():
    seen = Account()
    seen.answer("GET /v2/serverless/e1/workers", problem(403, "no"))
    assert last_words(client(seen), "e1") == ()
    seen = account(("w1", "UNHEALTHY"), ("../x", "UNHEALTHY"))
    logs(seen, "w1", problem(404, "worker not found"))
    assert last_words(client(seen), "e1") == ()
    assert last_words(client(seen), "../e") == ()


def test_the_stand_in_clouds_workers_are_heard():
    site = Site()
    site.deploy()
    site.cloud.executor.poll = lambda _: 1
    said = ["ModuleNotFoundError"]
    site.cloud.executor.lines = lambda _: [said.pop()] if said else []
    (endpoint,) = endpoints.listed(site.client)
    site.ask("POST", f"/ai/v2/{endpoint.id}/run", {"input": {"a": 1}})
    for _ in range(20):
        site.pause(10)
    (said,) = last_words(site.client, endpoint.id, clock=site.seconds)
    assert said.lines[-1] == "ModuleNotFoundError"
