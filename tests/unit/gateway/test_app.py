"""The app from its parts."""

from podtune.app.service import Service
from podtune.app.tending import Tending
from podtune.gateway.app import create_app
from podtune.gateway.bounds import Bounds
from podtune.gateway.doors import Doorway
from podtune.gateway.guard import Guard
from support import gateways


def test_layers_stand_in_this_order(tmp_path):
    app = create_app(gateways.settings(tmp_path))
    assert [layer.cls for layer in app.user_middleware] == [Guard, Doorway, Bounds]
    app.state.parts.service.close()


def test_it_makes_the_home_and_a_service_that_is_tended(tmp_path):
    settings = gateways.settings(tmp_path)
    parts = create_app(settings).state.parts
    assert settings.database.is_file()
    assert (
        settings.home.stat().st_mode & 0o077 == 0
    )  # rows, keys and signed addresses are nobody else's
    assert isinstance(parts.service.drivers, Tending)
    assert parts.tending is parts.service.drivers
    parts.service.close()


def test_a_service_that_is_handed_in_stays_open(tmp_path):
    settings = gateways.settings(tmp_path)
    service = Service(settings)
    with gateways.Gateway(settings) as gateway:
        assert create_app(settings, service=service).state.parts.service is service
        assert gateway.service.jobs() == []
    assert service.jobs() == []
    service.close()


def test_recovery_is_a_chore_of_the_gateway(serve, monkeypatch):
    from podtune.app.submissions import Submissions
    from support.waiting import until

    asked = []
    monkeypatch.setattr(Submissions, "recover", lambda self: asked.append(self))
    gateway = serve()
    until(lambda: asked, "the first recovery")
    assert asked[0] is gateway.app.state.parts.submissions


def test_every_face_is_there(client):
    for path in ("/healthz", "/training/jobs", "/v1/models", "/"):
        assert client.get(path, headers={"Accept": "*/*"}).status_code == 200, path
