from support.stand_in import Desk


def test_credentials_are_never_told_again():
    desk = Desk()
    body = {"name": "hub", "username": "me", "password": "hush"}
    made = desk.ask("POST", "/v2/registries", body)
    assert made.status == 201
    assert set(made.json()) == {"id", "name"}
    path = f"/v2/registries/{made.json()['id']}"
    assert desk.ask("GET", "/v2/registries").json() == {"registries": [made.json()]}
    assert b"hush" not in desk.ask("GET", path).content()
    assert desk.ask("DELETE", path).status == 204
    assert desk.ask("DELETE", path).status == 404
    assert desk.ask("POST", "/v2/registries", body | {"password": ""}).status == 422


def test_ssh_keys_are_replaced_as_a_whole():
    desk = Desk()
    path = "/v2/account/ssh-keys"
    assert desk.ask("GET", path).json() == {"keys": []}
    assert desk.ask("PUT", path, {"keys": ["a", "b"]}).json() == {"keys": ["a", "b"]}
    assert desk.ask("PUT", path, {"keys": ["c"]}).status == 200
    assert desk.ask("GET", path).json() == {"keys": ["c"]}
