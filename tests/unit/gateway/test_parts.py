"""What requests share."""

from fastapi import Request

from podtune.gateway.parts import parts_of


def test_a_route_finds_them(gateway):
    request = Request({"type": "http", "app": gateway.app})
    parts = parts_of(request)
    assert parts.service is gateway.service
    assert parts.tending is gateway.service.drivers
    assert not parts.closing.is_set()
