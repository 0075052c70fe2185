"""A place that takes PUT requests at signed addresses, and refuses as it is told. For tests only."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class PutServer:
    """Keeps what was put; `refusals` are statuses for the next requests."""

    def __init__(self):
        server = self
        self.kept: dict[str, bytes] = {}
        self.headers: dict[str, dict[str, str]] = {}
        self.refusals: list[int] = []
        self.asked: list[str] = []

        class Handler(BaseHTTPRequestHandler):
            def do_PUT(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                server.asked.append(self.path)
                status = server.refusals.pop(0) if server.refusals else 200
                if status == 200:
                    server.kept[self.path] = body
                    server.headers[self.path] = {k.lower(): v for k, v in self.headers.items()}
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def do_GET(self):
                content = server.kept.get(self.path)
                self.send_response(404 if content is None else 200)
                self.send_header("Content-Length", str(len(content or b"")))
                self.end_headers()
                self.wfile.write(content or b"")

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def address(self, name):
        return {"url": f"{self.url}/{name}?signature=secret", "headers": {"x-upsert": "true"}}

    def close(self):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
