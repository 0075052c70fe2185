"""SIGTERM is heard beside whoever listens already."""

import asyncio
import os
import signal
import sys

import pytest

from serverless_farewell import Farewell

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's")


def test_the_sdks_handler_is_called_too_and_put_back():
    heard = []

    def sdk(number, frame):
        heard.append(number)

    before = signal.signal(signal.SIGTERM, sdk)
    try:

        async def job():
            with Farewell() as farewell:
                assert not farewell.heard.is_set()
                os.kill(os.getpid(), signal.SIGTERM)
                await asyncio.wait_for(farewell.heard.wait(), 5)

        asyncio.run(job())
        assert heard == [signal.SIGTERM]
        assert signal.getsignal(signal.SIGTERM) is sdk
    finally:
        signal.signal(signal.SIGTERM, before)


def test_outside_of_the_main_thread_it_is_deaf_and_harmless():
    async def job():
        with Farewell() as farewell:
            return farewell.heard.is_set()

    async def elsewhere():
        return await asyncio.to_thread(lambda: asyncio.run(job()))

    assert asyncio.run(elsewhere()) is False
