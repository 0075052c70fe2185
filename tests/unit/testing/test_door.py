import pytest

from podtune.testing.options import PodKeyRules
from support.stand_in import Desk


@pytest.mark.parametrize("agent", ["", "Python-urllib/3.11"])
def test_without_a_real_user_agent_cloudflare_answers(agent):
    response = Desk().ask("GET", "/v2/pods", **{"user-agent": agent})
    assert response.status == 403
    assert b"error code: 1010" in response.content()
    assert "json" not in response.headers["content-type"]


def test_v1_is_gone_in_its_own_shape():
    for path in ("/v1", "/v1/pods", "/v1/pods/abc"):
        response = Desk().ask("GET", path)
        assert response.status == 410
        assert set(response.json()) == {"error", "status"}


@pytest.mark.parametrize(
    ("header", "detail"),
    [("", "missing bearer token"), ("Bearer other", "invalid bearer token"), ("rpa_X", "missing")],
)
def test_401_without_limits_told(header, detail):
    response = Desk().ask("GET", "/v2/pods", authorization=header)
    assert response.status == 401
    assert detail in response.json()["detail"]
    assert "ratelimit" not in response.headers


def test_named_keys_shut_out_all_others():
    desk = Desk(api_keys=frozenset({"secret"}), key="secret")
    assert desk.ask("GET", "/v2/pods").status == 200
    assert desk.ask("GET", "/v2/pods", key="rpa_X").status == 401


def test_a_key_in_the_address_opens_nothing():
    assert Desk().ask("GET", "/v2/pods?api_key=rpa_X", authorization="").status == 401


def test_wrong_methods_are_told_which_are_right():
    response = Desk().ask("PUT", "/v2/pods")
    assert response.status == 405
    assert response.headers["allow"] == "GET, POST"
    assert Desk().ask("GET", "/pods").status == 404


def test_every_answer_has_an_id():
    desk = Desk()
    ids = [
        desk.ask("GET", path).headers["x-request-id"] for path in ("/v2/pods", "/v2/pods/x", "/v1")
    ]
    assert len(set(ids)) == 3


def test_a_pods_key_opens_rest_only_by_rule_and_only_for_its_pod():
    for rest, expected in ((False, 403), (True, 204)):
        desk = Desk(pod_key=PodKeyRules(rest=rest))
        pod_id, other = desk.create(), desk.create()
        key = desk.cloud.account.pods[pod_id].key
        assert desk.ask("GET", "/v2/pods", key=key).status == 403
        assert desk.ask("POST", "/v2/pods", {}, key=key).status == 403
        assert desk.ask("DELETE", f"/v2/pods/{other}", key=key).status == 403
        assert desk.ask("DELETE", f"/v2/pods/{pod_id}", key=key).status == expected


def test_every_answer_tells_the_cloud_s_own_time():
    desk = Desk()
    desk.clock.advance(3661)
    for answer in (desk.ask("GET", "/v2/pods"), desk.ask("GET", "/v2/nowhere")):
        assert answer.headers["date"] == "Sun, 22 Nov 2026 01:01:01 GMT"
