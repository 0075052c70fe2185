"""A registry of images on loopback: as much of the OCI distribution API as a push needs."""

import base64
import hashlib
import json
import re
import threading
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

USER = ("someone", "pa55-of-nobody")


class Registry:
    """Takes pushes; with `is_open=False` only from `USER`."""

    def __init__(self, *, is_open: bool = True) -> None:
        self.is_open = is_open
        self.blobs: dict[str, bytes] = {}
        self.manifests: dict[str, bytes] = {}
        self.uploads: dict[str, bytearray] = {}
        registry = self

        class Handler(_Handler):
            store = registry

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> "Registry":
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)

    def logins(self) -> str:
        """What `docker login` would write."""
        word = base64.b64encode(":".join(USER).encode()).decode()
        return json.dumps({"auths": {self.address: {"auth": word}}})

    def configuration(self) -> str:
        """What tells buildah that this one speaks plain http."""
        return f'[[registry]]\nlocation = "{self.address}"\ninsecure = true\n'


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    store: Registry

    def log_message(self, *_: object) -> None:
        """Quiet."""

    def _answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") == "chunked":
            whole = b""
            while size := int(self.rfile.readline().split(b";")[0], 16):
                whole += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return whole
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _any(self) -> None:
        body, path = self._body(), self.path.partition("?")[0]
        word = base64.b64encode(":".join(USER).encode()).decode()
        if not self.store.is_open and self.headers.get("Authorization") != f"Basic {word}":
            said = {"errors": [{"code": "UNAUTHORIZED", "message": "authentication required"}]}
            realm = 'Basic realm="registry"'
            self._answer(401, json.dumps(said).encode(), WWW_Authenticate=realm)
        elif path == "/v2/":
            self._answer(200, b"{}")
        elif found := re.fullmatch(r"/v2/(.+)/blobs/(sha256:\w+)", path):
            self._answer(200 if found[2] in self.store.blobs else 404)
        elif re.fullmatch(r"/v2/(.+)/blobs/uploads/", path):
            upload = str(uuid.uuid4())
            self.store.uploads[upload] = bytearray()
            self._answer(202, Location=f"{path}{upload}", Docker_Upload_UUID=upload)
        elif found := re.fullmatch(r"/v2/(.+)/blobs/uploads/(.+)", path):
            self._upload(found[2], path, body)
        elif found := re.fullmatch(r"/v2/(.+)/manifests/(.+)", path):
            self._manifest(found[2], body)
        else:
            self._answer(404)

    do_GET = do_HEAD = do_POST = do_PATCH = do_PUT = _any  # noqa: N815 - http.server's names

    def _upload(self, upload: str, path: str, body: bytes) -> None:
        content = self.store.uploads[upload]
        content += body
        if self.command == "PATCH":
            self._answer(202, Location=path, Range=f"0-{len(content) - 1}")
            return
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        assert digest.removeprefix("sha256:") in self.path
        self.store.blobs[digest] = bytes(content)
        self._answer(201, Docker_Content_Digest=digest)

    def _manifest(self, name: str, body: bytes) -> None:
        if self.command != "PUT":
            self._answer(404)
            return
        self.store.manifests[name] = body
        digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
        self._answer(201, Docker_Content_Digest=digest)
