"""Data from elsewhere: each kind of address comes as a local file under a safe name."""

import gzip
import os
import subprocess
import sys
from urllib.parse import parse_qs, urlsplit

import pytest

from podtune.app.fetch import fetch, file_name
from podtune.app.settings import Settings
from podtune.core.errors import CredentialsError, NotFoundError, RequestError, SpecError
from podtune.egress.client import Egress
from support.hub_server import HubServer
from support.odd_server import OddServer, redirect, response

ROWS = b'{"prompt": "a", "completion": "b"}\n' * 10


def settings(port, **more):
    stated = {"egress_http": True, "egress_private_hosts": f"127.0.0.1:{port}"}
    return Settings(**stated | more)


def connect(policy):
    """The real client; every name is this machine."""
    return Egress(policy, resolve=lambda host, port: ["127.0.0.1"])


def get(server, path, into, **more):
    source = f"http://files.example.org:{server.port}{path}"
    return fetch(source, into, settings(server.port, **more), connect=connect)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/a/rows.jsonl", "rows.jsonl"),
        ("/rows.jsonl.gz?sig=x/y.csv", "rows.jsonl.gz"),
        ("/gr%C3%B6%C3%9Fe%20a.csv", "gr__e_a.csv"),
        ("/a%2F..%2F..%2Fetc%2Fpasswd", "passwd"),
        ("/..%5C..%5Cboot.ini", "boot.ini"),
        ("/.hidden.csv", "hidden.csv"),
        ("/%2e%2e", "data"),
        ("/--help", "help"),
        ("/", "data"),
        ("", "data"),
        ("/x%00y.csv", "x_y.csv"),
        ("/folder/", "folder"),
        (f"/{'a' * 500}.jsonl.gz", f"{'a' * 111}.jsonl.gz"),
    ],
)
def test_a_file_has_a_safe_name(path, name):
    assert file_name(f"https://x.example{path}".partition("?")[0]) == name


def test_a_file_comes_into_a_folder_that_is_made(tmp_path):
    seen = []
    with OddServer({"/rows.jsonl": response(200, ROWS)}) as server:
        path = fetch(
            f"http://files.example.org:{server.port}/rows.jsonl?X-Amz-Signature=x",
            tmp_path / "new" / "folder",
            settings(server.port),
            lambda done, whole: seen.append((done, whole)),
            connect=connect,
        )
    assert path == tmp_path / "new" / "folder" / "rows.jsonl"
    assert path.read_bytes() == ROWS
    assert seen[-1] == (len(ROWS), len(ROWS))


