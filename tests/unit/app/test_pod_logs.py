"""The provider's log, read now and then, and never a reason to fail."""

import json
from datetime import timedelta

import httpx2
import pytest
from pydantic import SecretStr

from podtune.app.pod_logs import EVERY_S, SHOWN, PodLogs, shown
from podtune.providers.runpod.access import RunPodAccess
from podtune.providers.runpod.client import RunPodClient
from support import build
from support.runpod_account import KEY, Time


class Bench:
    def __init__(self):
        self.now = build.NOW
        self.requests = []
        self.status = 200
        self.lines = [("1", "pulling image"), ("2", "start container")]
        time = Time()
        self.client = RunPodClient(
            RunPodAccess(SecretStr(KEY)),
            transport=httpx2.MockTransport(self.answer),
            sleep=time.sleep,
            clock=time.monotonic,
        )
        self.logs = PodLogs(self.client, lambda: self.now)

    def answer(self, request):
        self.requests.append(request)
        data = "".join(
            f"id: {n}\ndata: {json.dumps({'source': 'system', 'line': text, 'ts': 't'})}\n\n"
            for n, text in self.lines
        )
        return httpx2.Response(self.status, content=data.encode())


def test_a_log_goes_on_where_it_was_left_and_is_not_asked_too_often():
    bench = Bench()
    assert [line.line for line in bench.logs.new("pod1", "system")] == [
        "pulling image",
        "start container",
    ]
    assert not bench.logs.is_due("pod1", "system")
    assert bench.logs.new("pod1", "system") == ()
    bench.now += timedelta(seconds=EVERY_S)
    bench.logs.new("pod1", "system")
    assert bench.requests[-1].headers["last-event-id"] == "2"
    assert len(bench.requests) == 2
    assert bench.logs.new("pod1", "container"), "each source for itself"


@pytest.mark.parametrize("status", [404, 500])
def test_a_log_that_cannot_be_read_has_no_lines(status):
    bench = Bench()
    bench.status = status
    assert list(bench.logs.new("pod1", "system")) == []


def test_a_line_is_shown_without_keys_and_control_characters():
    assert shown("pull\x1b[2J  with hf_abcdefghijkl") == "pull [2J with ***"
    assert len(shown("x" * 500)) == SHOWN
