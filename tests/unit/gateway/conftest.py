"""Gateways on real sockets; nothing is driven."""

import pytest

from support import gateways, homes


@pytest.fixture
def serve(tmp_path):
    """Start a gateway on the home of this test."""
    started = []

    def start(*, is_exposed=False, **settings):
        made = gateways.settings(tmp_path, **settings)
        started.append(gateways.Gateway(made, is_exposed=is_exposed))
        return started[-1]

    yield start
    for one in started:
        one.close()


@pytest.fixture
def gateway(serve):
    return serve()


@pytest.fixture
def client(gateway):
    """This machine's own user."""
    with gateway.client() as made:
        yield made


@pytest.fixture
def job(gateway, tmp_path):
    """A job of the home that nobody runs."""
    plan = homes.plan(tmp_path / "user")
    return gateway.service.submit(plan, digest=plan.digest)
