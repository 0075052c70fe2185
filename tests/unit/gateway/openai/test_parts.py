import pytest

from podtune.core.errors import StateError
from support import gateways


def test_made_once_and_closed_with_the_gateway(tmp_path):
    with gateways.Gateway(gateways.settings(tmp_path)) as gateway:
        assert not hasattr(gateway.app.state, "hosted")
        with gateway.client() as client:
            assert client.get("/v1/files").json()["data"] == []
            made = gateway.app.state.hosted
            assert client.get("/v1/files").status_code == 200
        assert gateway.app.state.hosted is made
    with pytest.raises(StateError) as caught:
        next(made.chats.complete(tmp_path, {}))
    assert caught.value.code == "busy"
