"""Downloads from servers that misbehave: what is refused, what is said, what is left behind."""

import gzip
import hashlib
import logging
import pickle
import socket

import pytest

from podtune.core.errors import (
    NotFoundError,
    PodtuneError,
    RequestError,
    SpecError,
    StateError,
    UnsupportedError,
    exit_code,
)
from podtune.egress.addresses import Policy
from podtune.egress.client import MAX_REDIRECTS, Answered, Egress, FetchFailedError
from podtune.egress.connection import Limits
from support.hook_receiver import HookReceiver, flood, reset
from support.odd_server import (
    Authority,
    OddServer,
    redirect,
    response,
    then_silence,
    until_closed,
)

BODY = b'{"prompt": "a", "completion": "b"}\n' * 5000
SECRET = "X-Amz-Signature=planted-secret"


class Resolver:
    """Answers in turn; the last answer again and again."""

    def __init__(self, *answers):
        self.answers, self.asked = list(answers), []

    def __call__(self, host, port):
        self.asked.append((host, port))
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


class Clock:
    def __init__(self, step_s=0.0):
        self.now, self.step_s = 0.0, step_s

    def __call__(self):
        self.now += self.step_s
        return self.now


def client(server, *, clock=None, resolve=None, limits=None, tls=None, allow=""):
    policy = Policy.of(http=True, private_hosts=f"127.0.0.1:{server.port}", allow_hosts=allow)
    return Egress(
        policy,
        limits=limits,
        resolve=resolve or Resolver(["127.0.0.1"]),
        clock=clock or Clock(),
        tls=tls,
    )


def url(server, path="/a.jsonl", host="files.example.org", scheme="http"):
    return f"{scheme}://{host}:{server.port}{path}"


@pytest.fixture
def to(tmp_path):
    folder = tmp_path / "into"
    folder.mkdir()
    return folder / "a.jsonl"


def fails(kind, code, to, call):
    """The error of a download that must fail and leave nothing."""
    with pytest.raises(kind) as caught:
        call()
    assert caught.value.code == code
    assert list(to.parent.iterdir()) == []
    text = f"{caught.value} {caught.value.hint} {caught.value.context}"
    assert "planted-secret" not in text
    return caught.value


def test_a_file_comes_whole_with_its_digest_and_progress(to):
    seen = []
    with OddServer({"/a.jsonl": response(200, BODY, content_type="Text/CSV; charset=x")}) as server:
        got = client(server).download(
            url(server), to, on_progress=lambda done, whole: seen.append((done, whole))
        )
    assert to.read_bytes() == BODY
    assert (got.path, got.size_bytes, got.encoding, got.media_type) == (
        to, len(BODY), None, "text/csv",
    )  # fmt: skip
    assert got.sha256 == hashlib.sha256(BODY).hexdigest()
    assert seen[-1] == (len(BODY), len(BODY))
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert [p.name for p in to.parent.iterdir()] == ["a.jsonl"]


def test_a_file_that_was_there_is_replaced(to):
    to.write_bytes(b"old")
    with OddServer({"/a.jsonl": response(200, b"new")}) as server:
        client(server).download(url(server), to)
    assert to.read_bytes() == b"new"


def test_the_whole_is_unknown_without_a_length(to):
    chunked = (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    )
    seen = []
    with OddServer({"/a.jsonl": chunked}) as server:
        client(server).download(url(server), to, on_progress=lambda *pair: seen.append(pair))
    assert to.read_bytes() == b"abcde"
    assert seen[-1] == (5, None)


# --- where it goes


def test_a_name_is_resolved_once_and_a_second_answer_never_counts(to):
    resolve = Resolver(["127.0.0.1"], ["10.0.0.1"])
    with OddServer({"/a.jsonl": response(200, b"x")}) as server:
        client(server, resolve=resolve).download(url(server), to)
        assert resolve.asked == [("files.example.org", server.port)]


