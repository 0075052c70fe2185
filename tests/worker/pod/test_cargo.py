import hashlib
import io
import os
import shutil
import subprocess
import sys
import tarfile
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

import cargo
from podtune.storage import installed


def nothing():
    pass


def tar(path, *members):
    with tarfile.open(path, "w") as made:
        for name, content, changes in members:
            header = tarfile.TarInfo(name)
            header.size = len(content)
            for key, value in changes.items():
                setattr(header, key, value)
            made.addfile(header, io.BytesIO(content))
    return path


def test_plain_files_are_unpacked(tmp_path):
    path = tar(tmp_path / "b.tar", ("job", b"", {"type": tarfile.DIRTYPE}),
               ("job/order.json", b"{}", {}), ("requirements.lock", b"x", {}))  # fmt: skip
    names = cargo.unpack(path, tmp_path / "out", nothing)
    assert names == ["job/order.json", "requirements.lock"]
    assert (tmp_path / "out" / "job" / "order.json").read_bytes() == b"{}"


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("../out", {}), ("/etc/passwd", {}), ("job/../../x", {}), ("a\\b", {}), ("c:x", {}),
        ("link", {"type": tarfile.SYMTYPE, "linkname": "/etc"}),
        ("link", {"type": tarfile.LNKTYPE, "linkname": "job/order.json"}),
        ("pipe", {"type": tarfile.FIFOTYPE}), ("dev", {"type": tarfile.CHRTYPE}),
        ("a\nb", {}), (".", {}),
    ],
)  # fmt: skip
def test_whatever_leads_elsewhere_is_refused(tmp_path, name, changes):
    path = tar(tmp_path / "b.tar", (name, b"", changes))
    with pytest.raises(cargo.CargoError):
        cargo.unpack(path, tmp_path / "out", nothing)
    assert not (tmp_path / "x").exists()


def test_two_members_of_one_name_are_refused(tmp_path):
    path = tar(tmp_path / "b.tar", ("a", b"1", {}), ("a", b"2", {}))
    with pytest.raises(FileExistsError):
        cargo.unpack(path, tmp_path / "out", nothing)


@pytest.mark.parametrize("cut", [100, 600, 1100])
def test_a_tar_cut_short_is_refused(tmp_path, cut):
    path = tar(tmp_path / "b.tar", ("a", b"1" * 700, {}))
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(cargo.CargoError):
        cargo.unpack(path, tmp_path / "out", nothing)


def test_too_many_files(tmp_path, monkeypatch):
    monkeypatch.setattr(cargo, "MAX_FILES", 2)
    path = tar(tmp_path / "b.tar", *((str(n), b"", {}) for n in range(3)))
    with pytest.raises(cargo.CargoError, match="over 2 files"):
        cargo.unpack(path, tmp_path / "out", nothing)


@pytest.mark.parametrize("name", ["../out.py", "/abs.py", "podtune/../../x"])
def test_a_wheel_that_leads_elsewhere(tmp_path, name):
    with zipfile.ZipFile(tmp_path / "podtune-1-py3-none-any.whl", "w") as wheel:
        wheel.writestr(name, "x")
    with pytest.raises(cargo.CargoError):
        cargo.unpack_wheel(cargo.wheel_of(tmp_path), tmp_path / "out", nothing)


def test_a_wheel_takes_the_place_of_an_older_one(tmp_path):
    for text in ("1", "2"):
        with zipfile.ZipFile(tmp_path / "podtune-1-py3-none-any.whl", "w") as wheel:
            wheel.writestr("podtune/a.py", text)
            wheel.writestr("podtune-1.dist-info/METADATA", text)
        cargo.unpack_wheel(cargo.wheel_of(tmp_path), tmp_path / "out", nothing)
    assert (tmp_path / "out" / "podtune" / "a.py").read_text() == "2"


def test_no_wheel_or_two(tmp_path):
    with pytest.raises(cargo.CargoError):
        cargo.wheel_of(tmp_path)
    (tmp_path / "podtune-1-py3-none-any.whl").write_bytes(b"no zip")
    with pytest.raises(cargo.CargoError, match="damaged"):
        cargo.unpack_wheel(cargo.wheel_of(tmp_path), tmp_path / "out", nothing)


