"""The client of a language model: bounded, and at home where it was sent."""

import asyncio

import httpx2
import pytest

from podtune.egress.model_client import MOST_BYTES, model_client
from support.chat_server import chat_server


def post(url):
    async def run():
        async with model_client(5) as client:
            return await client.post(url, json={})

    return asyncio.run(run())


def test_an_answer():
    with chat_server() as server:
        server.answer = b" " * MOST_BYTES
        assert len(post(server.url).content) == MOST_BYTES
        [(_, headers, _)] = server.seen
        assert headers["accept-encoding"] == "identity"


def test_one_that_is_too_long():
    with chat_server() as server:
        server.answer = b" " * (MOST_BYTES + 1)
        with pytest.raises(httpx2.ReadError, match="longer than"):
            post(server.url)


def test_a_redirect_is_an_answer():
    with chat_server() as server:
        server.status, server.location = 307, server.url
        assert post(server.url).status_code == 307
        assert len(server.seen) == 1