def test_rebinding_to_loopback_reaches_nobody(to):
    """The check sees a public address, the next answer is loopback: nobody asks for it."""
    with OddServer({"/": response(200, b"inner")}) as server:
        resolve = Resolver(["8.8.8.8", "127.0.0.1"], ["127.0.0.1"])
        egress = Egress(Policy(http=True), resolve=resolve, clock=Clock())
        error = fails(
            SpecError, "url_blocked", to,
            lambda: egress.download("http://rb.example.org/a.jsonl", to),
        )  # fmt: skip
        assert server.connections == 0
    assert len(resolve.asked) == 1
    assert "127.0.0.1" not in error.message


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "2130706433", "0x7f.1"])
def test_loopback_is_refused_in_every_form(to, host):
    with OddServer({"/a.jsonl": response(200, b"inner")}) as server:
        egress = Egress(Policy(http=True))
        with pytest.raises(SpecError) as caught:
            egress.download(f"http://{host}:{server.port}/a.jsonl", to)
        assert caught.value.code == "url_blocked"
        with pytest.raises(SpecError):
            egress.download(f"http://{host}/a.jsonl", to)
        assert server.connections == 0


def test_a_name_that_is_not_known(to):
    def nobody(host, port):
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    for resolve in (nobody, lambda host, port: []):
        egress = Egress(Policy(), resolve=resolve)
        fails(
            FetchFailedError, "fetch_failed", to,
            lambda e=egress: e.download("https://nowhere.example/a", to),
        )  # fmt: skip


# --- redirects


def test_no_redirect_is_followed_unless_asked_for(to):
    answers = {"/a.jsonl": redirect("/b"), "/b": response(200, b"x")}
    with OddServer(answers) as server:
        fails(
            RequestError, "too_many_redirects", to,
            lambda: client(server).download(url(server), to),
        )  # fmt: skip
        assert len(server.requests) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_three_are_followed_and_each_is_resolved_anew(to, status):
    answers = {
        "/a.jsonl": redirect("/b", status),
        "/b": redirect("c?k=v", status),
        "/d": response(200, b"x"),
    }
    resolve = Resolver(["127.0.0.1"])
    with OddServer(answers) as server:
        server.answers["/c"] = redirect(f"//other.example.org:{server.port}/d", status)
        got = client(server, resolve=resolve).download(url(server), to, redirects=MAX_REDIRECTS)
        assert got.last.path == "/d"
        hosts = [host for host, _ in resolve.asked]
        assert hosts == ["files.example.org"] * 3 + ["other.example.org"]


def test_a_loop_ends(to):
    with OddServer({"/a.jsonl": redirect("/a.jsonl")}) as server:
        fails(
            RequestError, "too_many_redirects", to,
            lambda: client(server).download(url(server), to, redirects=MAX_REDIRECTS),
        )  # fmt: skip
        assert len(server.requests) == MAX_REDIRECTS + 1


@pytest.mark.parametrize(
    "location",
    [
        "http://127.0.0.1/", "http://localhost/x", "http://169.254.169.254/latest/", "//[::1]/",
        "http://user:planted-secret@x.example/", "file:///etc/passwd", "http://x.example:22/",
        "http://[::ffff:127.0.0.1]/", "http://[", "gopher://x/",
    ],
)  # fmt: skip
def test_a_redirect_is_checked_like_the_first_address(to, location):
    resolve = Resolver(["127.0.0.1"])
    with OddServer({"/a.jsonl": redirect(location)}) as server:
        fails(
            SpecError, "url_blocked", to,
            lambda: client(server, resolve=resolve).download(url(server), to, redirects=3),
        )  # fmt: skip
        assert len(server.requests) == 1


def test_a_redirect_leaves_no_allow_list(to):
    with OddServer({"/b": response(200, b"x")}) as server:
        server.answers["/a.jsonl"] = redirect(url(server, "/b", host="evil.example"))
        fails(
            SpecError, "url_blocked", to,
            lambda: client(server, allow="files.example.org").download(
                url(server), to, redirects=3
            ),
        )  # fmt: skip


def test_a_redirect_to_nowhere(to):
    with OddServer({"/a.jsonl": response(302)}) as server:
        fails(
            RequestError, "too_many_redirects", to,
            lambda: client(server).download(url(server), to, redirects=3),
        )  # fmt: skip


def test_nothing_of_the_first_request_reaches_the_next_host(to):
    with OddServer({"/a.jsonl": b"", "/b": response(200, b"x")}) as server:
        server.answers["/a.jsonl"] = response(
            302, location=url(server, "/b", host="other.example.org"), set_cookie="k=planted"
        )
        client(server).download(url(server, f"/a.jsonl?{SECRET}"), to, redirects=1)
        second = server.requests[1]
    assert "planted" not in second
    assert f"Host: other.example.org:{server.port}\r\n" in second


# --- TLS


@pytest.fixture(scope="module")
def authority():
    return Authority()


