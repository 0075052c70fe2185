import pytest

from podtune.testing.options import PodKeyRules
from support.stand_in import Desk

MYSELF = "query { myself { clientBalance currentSpendPerHr spendLimit } }"


def gql(desk, query, key=None, variables=None, path="/graphql"):
    response = desk.ask("POST", path, {"query": query, "variables": variables}, key=key)
    assert response.status == 200
    return response.json()


def terminate(pod_id):
    return f'mutation {{ podTerminate(input: {{podId: "{pod_id}"}}) }}'


def test_the_balance_falls_with_what_runs():
    desk = Desk(balance_usd=10)
    assert gql(desk, MYSELF)["data"]["myself"] | {"id": 0, "email": 0} == {
        "id": 0, "email": 0, "clientBalance": 10, "currentSpendPerHr": 0, "spendLimit": 80,
    }  # fmt: skip
    desk.running()
    desk.clock.advance(3590)
    me = gql(desk, MYSELF, path="/graphql/graphql")["data"]["myself"]
    assert me["currentSpendPerHr"] == 0.4
    assert me["clientBalance"] == pytest.approx(10 - 0.4 - 70 * 0.1 / 730, abs=1e-5)


def test_a_pod_ends_itself_with_its_own_key():
    desk = Desk()
    pod_id, other = desk.running(), desk.running()
    key = desk.cloud.account.pods[pod_id].key
    assert gql(desk, terminate(other), key)["errors"][0]["message"] == "Forbidden"
    assert gql(desk, MYSELF, key)["errors"][0]["extensions"]["code"] == "FORBIDDEN"
    assert gql(desk, terminate(pod_id), key) == {"data": {"podTerminate": None}}
    assert desk.listed() == [other]
    assert pod_id in desk.pods.removed


def test_stop_by_variables_keeps_the_pod():
    desk = Desk()
    pod_id = desk.running()
    query = "mutation stop($input: PodStopInput!) { podStop(input: $input) { id desiredStatus } }"
    answer = gql(desk, query, variables={"input": {"podId": pod_id}})
    assert answer["data"]["podStop"] == {"id": pod_id, "desiredStatus": "EXITED"}
    query = "mutation ($id: String!) { podStop(input: {podId: $id}) { id desiredStatus } }"
    assert gql(desk, query, variables={"id": pod_id})["data"]["podStop"]["id"] == pod_id
    assert desk.pod(pod_id)["status"] == "EXITED"


def test_a_rule_may_refuse_pods_keys():
    desk = Desk(pod_key=PodKeyRules(graphql=False))
    pod_id = desk.running()
    key = desk.cloud.account.pods[pod_id].key
    assert "errors" in gql(desk, terminate(pod_id), key)
    assert desk.listed() == [pod_id]


@pytest.mark.parametrize(
    ("query", "key", "message"),
    [
        (MYSELF, "other", "Unauthorized request"),
        ("query { gpuTypes { id } }", None, "Cannot query field"),
        (terminate("none"), None, "pod not found"),
    ],
)
def test_faults_come_with_status_200(query, key, message):
    assert message in gql(Desk(), query, key)["errors"][0]["message"]


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff"])
def test_what_is_no_operation_is_told_so(body):
    response = Desk().ask("POST", "/graphql", body)
    assert response.status == 200
    assert response.json()["errors"]
