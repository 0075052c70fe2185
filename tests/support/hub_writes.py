"""The stand-in Hub with accounts, and with the calls by which huggingface_hub 2.4 writes.

Knows nothing of podtune. Recorded calls: whoami-v2, repos/create with `visibility`, settings,
preupload, LFS batch with PUT and verify, commit as lines of JSON, repos/delete. Large files are
handed out by a redirect to another host (`localhost`), as the real Hub does; `xet` says what becomes
of the newer way of uploading, which the stand-in cannot complete.
"""

import base64
import hashlib
import json
import shutil
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from support.hub_server import Handler, HubServer, commit_of

WRITER = "hf_writer_planted_token"
POD = "hf_pod_fine_grained_token"
READER = "hf_reader_token_planted"
STRANGER = "hf_stranger_token_planted"


class WritableHub(HubServer):
    """Repositories of `anna` and her organisation `team`, kept below a folder."""

    def __init__(self, folder: Path, *, xet: str = "absent", large: int = 1000) -> None:
        """Start serving.

        Args:
            folder: Repositories lie below it.
            xet: `absent` (404), or `hang`: the token lacks its body, and hf_xet asks for ever.
            large: Files of more bytes are stored and handed out elsewhere.
        """
        self.folder, self.xet, self.large = folder, xet, large
        self.objects: dict[str, bytes] = {}
        self.lie_private = False
        """Whether made repositories turn out public, whatever was asked for."""
        self.sent_away: list[str | None] = []
        """Authorization headers that reached the other host."""
        self.after_upload: list[str] = []
        """Names of LFS objects that were put, in order."""
        self.accounts = {
            WRITER: {"name": "anna", "orgs": [{"name": "team"}], "role": "write"},
            POD: {"name": "anna", "orgs": [], "role": "fineGrained"},
            READER: {"name": "anna", "orgs": [], "role": "read"},
            STRANGER: {"name": "mallory", "orgs": [], "role": "write"},
        }
        super().__init__({})
        self.private: set[str] = set()  # pyright: ignore[reportIncompatibleVariableOverride]

    def handler(self) -> type[Handler]:
        return _WritingHandler

    def make(self, name: str, files: dict[str, bytes], *, private: bool = True) -> Path:
        """A repository that is there already; data sets are `datasets/org/name`."""
        folder = self.folder / name
        folder.mkdir(parents=True, exist_ok=True)
        for path, content in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(content)
        self.repositories[name] = folder
        if private:
            self.private.add(name)
        return folder


