"""A stand-in for Supabase Storage on loopback, answering as the real server was seen to.

Knows nothing of podtune. Refusals are HTTP 400 with the real status as text in the body. Signed
addresses are HS256 tokens that run out by the server's clock; uploads of over 6 MB go by TUS.
"""

import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlsplit

SERVICE_KEY = "eyJhbGciOi.service-role-planted.key"
ANON_KEY = "eyJhbGciOi.anon.key"
CHUNK = 6 * 1024 * 1024
_SECRET = b"jwt secret of the stand-in"


class SupabaseServer:
    """Serves until closed; use as a context manager."""

    def __init__(
        self,
        *,
        buckets: dict[str, bool] | None = None,
        limit: int | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        """Start serving.

        Args:
            buckets: Name -> whether it is public.
            limit: Largest object in bytes.
            now: Unix time, for tokens.
        """
        self.buckets = dict(buckets if buckets is not None else {"lora-models": False})
        self.limit, self.now = limit, now
        self.objects: dict[tuple[str, str], tuple[bytes, str]] = {}
        self.uploads: dict[str, dict[str, Any]] = {}
        self.requests: list[tuple[str, str]] = []
        self.faults: list[str] = []
        """For the next PATCH requests: `reset` breaks off, `lose` stores and then breaks off."""
        server = self

        class Handler(_Handler):
            server_of = server

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def token(self, place: str, lives_s: int, purpose: str) -> str:
        """A token that opens one object for a while."""
        claims = {"url": place, "exp": int(self.now()) + lives_s, "for": purpose}
        body = _coded(b'{"alg":"HS256"}') + "." + _coded(json.dumps(claims).encode())
        return f"{body}.{_coded(hmac.digest(_SECRET, body.encode(), hashlib.sha256))}"

    def refusal(self, token: str, place: str, purpose: str) -> str | None:
        """Why a token does not open an object; None when it does."""
        body, _, signature = token.rpartition(".")
        if signature != _coded(hmac.digest(_SECRET, body.encode(), hashlib.sha256)):
            return "signature verification failed"
        padded = body.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(padded + "=" * (-len(padded) % 4)))
        if claims["exp"] <= self.now():
            return '"exp" claim timestamp check failed'
        if claims["url"] != place or claims["for"] != purpose:
            return "signature verification failed"
        return None


def _coded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


