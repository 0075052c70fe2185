"""An endpoint shaped as OpenAI's and Anthropic's are, on loopback, that answers as a test wants it to."""

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class ChatServer:
    """What it was asked, and what it answers.

    `answer` is text for the model's message; or raw bytes for the whole body; or a status; `hangs` never answers.
    """

    def __init__(self, port):
        self.url = f"http://127.0.0.1:{port}/v1"
        self.root = f"http://127.0.0.1:{port}"
        self.seen = []
        self.answer = json.dumps({"fields": []})
        self.status = 200
        self.location = None
        self.hangs = False
        self.released = threading.Event()

    def says(self, *fields):
        """Propose (field, value, quote) triples."""
        named = [dict(zip(("field", "value", "quote"), each, strict=True)) for each in fields]
        self.answer = json.dumps({"fields": named})


@contextmanager
def chat_server():
    """One while the block lasts."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            mine.seen.append(
                (
                    self.path,
                    {k.lower(): v for k, v in self.headers.items()},
                    json.loads(body or b"{}"),
                )
            )
            if mine.hangs:
                mine.released.wait(30)
                return
            made = _body(mine.answer, self.path)
            self.send_response(mine.status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(made)))
            if mine.location:
                self.send_header("location", mine.location)
            self.end_headers()
            self.wfile.write(made)

        do_GET = do_POST  # noqa: N815 - the base class's name

        def log_message(self, format, *arguments):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    mine = ChatServer(server.server_port)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield mine
    finally:
        mine.released.set()
        server.shutdown()
        thread.join()
        server.server_close()


def _body(answer, path):
    if isinstance(answer, bytes):
        return answer
    if path.endswith("/messages"):
        made = {
            "id": "m1", "type": "message", "role": "assistant", "model": "m", "stop_reason": "end_turn", "stop_sequence": None,
            "content": [{"type": "text", "text": answer}], "usage": {"input_tokens": 1, "output_tokens": 1},
        }  # fmt: skip
    else:
        message = {"role": "assistant", "content": answer}
        made = {
            "id": "c1", "object": "chat.completion", "created": 1, "model": "m", "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
            "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
        }  # fmt: skip
    return json.dumps(made).encode()
