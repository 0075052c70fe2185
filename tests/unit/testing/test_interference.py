import pytest

from podtune.testing.faults import FaultKind, FaultRule
from podtune.testing.http import TransportFault
from support.stand_in import Desk, order


def desk_with(kind, **more):
    return Desk(faults=[FaultRule(kind=kind, **more)])


@pytest.mark.parametrize(
    ("kind", "status", "made"),
    [
        (FaultKind.BEFORE_EFFECT, 502, 0),
        (FaultKind.AFTER_EFFECT, 502, 1),
        (FaultKind.DUPLICATE, 201, 2),
        (FaultKind.WRONG_BODY, 201, 1),
    ],
)
def test_orders_that_go_wrong(kind, status, made):
    desk = desk_with(kind, route="create_pod", status=502)
    response = desk.ask("POST", "/v2/pods", order())
    assert response.status == status
    assert len(desk.listed()) == made
    if kind is FaultKind.WRONG_BODY:
        with pytest.raises(Exception, match="malformed"):
            response.json()


def test_a_delete_that_only_says_so():
    desk = desk_with(FaultKind.NO_EFFECT, route="delete_pod", nth=(1,))
    pod_id = desk.create()
    assert desk.ask("DELETE", f"/v2/pods/{pod_id}").status == 204
    assert desk.listed() == [pod_id]
    assert desk.ask("DELETE", f"/v2/pods/{pod_id}").status == 204
    assert desk.listed() == []


def test_stale_reads_show_what_was():
    desk = desk_with(FaultKind.STALE_READ, route="list_pods", nth=(2,))
    assert desk.listed() == []
    pod_id = desk.create()
    assert desk.listed() == []
    assert desk.listed() == [pod_id]


@pytest.mark.parametrize("kind", [FaultKind.DELAY, FaultKind.RESET, FaultKind.SLOW_DRIP])
def test_faults_of_the_connection_are_marked(kind):
    desk = desk_with(kind, seconds=2.5, route="create_pod")
    response = desk.ask("POST", "/v2/pods", order())
    assert response.fault == (TransportFault(kind.value), 2.5)
    assert len(desk.listed()) == 1
    before = desk_with(kind, is_before=True, route="create_pod")
    assert before.ask("POST", "/v2/pods", order()).fault is not None
    assert before.listed() == []


def test_rules_by_name_of_the_pod_in_body_path_and_proxy():
    desk = desk_with(FaultKind.RESET, pod="pt-*")
    assert desk.ask("POST", "/v2/pods", order(name="other")).fault is None
    made = desk.ask("POST", "/v2/pods", order())
    assert made.fault is not None
    pod_id = made.json()["id"]
    assert desk.ask("GET", f"/v2/pods/{pod_id}").fault is not None
    assert desk.ask("GET", f"/proxy/{pod_id}-8466/status").fault is not None
    assert desk.ask("GET", "/v2/pods").fault is None


def test_the_stand_ins_own_routes_never_go_wrong():
    desk = desk_with(FaultKind.BEFORE_EFFECT)
    assert desk.ask("GET", "/v2/pods").status == 500
    assert desk.ask("GET", "/_stand_in/state").status == 200


def test_what_struck_is_in_the_journal():
    desk = desk_with(FaultKind.RESET, route="list_pods")
    desk.listed()
    assert [line.detail for line in desk.cloud.happenings()] == ["reset on list_pods"]
