import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import msgspec
import pytest

from podtune.testing.serverless.queues import ServerlessOptions
from podtune.testing.serverless.webhooks import is_loopback, post_in_background
from support.serverless import ServerlessDesk

HOOK = "http://127.0.0.1:9/done"


def finished(desk, **fields):
    job_id = desk.run(webhook=HOOK, **fields)
    desk.take("w1")
    desk.done(job_id, {"output": {"y": 1}})
    desk.advance(0)
    return job_id


def test_the_whole_job_is_sent_with_its_input():
    desk = ServerlessDesk()
    job_id = finished(desk, given={"x": 1})
    ((_, url, body),) = desk.posted
    assert url == HOOK
    assert body == {**desk.status(job_id), "input": {"x": 1}, "webhook": HOOK}
    assert body["status"] == "COMPLETED"


def test_a_webhook_that_fails_is_called_three_times():
    desk = ServerlessDesk()
    desk.post_answers = [False] * 5
    begun = desk.now
    job_id = finished(desk)
    for _ in range(60):
        desk.advance(1)
    assert [(at - begun).total_seconds() for at, _, _ in desk.posted] == [0, 5, 20]
    assert desk.status(job_id)["status"] == "COMPLETED"


def test_a_webhook_that_answers_is_called_once():
    desk = ServerlessDesk()
    desk.post_answers = [False, True]
    finished(desk)
    for _ in range(60):
        desk.advance(1)
    assert len(desk.posted) == 2


def test_other_machines_are_not_called_unless_allowed():
    for is_open, calls in [(False, 0), (True, 1)]:
        desk = ServerlessDesk(options=ServerlessOptions(is_webhook_open=is_open))
        job_id = desk.run(webhook="https://example.org/hook")
        desk.take("w1")
        desk.done(job_id, {"output": 1})
        desk.advance(0)
        assert len(desk.posted) == calls


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://localhost:1/x", True),
        ("http://127.8.9.1/x", True),
        ("http://[::1]:80/x", True),
        ("https://127.0.0.1/x", True),
        ("http://127.0.0.1.example.org/", False),
        ("http://10.0.0.1/", False),
        ("ftp://127.0.0.1/", False),
        ("http://[::1", False),
        ("", False),
    ],
)
def test_what_is_this_machine(url, expected):
    assert is_loopback(url) is expected


class Hook(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.seen.append((dict(self.headers), msgspec.json.decode(body)))
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.mark.parametrize(("status", "is_taken"), [(200, True), (204, True), (500, False)])
def test_a_real_call_looks_like_the_platforms(status, is_taken):
    heard = threading.Event()
    answers = []
    with HTTPServer(("127.0.0.1", 0), Hook) as server:
        server.seen, server.status = [], status
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        post = post_in_background(threading.RLock())
        url = f"http://127.0.0.1:{server.server_port}/hook"
        post(url, b'{"id":"a"}', lambda ok: (answers.append(ok), heard.set()))
        assert heard.wait(10)
        thread.join()
    assert answers == [is_taken]
    ((headers, body),) = server.seen
    assert body == {"id": "a"}
    assert {k.lower(): v for k, v in headers.items()}["user-agent"] == "Go-http-client/2.0"


def test_nobody_there_is_a_failed_call():
    heard = threading.Event()
    answers = []
    post = post_in_background(threading.RLock())
    post("http://127.0.0.1:9/hook", b"{}", lambda ok: (answers.append(ok), heard.set()))
    assert heard.wait(20)
    assert answers == [False]
