from support.stand_in import Desk

MOUNTS = {"persistent": {"size": 20, "path": "/workspace"}}


def test_mounts_are_absent_when_there_are_none():
    desk = Desk()
    bare = desk.ask("POST", "/v2/templates", {"name": "t", "image": "i"}).json()
    assert "mounts" not in bare
    assert (bare["startSsh"], bare["category"], bare["env"]) == (True, "NVIDIA", {})
    full = desk.ask("POST", "/v2/templates", {"name": "t", "image": "i", "mounts": MOUNTS}).json()
    assert full["mounts"] == MOUNTS
    assert desk.ask("GET", "/v2/templates").json() == {"templates": [bare, full]}


def test_change_and_delete():
    desk = Desk()
    template = desk.ask("POST", "/v2/templates", {"name": "t", "image": "i"}).json()
    path = f"/v2/templates/{template['id']}"
    changed = desk.ask("PATCH", path, {"image": "j", "mounts": MOUNTS}).json()
    assert changed == template | {"image": "j", "mounts": MOUNTS}
    assert desk.ask("GET", path).json() == changed
    gpu = {"id": "NVIDIA A40", "count": 1}
    pod = {"name": "p", "templateId": template["id"], "gpu": gpu}
    pod_id = desk.ask("POST", "/v2/pods", pod).json()["id"]
    assert desk.ask("DELETE", path).status == 400
    desk.ask("DELETE", f"/v2/pods/{pod_id}")
    assert desk.ask("DELETE", path).status == 204
    assert desk.ask("GET", path).status == 404


def test_an_image_is_needed():
    response = Desk().ask("POST", "/v2/templates", {"name": "t"})
    assert response.json()["errors"] == ["$: missing properties: 'image'"]