def test_one_way_to_install(tmp_path):
    assert cargo.install_command(tmp_path / "requirements.lock", tmp_path / "libraries") == [
        sys.executable, "-m", "pip", "install", "--no-deps", "--require-hashes", "--only-binary",
        ":all:", "--target", str(tmp_path / "libraries"), "-r", str(tmp_path / "requirements.lock"),
    ]  # fmt: skip


CONTENT = bytes(range(256)) * 4000


class Source(BaseHTTPRequestHandler):
    """Serves CONTENT, from a byte on where asked; /moved leads elsewhere."""

    asked: list[tuple[str, str | None]] = []  # noqa: RUF012

    def do_GET(self):
        Source.asked.append((self.path, self.headers.get("Range")))
        if self.path == "/moved":
            self.send_response(302)
            self.send_header("Location", "/all")
            self.end_headers()
            return
        start = int((self.headers.get("Range") or "bytes=0-").removeprefix("bytes=").rstrip("-"))
        body = CONTENT[start:] + (b"more" if self.path == "/long" else b"")
        self.send_response(404 if self.path == "/gone" else 206 if start else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def source():
    Source.asked.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Source)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


def announced(url):
    return {"url": url, "headers": {"x-key": "1"}, "bytes": len(CONTENT)}


def test_a_download_goes_on_where_it_stood(source, tmp_path):
    path = tmp_path / "b.tar"
    path.write_bytes(CONTENT[:1000])
    cargo.download(announced(f"{source}/all"), path, nothing)
    assert path.read_bytes() == CONTENT
    assert Source.asked == [("/all", "bytes=1000-")]
    cargo.download(announced(f"{source}/all"), path, nothing)
    assert len(Source.asked) == 1
    assert cargo.sha256_of(path, nothing) == hashlib.sha256(CONTENT).hexdigest()


@pytest.mark.parametrize(
    ("path", "words"), [("/gone", "404"), ("/moved", "302"), ("/long", "more than was announced")]
)
def test_a_download_that_is_not_what_was_announced(source, tmp_path, path, words):
    with pytest.raises(cargo.CargoError, match=words):
        cargo.download(announced(source + path), tmp_path / "b.tar", nothing)


def test_nobody_there(tmp_path):
    with pytest.raises(cargo.CargoError, match="cannot be reached"):
        cargo.download(announced("http://127.0.0.1:9/x"), tmp_path / "b.tar", nothing)


IMPORTED = """
import importlib, sys
for name in ("transformers", "peft", "accelerate", "bitsandbytes", "safetensors", "numpy", "pydantic",
             "msgspec", "huggingface_hub", "tokenizers", "isal", "gguf", "matplotlib", "podtune"):
    found = importlib.import_module(name).__file__
    assert found.startswith(sys.argv[1]), (name, found)
import torch
assert not torch.__file__.startswith(sys.argv[1])
"""


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_lock_installs_by_the_pods_own_command(tmp_path):
    """Into an empty folder; torch is the image's, everything else comes from there."""
    libraries = tmp_path / "libraries"
    libraries.mkdir()
    shutil.copy(installed.lock_file(installed.POD_LOCK), tmp_path / cargo.LOCK)
    kept = {n: v for n, v in os.environ.items() if n in ("PATH", "HOME") or n.startswith("PIP_")}
    done = subprocess.run(
        cargo.install_command(tmp_path / cargo.LOCK, libraries),
        capture_output=True, text=True, check=False, env=kept,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    wheel = installed.write_wheel(tmp_path / installed.wheel_name())
    cargo.unpack_wheel(wheel, libraries, nothing)
    done = subprocess.run(
        [sys.executable, "-c", IMPORTED, str(libraries)],
        capture_output=True, text=True, check=False, cwd=tmp_path,
        env={**kept, "PYTHONPATH": str(libraries), "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