def test_https_by_name(tmp_path, to, authority):
    tls = authority.server(tmp_path, ["files.example.org"])
    with OddServer({"/a.jsonl": response(200, b"x")}, tls=tls) as server:
        client(server, tls=authority.client()).download(url(server, scheme="https"), to)
    assert to.read_bytes() == b"x"


def test_a_certificate_of_another_host_is_refused(tmp_path, to, authority):
    tls = authority.server(tmp_path, ["other.example.org", "127.0.0.1"])
    with OddServer({"/a.jsonl": response(200, b"x")}, tls=tls) as server:
        error = fails(
            RequestError, "bad_certificate", to,
            lambda: client(server, tls=authority.client()).download(
                url(server, f"/a.jsonl?{SECRET}", scheme="https"), to
            ),
        )  # fmt: skip
        assert server.requests == []
    assert "files.example.org" in error.message


def test_an_unknown_authority_is_refused(tmp_path, to, authority):
    tls = authority.server(tmp_path, ["files.example.org"])
    with OddServer({"/a.jsonl": response(200, b"x")}, tls=tls) as server:
        fails(
            RequestError, "bad_certificate", to,
            lambda: client(server).download(url(server, scheme="https"), to),
        )  # fmt: skip


def test_https_never_leads_to_http(tmp_path, to, authority):
    tls = authority.server(tmp_path, ["files.example.org"])
    with OddServer({"/a.jsonl": redirect("http://files.example.org/b")}, tls=tls) as server:
        error = fails(
            SpecError, "url_blocked", to,
            lambda: client(server, tls=authority.client()).download(
                url(server, scheme="https"), to, redirects=3
            ),
        )  # fmt: skip
    assert "https to http" in error.message


# --- how much, how long

SMALL = Limits(wire_bytes=100_000)


def test_a_stated_length_above_the_limit_is_refused_before_a_byte(to):
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 100001\r\n\r\n"
    seen = []
    with OddServer({"/a.jsonl": then_silence(head)}) as server:
        fails(
            UnsupportedError, "file_too_large", to,
            lambda: client(server, limits=SMALL).download(
                url(server), to, on_progress=lambda *pair: seen.append(pair)
            ),
        )  # fmt: skip
    assert seen == []