class _WritingHandler(Handler):
    server_of: WritableHub

    def do_POST(self) -> None:  # noqa: N802  as http.server wants it
        self._write()

    def do_PUT(self) -> None:  # noqa: N802
        self._write()

    def do_DELETE(self) -> None:  # noqa: N802
        self._write()

    def _answer(self, *, body: bool) -> None:
        hub = self.server_of
        path = unquote(urlsplit(self.path).path)
        if path.startswith("/_away/"):
            hub.requests.append((self.command, path))
            hub.sent_away.append(self.headers.get("Authorization"))
            self._bytes(hub.objects[path.removeprefix("/_away/")], body=body)
            return
        who = self._who()
        if who is None:
            hub.requests.append((self.command, path))
            self._refuse(401, None, "Invalid credentials in Authorization header", body=body)
            return
        if path == "/api/whoami-v2":
            hub.requests.append((self.command, path))
            auth = {"type": "access_token", "accessToken": {"role": who["role"]}}
            self._send_json({"type": "user", **who, "auth": auth}, body=body)
        elif "/xet-write-token/" in path:
            hub.requests.append((self.command, path))
            if hub.xet == "hang":
                self.send_response(200)
                for name in ("X-Xet-Cas-Url", "X-Xet-Access-Token"):
                    self.send_header(name, "local:///nowhere")
                self.send_header("X-Xet-Token-Expiration", "4000000000")
                self.send_header("Content-Length", "0")
                self.end_headers()
            else:
                self._refuse(404, "EntryNotFound", "no xet here", body=body)
        elif "/resolve/" in path:
            self._resolve(path, body=body)
        else:
            super()._answer(body=body)

    def _who(self) -> dict[str, Any] | None:
        sent = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        return self.server_of.accounts.get(sent)

    def _describe(self, path: str, *, body: bool) -> None:
        hub = self.server_of
        parts = 3 if path.startswith("datasets/") else 2
        name = "/".join(path.split("/")[:parts])
        if not self._may_see(name):
            self._refuse(404, "RepoNotFound", "Repository not found", body=body)
        elif "/tree/" in path:
            self._send_json([self._entry(name, p) for p in self._paths(name)], body=body)
        else:
            facts = {"id": name, "sha": commit_of(hub.repositories[name])}
            self._send_json({**facts, "private": name in hub.private, "siblings": []}, body=body)

    def _may_see(self, name: str) -> bool:
        hub, who = self.server_of, self._who() or {}
        owner = name.removeprefix("datasets/").split("/")[0]
        mine = owner in (who.get("name"), *(o["name"] for o in who.get("orgs", [])))
        return name in hub.repositories and (mine or name not in hub.private)

    def _paths(self, name: str) -> list[str]:
        folder = self.server_of.repositories[name]
        return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())

    def _entry(self, name: str, path: str) -> dict[str, Any]:
        content = (self.server_of.repositories[name] / path).read_bytes()
        git = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False)
        entry = {"type": "file", "path": path, "size": len(content), "oid": git.hexdigest()}
        if len(content) > self.server_of.large:
            sha = hashlib.sha256(content).hexdigest()
            entry["lfs"] = {"oid": sha, "size": len(content), "pointerSize": 134}
        return entry

    def _resolve(self, path: str, *, body: bool) -> None:
        hub = self.server_of
        hub.requests.append((self.command, path))
        name, rest = path.strip("/").split("/resolve/", 1)
        file = hub.repositories.get(name, Path("/nowhere")) / rest.split("/", 1)[1]
        if not self._may_see(name) or not file.is_file():
            self._refuse(404, "EntryNotFound", "Entry not found", body=body)
            return
        content = file.read_bytes()
        sha = hashlib.sha256(content).hexdigest()
        if len(content) <= hub.large:
            self._bytes(content, body=body)
            return
        hub.objects[sha] = content
        self.send_response(302)
        away = hub.url.replace("127.0.0.1", "localhost")
        self.send_header("Location", f"{away}/_away/{sha}?X-Amz-Signature=1")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _bytes(self, content: bytes, *, body: bool) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if body:
            self.wfile.write(content)

    def _write(self) -> None:
        hub = self.server_of
        path = unquote(urlsplit(self.path).path)
        hub.requests.append((self.command, path))
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if path.startswith("/_lfs/") and self.command == "PUT":
            assert self.headers.get("Authorization") is None
            sha = path.removeprefix("/_lfs/")
            assert hashlib.sha256(content).hexdigest() == sha
            hub.objects[sha] = content
            hub.after_upload.append(sha)
            self._bytes(b"", body=True)
            return
        who = self._who()
        if who is None or who["role"] == "read":
            status = 401 if who is None else 403
            self._refuse(status, None, "Invalid credentials in Authorization header", body=True)
        elif path.startswith("/api/repos/"):
            self._repository(path.rpartition("/")[2], json.loads(content))
        elif path == "/api/validate-yaml":
            self._send_json({"errors": [], "warnings": []}, body=True)
        elif path.startswith("/_lfs/"):
            self._send_json({}, body=True)
        else:
            self._change(path, content)

    def _repository(self, verb: str, asked: dict[str, Any]) -> None:
        hub = self.server_of
        prefix = "datasets/" if asked.get("type") == "dataset" else ""
        name = f"{prefix}{asked['organization']}/{asked['name']}"
        who = self._who() or {}
        if asked["organization"] not in (who["name"], *(o["name"] for o in who["orgs"])):
            self._refuse(403, None, "You don't have the rights", body=True)
        elif verb == "delete" and name in hub.repositories:
            shutil.rmtree(hub.repositories.pop(name))
            hub.private.discard(name)
            self._send_json({}, body=True)
        elif verb == "delete":
            self._refuse(404, "RepoNotFound", "Repository not found", body=True)
        elif name in hub.repositories:
            self._refuse(409, None, "You already created this repo", body=True)
        else:
            private = asked["visibility"] == "private" and not hub.lie_private
            hub.make(name, {".gitattributes": b"*.tar filter=lfs\n"}, private=private)
            self._send_json({"url": f"{hub.url}/{name}"}, body=True)

    def _change(self, path: str, content: bytes) -> None:
        kind, _, rest = path.removeprefix("/api/").partition("/")
        if "/info/lfs/objects/batch" in path:
            self._batch(json.loads(content))
            return
        name = "/".join(rest.split("/")[:2])
        name = f"datasets/{name}" if kind == "datasets" else name
        verb = rest.split("/")[2]
        if not self._may_see(name):
            self._refuse(404, "RepoNotFound", "Repository not found", body=True)
        elif verb == "settings":
            private = json.loads(content)["visibility"] == "private"
            (self.server_of.private.add if private else self.server_of.private.discard)(name)
            self._send_json({}, body=True)
        elif verb == "preupload":
            modes = [
                {
                    "path": f["path"],
                    "uploadMode": "lfs" if f["size"] > self.server_of.large else "regular",
                    "shouldIgnore": False,
                    "oid": None,
                }
                for f in json.loads(content)["files"]
            ]
            self._send_json({"files": modes}, body=True)
        else:
            self._commit(name, content)

    def _batch(self, asked: dict[str, Any]) -> None:
        hub = self.server_of
        away = hub.url.replace("127.0.0.1", "localhost")
        objects = []
        for one in asked["objects"]:
            actions = {
                "upload": {"href": f"{away}/_lfs/{one['oid']}", "header": {}},
                "verify": {"href": f"{hub.url}/_lfs/verify", "header": {}},
            }
            known = one["oid"] in hub.objects
            objects.append({**one, **({} if known else {"actions": actions})})
        self._send_json({"transfer": "basic", "objects": objects}, body=True)

    def _commit(self, name: str, content: bytes) -> None:
        hub = self.server_of
        folder = hub.repositories[name]
        for line in content.splitlines():
            said = json.loads(line)
            value = said["value"]
            if said["key"] == "header":
                continue
            target = folder / value["path"]
            target.parent.mkdir(parents=True, exist_ok=True)
            if said["key"] == "file":
                target.write_bytes(base64.b64decode(value["content"]))
            else:
                target.write_bytes(hub.objects[value["oid"]])
        commit = commit_of(folder)
        url = f"{hub.url}/{name}/commit/{commit}"
        answer = {"success": True, "commitOid": commit, "commitUrl": url, "hookOutput": ""}
        self._send_json(answer, body=True)