@pytest.mark.parametrize(
    ("path", "answers", "name"),
    [
        ("/download", {"/download": response(200, ROWS, content_type="text/csv")}, "download.csv"),
        ("/download", {"/download": response(200, ROWS)}, "download"),
        (
            "/download",
            {"/download": redirect("/x/rows.jsonl?s=1"), "/x/rows.jsonl": response(200, ROWS)},
            "rows.jsonl",
        ),
        (
            "/rows.jsonl",
            {"/rows.jsonl": redirect("/0a1b2c.csv"), "/0a1b2c.csv": response(200, ROWS)},
            "rows.jsonl",
        ),
        (
            "/rows.jsonl",
            {
                "/rows.jsonl": response(
                    200, ROWS, content_disposition='attachment; filename="../../x.py"'
                )
            },
            "rows.jsonl",
        ),
    ],
)
def test_the_suffix_says_what_the_file_is(tmp_path, path, answers, name):
    with OddServer(answers) as server:
        assert get(server, path, tmp_path) == tmp_path / name
    assert [p.name for p in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("path", ["/rows.jsonl", "/rows.jsonl.gz"])
def test_what_the_server_compressed_is_kept_under_a_name_that_says_so(tmp_path, path):
    packed = gzip.compress(ROWS)
    with OddServer({path: response(200, packed, content_encoding="gzip")}) as server:
        found = get(server, path, tmp_path)
    assert found.name == "rows.jsonl.gz"
    assert gzip.decompress(found.read_bytes()) == ROWS


def test_the_operators_settings_count(tmp_path):
    with OddServer({"/a": redirect("/b"), "/b": response(200, ROWS)}) as server:
        for more in (
            {"egress_http": False},
            {"egress_private_hosts": ""},
            {"egress_allow_hosts": "other.example"},
        ):
            with pytest.raises(SpecError) as caught:
                get(server, "/a", tmp_path, **more)
            assert caught.value.code == "url_blocked"
        assert server.connections == 0
        get(server, "/a", tmp_path, egress_allow_hosts="*.example.org")


def test_a_bad_setting_is_named(tmp_path):
    with pytest.raises(SpecError, match="egress_private_hosts") as caught:
        fetch("https://x.example/a", tmp_path, Settings(egress_private_hosts="a b"))
    assert caught.value.code == "bad_setting"


def test_a_failure_leaves_no_file(tmp_path):
    with OddServer({}) as server:
        with pytest.raises(NotFoundError) as caught:
            get(server, "/missing.csv?token=planted", tmp_path)
        assert "planted" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("source", ["ftp://x/y", "file:///etc/passwd", "rows.jsonl", "C:\\x", ""])
def test_other_schemes(tmp_path, source):
    with pytest.raises(SpecError) as caught:
        fetch(source, tmp_path, Settings())
    assert caught.value.code == "bad_url"


@pytest.fixture
def aws(monkeypatch):
    """A store's address -> the environment of somebody who uses it."""

    def use(port=None):
        names = {
            "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
            "AWS_SECRET_ACCESS_KEY": "planted-secret",
            "AWS_SESSION_TOKEN": "planted-token",
            "AWS_REGION": "eu-central-1",
        }
        for name, value in names.items():
            monkeypatch.setenv(name, value)
        for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"):
            monkeypatch.delenv(name, raising=False)
        if port is not None:
            monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")

    return use


def test_an_object_of_the_operators_own_store(tmp_path, aws):
    with OddServer({"/bucket/a%20b/rows.jsonl": response(200, ROWS)}) as server:
        aws(server.port)
        path = fetch("s3://bucket/a b/rows.jsonl", tmp_path, Settings())
        line = server.requests[0].split(" ")[1]
    assert path == tmp_path / "rows.jsonl"
    assert path.read_bytes() == ROWS
    query = parse_qs(urlsplit(line).query)
    assert query["X-Amz-Security-Token"] == ["planted-token"]
    assert len(query["X-Amz-Signature"][0]) == 64
    assert "eu-central-1" in query["X-Amz-Credential"][0]


def test_the_store_opens_no_door_for_web_addresses(tmp_path, aws):
    with OddServer({"/rows.jsonl": response(200, ROWS)}) as server:
        aws(server.port)
        with pytest.raises(SpecError):
            fetch(f"http://127.0.0.1:{server.port}/rows.jsonl", tmp_path, Settings())
        assert server.connections == 0


@pytest.mark.parametrize("answer", [response(403), response(400), response(301)])
def test_a_store_that_refuses(tmp_path, aws, answer):
    with OddServer({"/bucket/rows.jsonl": answer}) as server:
        aws(server.port)
        with pytest.raises(CredentialsError) as caught:
            fetch("s3://bucket/rows.jsonl", tmp_path, Settings())
    assert caught.value.code == "s3_refused"
    assert "eu-central-1" in caught.value.hint
    assert "planted" not in f"{caught.value} {caught.value.hint}"
    assert list(tmp_path.iterdir()) == []


def test_no_such_object(tmp_path, aws):
    with OddServer({}) as server:
        aws(server.port)
        with pytest.raises(NotFoundError) as caught:
            fetch("s3://bucket/rows.jsonl", tmp_path, Settings())
    assert "Amz" not in str(caught.value)


def test_a_store_never_redirects_elsewhere(tmp_path, aws):
    with OddServer({"/inner": response(200, b"inner")}) as server:
        aws(server.port)
        server.answers["/bucket/rows.jsonl"] = redirect("/inner")
        with pytest.raises(CredentialsError):
            fetch("s3://bucket/rows.jsonl", tmp_path, Settings())
        assert len(server.requests) == 1


def test_aws_itself_is_asked_by_the_buckets_name(tmp_path, aws):
    aws()
    asked = []

    def recording(policy):
        def resolve(host, port):
            asked.append((host, port))
            return []

        return Egress(policy, resolve=resolve)

    with pytest.raises(RequestError):
        fetch("s3://bucket/rows.jsonl", tmp_path, Settings(), connect=recording)
    assert asked == [("bucket.s3.eu-central-1.amazonaws.com", 443)]


def test_without_credentials(tmp_path, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(CredentialsError) as caught:
        fetch("s3://bucket/rows.jsonl", tmp_path, Settings())
    assert caught.value.code == "no_s3_credentials"


HUB_PROGRAM = """
import sys
from pathlib import Path
from podtune.app.fetch import fetch
from podtune.app.settings import Settings
print(fetch(sys.argv[1], Path(sys.argv[2]), Settings()))
"""


def test_the_hub_is_asked_for_its_own(tmp_path):
    """In a process of its own: the Hub's client reads its environment when it is imported."""
    rows = tmp_path / "repository"
    rows.mkdir()
    (rows / "rows.jsonl").write_bytes(ROWS)
    kept = {k: v for k, v in os.environ.items() if not k.startswith("HF_")}
    with HubServer({"datasets/org/rows": rows}) as server:
        done = subprocess.run(
            [sys.executable, "-c", HUB_PROGRAM, "hf://org/rows", str(tmp_path / "into")],
            env=kept | {"HF_ENDPOINT": server.url, "HF_HOME": str(tmp_path / "cache"),
                        "HF_HUB_DISABLE_XET": "1"},
            capture_output=True, text=True, timeout=90, check=False,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(tmp_path / "into" / "rows.jsonl")
    assert (tmp_path / "into" / "rows.jsonl").read_bytes() == ROWS


def test_what_is_no_name_on_the_hub(tmp_path):
    with pytest.raises(SpecError) as caught:
        fetch("hf://name-without-owner", tmp_path, Settings())
    assert caught.value.code == "bad_url"
