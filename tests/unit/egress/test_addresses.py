"""The rules for addresses: what is refused without a packet, and what must not be."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podtune.core.errors import SpecError
from podtune.egress import addresses
from podtune.egress.addresses import Policy, check_answers, parse

OPEN = Policy()
WITH_HTTP = Policy(http=True)

HOSTILE = [
    "http://127.0.0.1:8000/", "http://[::1]/", "http://169.254.169.254/latest/meta-data/",
    "http://2130706433/", "http://10.0.0.8/", "http://[::ffff:10.0.0.1]/",
    "ftp://files.example.net/a", "http://[64:ff9b::7f00:1]/", "https://127.1/", "https://0/",
    "https://0x7f000001/", "https://0x7f.1/", "https://0177.0.0.1/", "https://127.0.0.01/",
    "https://1.2.3.4.5/", "https://256.1.1.1/", "https://0x/", "https://foo.0x7f/",
    "https://\uff11\uff12\uff17.\uff10.\uff10.\uff11/", "https://127。0。0。1/", "https://①②⑦.0.0.1/",
    "https://[::]/", "https://[fe80::1%25eth0]/", "https://[::ffff:7f00:1]/", "https://[::1",
    "https://user:secret@files.example.org/", "https://user@files.example.org/",
    "https://files.example.org@10.0.0.1/", "https://files.example.org:22/",
    "https://files.example.org:6379/", "https://files.example.org:99999/",
    "https://files.example.org:8o/", "https://files.example.org\\@10.0.0.1/",
    "https://files.example.org/\r\nHost: x", "https://files.example.org/\x00", "https:///path",
    "https://", "https:files.example.org", "//files.example.org/", "files.example.org/a", "",
    "file:///etc/passwd", "gopher://x.example/", "data:text/plain,x", "jar:https://x.example/",
    "https://exa mple.org/", "https://%31%32%37.0.0.1/", "https://a..example.org/",
    "https://-x-.example!/", "https://.example.org/", "https://example.org../",
    f"https://{'a' * 64}.example.org/", f"https://x.example.org/{'a' * 17_000}",
    "https://℀.example.org/", "https://x\u2100y/", "https://x.example/\ud800", "https://ex\u00adample\u200b.\u2488com/",
]  # fmt: skip

BENIGN = [
    ("https://files.example.org/a.jsonl", "files.example.org"),
    ("HTTPS://Files.Example.ORG/A.jsonl", "files.example.org"),
    ("https://files.example.org./a", "files.example.org"),
    ("https://files.example.org:443/a", "files.example.org"),
    ("https://files.example.org:8443/a", "files.example.org"),
    ("https://bücher.example/größe.jsonl", "xn--bcher-kva.example"),
    ("https://例え.テスト/データ.jsonl", "xn--r8jz45g.xn--zckzah"),
    ("https://xn--bcher-kva.example/", "xn--bcher-kva.example"),
    ("https://my_bucket.s3.amazonaws.com/k", "my_bucket.s3.amazonaws.com"),
    ("https://8.8.8.8/a", "8.8.8.8"),
    ("https://[2606:4700::1111]/a", "2606:4700::1111"),
    ("https://1password.example/", "1password.example"),
    ("https://0xabc.example/", "0xabc.example"),
    ("https://127.0.0.1.example.org/", "127.0.0.1.example.org"),
    ("https://x.example?X-Amz-Signature=abc", "x.example"),
    (f"https://x.example/f?token={'a' * 4000}&sig=b%2Bc%3D", "x.example"),
    ("https://x.example/@user/file:1.jsonl", "x.example"),
]


@pytest.mark.parametrize("url", HOSTILE)
def test_hostile_addresses_are_refused_without_asking_anybody(url):
    for policy in (OPEN, WITH_HTTP):
        with pytest.raises(SpecError) as caught:
            parse(url, policy)
        assert caught.value.code == "url_blocked"
        assert "secret" not in f"{caught.value.message} {caught.value.hint}"


@pytest.mark.parametrize(("url", "host"), BENIGN)
def test_benign_addresses_pass(url, host):
    found = parse(url, OPEN)
    assert found.host == host
    assert found.request.isascii()


def test_http_needs_the_operators_word():
    with pytest.raises(SpecError, match="http"):
        parse("http://files.example.org/a", OPEN)
    found = parse("http://files.example.org/a", WITH_HTTP)
    assert (found.scheme, found.port) == ("http", 80)


def test_a_signed_query_is_passed_on_to_the_letter_and_never_shown():
    query = "X-Amz-Credential=AKIA%2F2026&sig=a+b/c%3d~'(x)|[y]&&empty=#"
    found = parse(f"https://x.example/a%20b?{query}fragment", OPEN)
    assert found.request == f"/a%20b?{query.rstrip('#')}"
    assert found.shown == "https://x.example/a%20b"


def test_a_path_is_percent_encoded_where_it_must_be():
    assert parse("https://x.example/größe a.jsonl", OPEN).path == "/gr%C3%B6%C3%9Fe%20a.jsonl"


def test_a_token_in_a_path_and_a_long_path_are_not_shown():
    shown = parse(f"https://x.example/hf_{'a' * 20}/{'b' * 500}", OPEN).shown
    assert "hf_a" not in shown
    assert len(shown) < 160


def test_the_host_header():
    assert parse("https://x.example:8443/", OPEN).authority == "x.example:8443"
    assert parse("https://[2606:4700::1111]/", OPEN).authority == "[2606:4700::1111]"


@pytest.mark.parametrize(
    ("answers", "passes"),
    [
        (["8.8.8.8"], True),
        (["8.8.8.8", "2606:4700::1111"], True),
        (["127.0.0.1"], False),
        (["8.8.8.8", "127.0.0.1"], False),
        (["2606:4700::1111", "fe80::1%eth0"], False),
        (["::ffff:192.168.0.1"], False),
    ],
)
def test_one_bad_answer_refuses_them_all(answers, passes):
    target = parse("https://files.example.org/a", OPEN)
    if passes:
        assert [str(a) for a in check_answers(target, answers, OPEN)] == answers
        return
    with pytest.raises(SpecError) as caught:
        check_answers(target, answers, OPEN)
    assert caught.value.code == "url_blocked"
    assert not any(answer in caught.value.message for answer in answers)


def policy(private="", allow=""):
    return Policy.of(http=True, private_hosts=private, allow_hosts=allow)


@pytest.mark.parametrize(
    ("private", "url", "answer", "passes"),
    [
        ("127.0.0.1:9000", "http://127.0.0.1:9000/", "127.0.0.1", True),
        ("127.0.0.1:9000", "http://127.0.0.1:9001/", "127.0.0.1", False),
        ("127.0.0.1:9000", "http://127.0.0.1/", "127.0.0.1", False),
        ("127.0.0.1:9000", "http://127.0.0.2:9000/", "127.0.0.2", False),
        ("127.0.0.1:9000", "http://x.example:9000/", "127.0.0.1", True),
        ("127.0.0.1:9000", "http://x.example:9000/", "8.8.8.8", False),
        ("127.0.0.1:9000", "http://x.example/", "8.8.8.8", True),
        ("10.1.0.0/16", "https://10.1.2.3/", "10.1.2.3", True),
        ("10.1.0.0/16", "https://[::ffff:10.1.2.3]/", "::ffff:10.1.2.3", True),
        ("10.1.0.0/16", "https://10.2.0.1/", "10.2.0.1", False),
        ("10.1.0.0/16", "https://10.1.2.3:22/", "10.1.2.3", False),
        ("files.internal", "https://files.internal/", "10.9.9.9", True),
        ("files.internal", "https://other.internal/", "10.9.9.9", False),
        ("files.internal", "https://sub.files.internal/", "10.9.9.9", False),
        ("Files.Internal:9000", "https://files.internal:9000/", "10.9.9.9", True),
        ("files.internal", "https://files.internal/", "169.254.169.254", False),
        ("0.0.0.0/0,::/0", "https://x.example/", "169.254.169.254", False),
        ("0.0.0.0/0,::/0", "https://x.example/", "fd00:ec2::254", False),
        ("[::1]:9000, fd00::/8", "https://[::1]:9000/", "::1", True),
        ("::1", "https://[::1]/", "::1", True),
    ],
)
def test_what_the_operator_lists_is_open_and_nothing_beside_it(private, url, answer, passes):
    def attempt():
        return check_answers(parse(url, policy(private)), [answer], policy(private))

    if passes:
        assert len(attempt()) == 1
        return
    with pytest.raises(SpecError) as caught:
        attempt()
    assert caught.value.code == "url_blocked"


@pytest.mark.parametrize(
    ("allow", "url", "passes"),
    [
        ("data.example.org", "https://data.example.org/", True),
        ("data.example.org", "https://DATA.example.org./", True),
        ("data.example.org", "https://x.data.example.org/", False),
        ("*.example.org", "https://a.b.example.org/", True),
        ("*.example.org", "https://example.org/", False),
        ("*.example.org", "https://badexample.org/", False),
        ("*.bücher.example", "https://x.bücher.example/", True),
        ("a.example, b.example", "https://b.example/", True),
        ("a.example", "https://8.8.8.8/", False),
    ],
)
def test_an_allow_list_leaves_only_its_hosts(allow, url, passes):
    if passes:
        parse(url, policy(allow=allow))
        return
    with pytest.raises(SpecError) as caught:
        parse(url, policy(allow=allow))
    assert caught.value.code == "url_blocked"


@pytest.mark.parametrize(
    "entry", ["a b", "10.0.0.0/99", "x:0", "x:70000", "*.x", "http://x", "1.2"]
)
def test_a_bad_entry_of_the_list_is_a_bad_setting(entry):
    with pytest.raises(SpecError) as caught:
        policy(entry)
    assert caught.value.code == "bad_setting"
    assert "egress_private_hosts" in caught.value.message


def test_a_bad_host_to_allow_is_a_bad_setting():
    with pytest.raises(SpecError, match="egress_allow_hosts") as caught:
        policy(allow="exa mple")
    assert caught.value.code == "bad_setting"


def test_a_service_of_the_operators_own_is_open_as_it_is_stated():
    own = Policy(allow=("a.example",)).with_own("http://minio.internal:9000/base")
    target = parse("http://minio.internal:9000/bucket/key", own)
    assert check_answers(target, ["10.0.0.5"], own)
    with pytest.raises(SpecError):
        parse("http://minio.internal:9001/", own)
    with pytest.raises(SpecError):
        parse("https://b.example/", own)
    literal = OPEN.with_own("http://127.0.0.1:9000")
    assert parse("http://127.0.0.1:9000/x", literal)
    assert not OPEN.with_own("https://r2.example").http
    with pytest.raises(SpecError):
        OPEN.with_own("ftp://x")


hosts = st.from_regex(r"\A[a-z]([a-z0-9-]{0,20}[a-z0-9])?(\.[a-z]([a-z0-9-]{0,10}[a-z])?){1,3}\Z")


@given(hosts, st.text(string.printable, max_size=60), st.text(max_size=40))
def test_any_address_either_parses_to_the_host_it_names_or_is_refused(host, path, query):
    try:
        found = parse(f"https://{host}/{path}?{query}", OPEN)
    except SpecError as error:
        assert error.code == "url_blocked"  # noqa: PT017
        return
    assert found.host == host
    assert found.request.isascii()
    assert not set(found.request) & set(" \r\n\t\\")


@given(st.text(st.characters(), max_size=80))
def test_any_text_at_all_is_refused_or_leads_to_a_clean_host(text):
    for url in (text, f"https://{text}"):
        try:
            found = parse(url, WITH_HTTP)
        except SpecError:
            continue
        assert set(found.host) <= set(string.ascii_lowercase + string.digits + "._-:")
        assert found.port in addresses.PORTS


@given(st.ip_addresses(v=4))
def test_a_number_passes_only_as_four_decimal_parts(address):
    number = int(address)
    for form in (str(number), hex(number), f"0{number:o}", f"{address}."[:-1] + ".1"):
        with pytest.raises(SpecError):
            parse(f"https://{form}/", OPEN)


def test_hosts_are_normalised_once_and_for_all():
    for host in ("bücher.example", "BÜCHER.example.", "files.example.org", "1.1.1.1"):
        once, _ = addresses.normalise_host(host)
        assert addresses.normalise_host(once)[0] == once