class _Handler(BaseHTTPRequestHandler):
    """One request; `server_of` is set by the server."""

    server_of: SupabaseServer
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing is printed."""

    def do_GET(self) -> None:
        self._route()

    def do_HEAD(self) -> None:
        self._route()

    def do_POST(self) -> None:
        self._route()

    def do_PUT(self) -> None:
        self._route()

    def do_PATCH(self) -> None:
        self._route()

    def do_DELETE(self) -> None:
        self._route()

    def _route(self) -> None:
        supabase = self.server_of
        parts = urlsplit(self.path)
        path = unquote(parts.path)
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        supabase.requests.append((self.command, path))
        if not path.startswith("/storage/v1/"):
            self._refuse(404, "not_found", "no such page")
            return
        path = path.removeprefix("/storage/v1")
        token = parse_qs(parts.query).get("token", [""])[0]
        if token and path.startswith(("/object/sign/", "/object/upload/sign/")):
            self._signed(path, token)
            return
        if self.headers.get("Authorization") != f"Bearer {SERVICE_KEY}":
            anon = self.headers.get("Authorization") == f"Bearer {ANON_KEY}"
            if anon and self.command == "GET":
                self._refuse(404, "not_found", "Object not found")
            elif anon:
                self._refuse(403, "Unauthorized", "new row violates row-level security policy")
            else:
                self._refuse(403, "Unauthorized", "signature verification failed")
            return
        if path.startswith("/bucket"):
            self._bucket(path.removeprefix("/bucket").strip("/"))
        elif path.startswith("/upload/resumable"):
            self._resumable(path.removeprefix("/upload/resumable").strip("/"))
        elif path.startswith(("/object/sign/", "/object/upload/sign/")):
            self._sign(path)
        else:
            self._object(path.removeprefix("/object/"))

    def _bucket(self, name: str) -> None:
        supabase = self.server_of
        if self.command == "POST":
            asked = json.loads(self.body)
            if asked["id"] in supabase.buckets:
                self._refuse(409, "Duplicate", "The resource already exists")
                return
            supabase.buckets[asked["id"]] = bool(asked.get("public"))
            self._json({"name": asked["id"]})
        elif name in supabase.buckets:
            self._json({"id": name, "name": name, "public": supabase.buckets[name]})
        else:
            self._refuse(404, "Bucket not found", "Bucket not found")

    def _object(self, place: str) -> None:
        supabase = self.server_of
        bucket, _, path = place.partition("/")
        if bucket not in supabase.buckets:
            self._refuse(404, "Bucket not found", "Bucket not found")
        elif self.command == "DELETE":
            gone = [p for p in json.loads(self.body)["prefixes"] if (bucket, p) in supabase.objects]
            for one in gone:
                del supabase.objects[bucket, one]
            self._json([{"name": one} for one in gone])
        elif self.command in ("GET", "HEAD"):
            self._hand_out(bucket, path)
        else:
            self._take(bucket, path)

    def _take(self, bucket: str, path: str) -> None:
        supabase = self.server_of
        upsert = self.headers.get("x-upsert") == "true" or self.command == "PUT"
        if supabase.limit is not None and len(self.body) > supabase.limit:
            self._refuse(413, "Payload too large", "The object exceeded the maximum allowed size")
        elif (bucket, path) in supabase.objects and not upsert:
            self._refuse(409, "Duplicate", "The resource already exists")
        else:
            kind = self.headers.get("Content-Type") or "text/plain"
            supabase.objects[bucket, path] = (self.body, kind)
            self._json({"Key": f"{bucket}/{path}", "Id": "1"})

    def _hand_out(self, bucket: str, path: str) -> None:
        found = self.server_of.objects.get((bucket, path))
        if found is None:
            self._refuse(404, "not_found", "Object not found")
            return
        content, kind = found
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def _sign(self, path: str) -> None:
        upload = path.startswith("/object/upload/sign/")
        place = path.removeprefix("/object/upload/sign/" if upload else "/object/sign/")
        bucket, _, name = place.partition("/")
        if bucket not in self.server_of.buckets:
            self._refuse(404, "Bucket not found", "Bucket not found")
        elif upload:
            token = self.server_of.token(place, 7200, "upload")
            self._json({"url": f"{path}?token={token}", "token": token})
        elif (bucket, name) not in self.server_of.objects:
            self._refuse(404, "not_found", "Object not found")
        else:
            lives = json.loads(self.body)["expiresIn"]
            self._json({"signedURL": f"{path}?token={self.server_of.token(place, lives, 'read')}"})

    def _signed(self, path: str, token: str) -> None:
        upload = path.startswith("/object/upload/sign/")
        place = path.removeprefix("/object/upload/sign/" if upload else "/object/sign/")
        why = self.server_of.refusal(token, place, "upload" if upload else "read")
        bucket, _, name = place.partition("/")
        if why:
            self._refuse(400, "InvalidJWT", why)
        elif upload:
            self._take(bucket, name)
        else:
            self._hand_out(bucket, name)

    def _resumable(self, upload: str) -> None:
        if self.command == "POST":
            self._begin()
            return
        found = self.server_of.uploads.get(upload)
        if found is None:
            self._plain(404, {}, b"The file for this url was not found\n")
        elif self.command == "HEAD":
            self._plain(200, {"Upload-Offset": str(len(found["content"]))})
        else:
            self._piece(found)

    def _begin(self) -> None:
        supabase = self.server_of
        length = int(self.headers["Upload-Length"])
        if supabase.limit is not None and length > supabase.limit:
            self._plain(413, {}, b"Maximum size exceeded\n")
            return
        words = dict(w.split(" ", 1) for w in self.headers["Upload-Metadata"].split(","))
        told = {name: base64.b64decode(value).decode() for name, value in words.items()}
        if told["bucketName"] not in supabase.buckets:
            self._plain(404, {}, b"Bucket not found")
            return
        name = hashlib.sha256(repr(sorted(told.items())).encode()).hexdigest()
        supabase.uploads[name] = {"content": b"", "length": length, **told}
        # Behind a proxy the real server names https and leaves its own prefix out.
        location = f"https://internal:5000/upload/resumable/{name}"
        self._plain(201, {"Location": location, "Upload-Offset": "0"})

    def _piece(self, found: dict[str, Any]) -> None:
        supabase = self.server_of
        fault = supabase.faults.pop(0) if supabase.faults else None
        if fault == "reset":
            self.connection.close()
            self.close_connection = True
            return
        have, left = len(found["content"]), found["length"] - len(found["content"])
        if int(self.headers["Upload-Offset"]) != have:
            self._plain(409, {}, b"Upload-Offset conflict\n")
            return
        assert len(self.body) == min(CHUNK, left)
        found["content"] += self.body
        if len(found["content"]) == found["length"]:
            place = (found["bucketName"], found["objectName"])
            supabase.objects[place] = (found["content"], found["contentType"])
        if fault == "lose":
            self.connection.close()
            self.close_connection = True
            return
        self._plain(204, {"Upload-Offset": str(len(found["content"]))})

    def _plain(self, status: int, headers: dict[str, str], content: bytes = b"") -> None:
        self.send_response(status)
        self.send_header("Tus-Resumable", "1.0.0")
        for name, value in headers.items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def _refuse(self, status: int, error: str, message: str) -> None:
        self._json({"statusCode": str(status), "error": error, "message": message}, 400)

    def _json(self, value: object, status: int = 200) -> None:
        content = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)
