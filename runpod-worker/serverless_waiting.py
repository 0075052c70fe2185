"""Waiting in an event loop where a cancel may come at any moment. Knows nothing of jobs."""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

T = TypeVar("T")


async def first(work: Awaitable[T], event: asyncio.Event) -> T | None:
    """What work gives; None where the event comes first, and the work is ended."""
    job = asyncio.ensure_future(work)
    waiting = asyncio.ensure_future(event.wait())
    try:
        await asyncio.wait((job, waiting), return_when=asyncio.FIRST_COMPLETED)
        return job.result() if job.done() else None
    finally:
        for task in (job, waiting):
            task.cancel()


async def whole(work: Awaitable[T]) -> T:
    """Work that is done whole, however often its task is cancelled meanwhile."""
    task = asyncio.ensure_future(work)
    cancelled = False
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.cancelled():
                raise
            cancelled = True
    if cancelled:
        raise asyncio.CancelledError
    return task.result()