def test_a_body_without_length_is_cut_off_at_the_limit(to):
    chunk = b"4000\r\n" + b"x" * 0x4000 + b"\r\n"
    endless = until_closed(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", chunk)
    seen = []
    with OddServer({"/a.jsonl": endless}) as server:
        fails(
            UnsupportedError, "file_too_large", to,
            lambda: client(server, limits=SMALL).download(
                url(server), to, on_progress=lambda *pair: seen.append(pair)
            ),
        )  # fmt: skip
    assert seen[-1][0] <= SMALL.wire_bytes


def test_a_body_in_endless_framing_is_cut_off_too(to):
    """A byte a chunk, and kilobytes of chunk extension around each."""
    chunk = b"1;" + b"x" * 60_000 + b"\r\na\r\n"
    endless = until_closed(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", chunk)
    seen = []
    with OddServer({"/a.jsonl": endless}) as server:
        fails(
            FetchFailedError, "fetch_failed", to,
            lambda: client(server, limits=SMALL).download(
                url(server), to, on_progress=lambda *pair: seen.append(pair)
            ),
        )  # fmt: skip
    assert len(seen) < 40


def test_exactly_the_limit_passes(to):
    with OddServer({"/a.jsonl": response(200, b"x" * 100_000)}) as server:
        assert client(server, limits=SMALL).download(url(server), to).size_bytes == 100_000


def test_a_slow_drip_ends_at_the_deadline(to):
    drip = then_silence(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nab")
    clock = Clock()
    with OddServer({"/a.jsonl": drip}) as server:

        def later(done, whole):
            clock.now += 3600

        error = fails(
            FetchFailedError, "fetch_failed", to,
            lambda: client(server, clock=clock).download(url(server), to, on_progress=later),
        )  # fmt: skip
    assert "3600 seconds" in error.message


def test_redirects_share_one_deadline(to):
    with OddServer({"/a.jsonl": redirect("/a.jsonl")}) as server:
        error = fails(
            FetchFailedError, "fetch_failed", to,
            lambda: client(server, clock=Clock(step_s=300.0)).download(
                url(server), to, redirects=3
            ),
        )  # fmt: skip
    assert "seconds" in error.message


def test_a_silent_server(to):
    silent = then_silence(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n")
    with OddServer({"/a.jsonl": silent}) as server:
        error = fails(
            FetchFailedError, "fetch_failed", to,
            lambda: client(server, limits=Limits(read_s=0.05)).download(url(server), to),
        )  # fmt: skip
    assert error.retryable


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"",
    ],
)
def test_what_breaks_off_or_is_no_http(to, answer):
    with OddServer({"/a.jsonl": answer}) as server:
        error = fails(
            FetchFailedError, "fetch_failed", to, lambda: client(server).download(url(server), to)
        )
    assert error.retryable


def test_nobody_listens(to):
    with OddServer({}) as server:
        gone = client(server)
    fails(FetchFailedError, "fetch_failed", to, lambda: gone.download(url(server), to))


# --- encodings


@pytest.mark.parametrize(
    ("stated", "encoding"),
    [("gzip", "gzip"), ("X-GZIP", "gzip"), ("zstd", "zstd"), ("identity", None),
     ("aws-chunked", None)],
)  # fmt: skip
def test_a_compressed_answer_stays_as_it_came_and_says_so(to, stated, encoding):
    bomb = gzip.compress(bytes(4 * 1024 * 1024))
    with OddServer({"/a.jsonl": response(200, bomb, content_encoding=stated)}) as server:
        got = client(server, limits=SMALL).download(url(server), to)
        assert "Accept-Encoding: identity" in server.requests[0]
    assert got.encoding == encoding
    assert to.read_bytes() == bomb


@pytest.mark.parametrize("stated", ["br", "deflate", "gzip, gzip", "bomb\x1b[2J"])
def test_other_encodings_are_refused(to, stated):
    with (
        OddServer({"/a.jsonl": response(200, b"x", content_encoding=stated)}) as server,
        pytest.raises((UnsupportedError, FetchFailedError)) as caught,
    ):
        client(server).download(url(server), to)
    assert "\x1b" not in str(caught.value)


# --- statuses


@pytest.mark.parametrize("status", [400, 401, 403])
@pytest.mark.parametrize("query", [SECRET, "sv=1&sig=planted-secret", "token=planted-secret"])
def test_a_signed_address_that_is_refused_may_have_expired(to, status, query):
    with OddServer({"/a.jsonl": response(status, b"<Error>planted-secret</Error>")}) as server:
        error = fails(
            RequestError, "url_expired", to,
            lambda: client(server).download(url(server, f"/a.jsonl?{query}"), to),
        )  # fmt: skip
    assert "expired" in error.message


@pytest.mark.parametrize(
    ("status", "kind", "code", "retryable"),
    [
        (400, RequestError, "url_refused", False),
        (401, RequestError, "url_refused", False),
        (403, RequestError, "url_refused", False),
        (404, NotFoundError, "url_not_found", False),
        (410, NotFoundError, "url_not_found", False),
        (418, RequestError, "url_refused", False),
        (204, RequestError, "url_refused", False),
        (206, RequestError, "url_refused", False),
        (429, FetchFailedError, "fetch_failed", True),
        (500, FetchFailedError, "fetch_failed", True),
        (503, FetchFailedError, "fetch_failed", True),
    ],
)
def test_statuses_have_their_error(to, status, kind, code, retryable):
    body = b"" if status == 204 else b"planted-secret"
    answer = response(status, body).replace(b"Content-Length: 0\r\n", b"") if not body else None
    with OddServer({"/a.jsonl": answer or response(status, body)}) as server:
        error = fails(
            kind, code, to, lambda: client(server).download(url(server, "/a.jsonl?k=v"), to)
        )
    assert (error.retryable, exit_code(error)) == (retryable, 2)
    assert str(status) in error.message
    assert error.hint


def test_errors_survive_pickling():
    error = pickle.loads(pickle.dumps(FetchFailedError("x", hint="y")))
    assert (type(error), error.code, error.retryable) == (FetchFailedError, "fetch_failed", True)
    assert isinstance(error, PodtuneError)


def test_no_log_holds_a_query(to, caplog):
    caplog.set_level(logging.DEBUG)
    with OddServer({"/a.jsonl": redirect(f"/b?{SECRET}"), "/b": response(500)}) as server:
        fails(
            FetchFailedError, "fetch_failed", to,
            lambda: client(server).download(url(server, f"/a.jsonl?{SECRET}"), to, redirects=1),
        )  # fmt: skip
    assert "planted-secret" not in caplog.text


# --- this side


def test_a_folder_that_is_not_there(tmp_path):
    with (
        OddServer({"/a.jsonl": response(200, b"x")}) as server,
        pytest.raises(StateError) as caught,
    ):
        client(server).download(url(server), tmp_path / "missing" / "a.jsonl")
    assert caught.value.code == "cannot_write"


def test_a_stop_in_the_middle_leaves_nothing(to):
    def stop(done, whole):
        raise KeyboardInterrupt

    with OddServer({"/a.jsonl": response(200, BODY)}) as server, pytest.raises(KeyboardInterrupt):
        client(server).download(url(server), to, on_progress=stop)
    assert list(to.parent.iterdir()) == []


MESSAGE = b'{"type": "training.completed"}'


def post(server, *, path="/hook?token=planted-secret", limits=None, clock=None, **given):
    egress = client(server, limits=limits, clock=clock, **given)
    return egress.post(url(server, path), MESSAGE, [("webhook-id", "a:terminal")])


def test_a_message_is_sent_with_its_headers_and_nothing_else():
    with HookReceiver(response(202, b"ok", retry_after="7")) as server:
        assert post(server) == Answered(202, "7")
    (call,) = server.calls
    assert (call.path, call.body) == ("/hook?token=planted-secret", MESSAGE)
    assert set(call.headers) == {
        "host", "user-agent", "accept", "accept-encoding", "connection", "content-length", "webhook-id",
    }  # fmt: skip


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_message_follows_no_redirect(status):
    with HookReceiver(redirect("http://files.example.org/other", status)) as server:
        assert post(server) == Answered(status, "")
    assert len(server.calls) == 1


@pytest.mark.parametrize("status", [204, 400, 401, 404, 410, 429, 500, 503])
def test_every_answer_to_a_message_is_told_as_it_is(status):
    with HookReceiver(response(status)) as server:
        assert post(server).status == status


def test_an_answer_without_end_is_not_read():
    with HookReceiver(flood) as server:
        assert post(server, limits=Limits(wire_bytes=1000)) == Answered(200, "")


def test_a_receiver_that_breaks_off_after_reading_is_no_answer():
    with HookReceiver(reset) as server, pytest.raises(FetchFailedError, match="broke off"):
        post(server)
    assert len(server.calls) == 1


def test_a_receiver_that_says_nothing_costs_bounded_time():
    with HookReceiver() as server:
        server.turns = [server.hang]
        with pytest.raises(FetchFailedError) as caught:
            post(server, limits=Limits(read_s=0.05, total_s=5))
    assert "planted" not in str(caught.value.to_json())


def test_a_message_goes_to_no_private_address():
    egress = Egress(Policy(http=True), resolve=Resolver(["10.0.0.1"]), clock=Clock())
    with pytest.raises(SpecError) as caught:
        egress.post("http://app.example.org/hook?t=planted", MESSAGE, [])
    assert caught.value.code == "url_blocked"
    assert "planted" not in str(caught.value.to_json())


def test_a_message_goes_over_https_unless_the_operator_permits_http():
    asked = Resolver(["9.9.9.9"])
    with pytest.raises(SpecError, match="scheme 'http' is not permitted"):
        Egress(Policy(), resolve=asked).post("http://app.example.org/hook", MESSAGE, [])
    assert asked.asked == []


def test_a_file_is_put_in_pieces_and_the_stores_sum_is_told(tmp_path):
    path, told = tmp_path / "adapter.tar.gz", []
    path.write_bytes(BODY * 20)
    with HookReceiver(response(200, etag='"abc"')) as server:
        answered = client(server).put(
            server.url, path, [("Content-Type", "application/gzip")], lambda *d: told.append(d)
        )
    assert answered == Answered(200, "", '"abc"')
    (call,) = server.calls
    assert call.body == path.read_bytes()
    assert call.headers["content-type"] == "application/gzip"
    assert call.headers["content-length"] == str(path.stat().st_size)
    assert told[-1] == (path.stat().st_size, path.stat().st_size)
    assert len(told) == 4  # MiB by MiB


def test_a_file_is_put_to_no_private_address(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(b"x")
    with pytest.raises(SpecError) as raised:
        Egress(Policy.of(http=False, private_hosts="", allow_hosts="")).put(
            "https://169.254.169.254/x", path, []
        )
    assert raised.value.code == "url_blocked"
