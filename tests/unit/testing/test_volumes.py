import pytest

from support.stand_in import Desk

BODY = {"name": "data", "size": 50, "dataCenter": "US-KS-2"}


def make(desk, **changes):
    return desk.ask("POST", "/v2/network-volumes", BODY | changes)


def test_a_volume_lives_and_costs_by_its_size():
    desk = Desk()
    volume = make(desk).json()
    assert volume | {"id": ""} == BODY | {"id": "", "type": "STANDARD"}
    path = f"/v2/network-volumes/{volume['id']}"
    desk.clock.advance(730 * 3600)
    bill = desk.ask("GET", "/v2/billing/network-volumes").json()["metadata"]["totals"]
    assert bill["standardAmount"] == pytest.approx(50 * 0.07, abs=1e-5)
    grown = desk.ask("PATCH", path, {"size": 1000, "name": "more"}).json()
    assert (grown["size"], grown["name"]) == (1000, "more")
    assert desk.ask("PATCH", path, {"size": 999}).status == 400
    assert desk.ask("PATCH", path, {}).status == 422
    assert desk.ask("GET", "/v2/network-volumes").json() == {"networkVolumes": [grown]}
    assert desk.ask("DELETE", path).status == 204
    assert desk.ask("GET", path).status == 404


def test_a_bad_data_centre_is_told_the_good_ones():
    for center in ("MARS", "CA-MTL-1"):
        response = make(Desk(), dataCenter=center)
        assert response.status == 400
        assert "US-KS-2" in response.json()["detail"]
    assert make(Desk(), dataCenter="EU-RO-1", type="HIGH_PERFORMANCE").status == 400
    assert make(Desk(), type="HIGH_PERFORMANCE").json()["type"] == "HIGH_PERFORMANCE"


@pytest.mark.parametrize("wrong", [{"size": 9}, {"size": 4097}, {"size": "50"}, {"zone": "x"}])
def test_sizes_and_fields_are_checked(wrong):
    assert make(Desk(), **wrong).status == 422


def test_a_mounted_volume_stays():
    desk = Desk()
    volume = make(desk).json()["id"]
    pod_id = desk.create(mounts={"network": [{"volumeId": volume, "path": "/w"}]})
    assert desk.ask("DELETE", f"/v2/network-volumes/{volume}").status == 400
    desk.ask("DELETE", f"/v2/pods/{pod_id}")
    assert desk.ask("DELETE", f"/v2/network-volumes/{volume}").status == 204
