"""Waiting where a cancel may come."""

import asyncio

import pytest

from serverless_waiting import first, whole


def test_what_comes_first():
    async def both():
        event = asyncio.Event()
        assert await first(asyncio.sleep(0, "work"), event) == "work"
        event.set()
        return await first(asyncio.sleep(60, "work"), event)

    assert asyncio.run(both()) is None


def test_an_error_of_the_work_rises():
    async def fails():
        raise OSError("disk")

    async def waits():
        await first(fails(), asyncio.Event())

    with pytest.raises(OSError, match="disk"):
        asyncio.run(waits())


def test_work_is_done_whole_and_the_cancel_is_not_forgotten():
    done = []

    async def work():
        for _ in range(5):
            await asyncio.sleep(0.01)
        done.append(1)

    async def cancelled():
        task = asyncio.create_task(whole(work()))
        await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancelled())
    assert done == [1]


def test_without_a_cancel_it_gives_what_the_work_gives():
    async def work():
        return 3

    assert asyncio.run(whole(work())) == 3
