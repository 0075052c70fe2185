"""Pools of threads for work that takes long."""

import threading

import anyio

from podtune.gateway.limits import Pool
from podtune.gateway.openai import fine_tuning
from support.waiting import until


def test_a_pool_has_one_bound_for_each_event_loop():
    pool = Pool("podtune.test.limits", 3)

    async def seen():
        assert pool.limiter is pool.limiter
        return pool.limiter

    first, second = anyio.run(seen), anyio.run(seen)
    assert first is not second
    assert first.total_tokens == 3


def test_resumes_that_wait_leave_room_for_everybody_else(gateway, client, job, monkeypatch):
    begun, go_on = [], threading.Event()

    def waits(desk, found):
        begun.append(found.id)
        go_on.wait(20)
        return found

    monkeypatch.setattr(fine_tuning, "_stopped", waits)

    def resume():
        with gateway.client() as own:
            own.post(f"/v1/fine_tuning/jobs/{job.id}/resume")

    threads = [threading.Thread(target=resume) for _ in range(50)]
    for thread in threads:
        thread.start()
    try:
        until(lambda: len(begun) == 8, "all places of the pool are taken")
        assert client.get("/training/jobs").status_code == 200
    finally:
        go_on.set()
        for thread in threads:
            thread.join()
