"""Where a source's bytes are: here, or fetched first; the secret of an address is kept nowhere."""

import pytest

from podtune.app import sources
from podtune.app.settings import Settings
from podtune.core.errors import NotFoundError
from podtune.core.spec import DataSpec
from podtune.data import canonical
from support.odd_server import OddServer, response

ROWS = b"".join(b'{"prompt": "What is %d?", "completion": "It is so."}\n' % n for n in range(6))
SIGNED = "X-Amz-Signature=PLANTED&X-Amz-Credential=PLANTED"


@pytest.fixture
def server():
    with OddServer({"/rows.jsonl": response(200, ROWS)}) as made:
        yield made


@pytest.fixture
def settings(tmp_path, server):
    return Settings(
        home=tmp_path / "home",
        egress_http=True,
        egress_private_hosts=f"127.0.0.1:{server.port}",
    )


@pytest.fixture
def address(server):
    return f"http://127.0.0.1:{server.port}/rows.jsonl?v=2&{SIGNED}"


@pytest.mark.parametrize(
    ("source", "elsewhere"),
    [
        ("https://x.example/a.csv", True),
        ("s3://bucket/key", True),
        ("hf://org/name", True),
        ("rows.jsonl", False),
        ("/data/*.jsonl", False),
        ("C:\\data\\rows.csv", False),
    ],
)
def test_what_is_an_address(source, elsewhere):
    assert sources.is_address(source) is elsewhere


@pytest.mark.parametrize(
    "query",
    [
        SIGNED,
        "X-Goog-Signature=PLANTED&X-Goog-Credential=PLANTED",
        "sv=2024&sig=PLANTED",
        "token=PLANTED",
        "access_token=PLANTED",
        "api_key=PLANTED",
        "AWSAccessKeyId=PLANTED&Signature=PLANTED",
        "Key-Pair-Id=PLANTED&Policy=PLANTED",
        "password=PLANTED",
        "X-Amz-Security-Token=PLANTED",
    ],
)
def test_the_secret_of_an_address_is_not_stored(query):
    stored = sources.stored(f"https://x.example/rows.jsonl?v=2&{query}")
    assert "PLANTED" not in stored
    assert stored == "https://x.example/rows.jsonl"
    assert "PLANTED" not in sources.stored(f"https://x.example/rows.jsonl?{query}")


def test_who_asks_is_not_stored_either():
    assert "PLANTED" not in sources.stored("https://jo:PLANTED@x.example/rows.jsonl")


def test_a_path_is_stored_absolute_and_an_address_without_its_query(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert sources.stored("rows.jsonl") == str(tmp_path / "rows.jsonl")
    assert sources.stored("hf://org/name") == "hf://org/name"
    assert sources.stored("https://x.example/a?page=3#top") == "https://x.example/a"
    assert sources.unsigned("rows.jsonl?token=x") == "rows.jsonl?token=x"


@pytest.mark.parametrize(
    ("given", "fixes"),
    [
        ({}, set()),
        ({"fix": ["drop-duplicates"]}, {"drop-duplicates"}),
        ({"redact_pii": True}, {"redact-pii"}),
        ({"redact_pii": True, "fix": ["mojibake"]}, {"redact-pii", "mojibake"}),
    ],
)
def test_how_data_is_read_comes_from_the_spec(given, fixes):
    data = DataSpec(source="x", sheet="S", member="m", speaker="Jo", format="alpaca",
                    columns={"prompt": "q"}, **given)  # fmt: skip
    options = sources.options_of(data)
    assert options.fixes == fixes
    assert (options.sheet, options.member, options.speaker) == ("S", "m", "Jo")
    assert (options.format, options.columns) == ("alpaca", {"prompt": "q"})


def test_what_is_here_is_looked_at_where_it_is(tmp_path, settings, server):
    with sources.looked_at(str(tmp_path / "rows.jsonl"), settings) as path:
        assert path == tmp_path / "rows.jsonl"
    assert sources.kept(str(tmp_path / "rows.jsonl"), settings, fresh=True) == path
    sources.forget(str(tmp_path / "rows.jsonl"), settings)
    assert server.requests == []
    assert not settings.home.exists()


def test_what_was_fetched_to_be_looked_at_is_gone_afterwards(settings, address):
    seen = []
    with sources.looked_at(address, settings, lambda *of: seen.append(of)) as path:
        assert path.name == "rows.jsonl"
        assert path.read_bytes() == ROWS
    assert not path.exists()
    assert seen[-1] == (len(ROWS), len(ROWS))
    assert not settings.home.exists()


def test_what_is_kept_is_fetched_once_and_anew_on_demand(settings, server, address):
    first = sources.kept(address, settings, fresh=True)
    assert first.read_bytes() == ROWS
    assert sources.kept(address, settings, fresh=False) == first
    # the address as it was stored finds it too: the signature is needed once
    assert sources.kept(sources.stored(address), settings, fresh=False) == first
    assert len(server.requests) == 1
    server.answers["/rows.jsonl"] = response(200, ROWS[:10])
    assert sources.kept(address, settings, fresh=True).read_bytes() == ROWS[:10]


def test_nothing_of_the_secret_lies_in_the_home(settings, address):
    sources.kept(address, settings, fresh=True)
    for path in settings.home.rglob("*"):
        assert "PLANTED" not in str(path)
        assert not path.is_file() or b"PLANTED" not in path.read_bytes()


def test_what_was_kept_can_be_forgotten(settings, address):
    path = sources.kept(address, settings, fresh=True)
    sources.forget(sources.stored(address), settings)
    assert not path.exists()
    sources.forget(address, settings)


def test_a_failed_fetch_is_an_error_without_the_secret(settings, address):
    with pytest.raises(NotFoundError) as caught:
        sources.kept(address.replace("rows", "missing"), settings, fresh=True)
    assert "PLANTED" not in f"{caught.value.to_json()}"


def test_rows_are_read_with_their_sum_and_the_stored_address(settings, address):
    rows = sources.read(address, DataSpec(source=address), settings, fresh=True)
    assert rows.report.good_rows == 6
    assert rows.report.source == sources.stored(address)
    assert rows.report.rows_sha256 == canonical.digest(rows.conversations)
    assert "PLANTED" not in rows.report.model_dump_json()


def test_repairs_of_the_spec_are_made(tmp_path, settings):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"prompt": "a@example.com?", "completion": "b",}\n')
    data = DataSpec(source=str(path), fix=("trailing-comma",), redact_pii=True)
    rows = sources.read(str(path), data, settings, fresh=True)
    assert rows.conversations[0].messages[0].content == "[email]?"


def test_what_one_request_fetched_is_its_own_and_never_out_of_date(settings, address, tmp_path):
    own = settings.with_downloads(tmp_path / "own")
    path = sources.kept(address, own, fresh=True)
    assert path.is_relative_to(tmp_path / "own")
    path.write_text("kept")
    for fresh in (True, False):
        assert sources.kept(address, own, fresh=fresh).read_text() == "kept"
    sources.forget(address, own)
    assert path.exists(), "it goes with its request"
    assert sources.kept(address, settings, fresh=True).read_text() != "kept"


def test_a_fetch_that_failed_leaves_nothing_that_could_be_taken_for_it(settings, address, tmp_path):
    own = settings.with_downloads(tmp_path / "own")
    with pytest.raises(NotFoundError):
        sources.kept(address.replace("rows", "missing"), own, fresh=True)
    assert list((tmp_path / "own").iterdir()) == []
