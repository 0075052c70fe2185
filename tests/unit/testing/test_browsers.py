import pytest

from podtune.testing.browsers import refusal


@pytest.mark.parametrize("host", ["127.0.0.1:8460", "localhost:8460", "127.0.0.1", "[::1]:8460"])
def test_programs_of_this_machine_come_in(host):
    assert refusal({"host": host}) is None
    assert refusal({"host": host, "origin": f"http://{host}"}) is None
    assert refusal({"host": host, "sec-fetch-site": "none"}) is None


@pytest.mark.parametrize(
    "host",
    [
        "", "evil.example", "evil.example:8460", "127.0.0.1.evil.example", "localhost.evil.example:1",
        "evil.example@127.0.0.1.evil.example", "[::1", "127.0.0.1:8460, evil.example", "0x7f.1.evil.example",
    ],
)  # fmt: skip
def test_a_name_that_was_pointed_here_is_refused(host):
    answer = refusal({"host": host})
    assert answer is not None
    assert answer.status == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": ""},
        {"origin": "http://127.0.0.1:3000"},
        {"origin": "https://127.0.0.1:8460"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
def test_a_page_of_elsewhere_is_refused(headers):
    answer = refusal({"host": "127.0.0.1:8460", **headers})
    assert answer is not None
    assert answer.status == 403
