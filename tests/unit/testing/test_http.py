from decimal import Decimal

import pytest

from podtune.testing import http


def test_request_of_an_address():
    request = http.Request.of("post", "http://x/v2/pods?a=1&a=2&b=", {"User-Agent": "p"}, b"{}")
    assert request.method == "POST"
    assert request.path == "/v2/pods"
    assert request.value("a") == "1"
    assert request.value("b", "none") == ""
    assert request.value("c", "none") == "none"
    assert request.headers == {"user-agent": "p"}


def test_content_of_a_stream_ends_at_its_first_pause():
    stream = iter([b"a", b"b", b"", b"c"])
    assert http.Response(200, {}, stream).content() == b"ab"
    assert http.Response(200, {}, b"whole").content() == b"whole"


def test_money_is_a_number_in_json():
    response = http.json_response({"cost": Decimal("0.44")}, 201)
    assert response.body == b'{"cost":0.44}'
    assert response.json() == {"cost": 0.44}
    assert http.Response(204).json() is None


@pytest.mark.parametrize("status", sorted(http.TITLES))
def test_a_refusal_is_a_problem(status):
    response = http.refuse(status, "why", ["$: where"]).response
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json() == {
        "title": http.TITLES[status],
        "status": status,
        "detail": "why",
        "errors": ["$: where"],
    }
