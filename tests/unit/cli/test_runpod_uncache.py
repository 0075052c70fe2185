"""`podtune runpod uncache` as a command, over sockets."""

import json
import sys

import pytest

from podtune.testing.cloud import Cloud
from podtune.testing.http import Request, encode
from podtune.testing.server import KEY, CloudServer
from podtune.testing.serverless.service import attach


@pytest.fixture
def cloud(monkeypatch):
    made = Cloud()
    attach(made)
    with CloudServer(made) as server:
        for name, value in server.environment().items():
            monkeypatch.setenv(name, value)
        yield made


@pytest.fixture
def volume(cloud):
    headers = {"authorization": f"Bearer {KEY}", "user-agent": "podtune-test"}
    body = {"name": "qwen-model-cache", "size": 200, "dataCenter": "US-KS-2"}
    answer = cloud.handle(Request.of("POST", "/v2/network-volumes", headers, encode(body)))
    return answer.json()["id"]


def test_nothing_is_deleted_without_consent(run, cloud, volume, monkeypatch):
    monkeypatch.setattr(sys.stdin, "isatty", lambda: False)
    said = run("runpod", "uncache", volume)
    assert said.code == 2
    assert "confirm_needed" in said.err
    assert "$14.00 a month" in said.err
    assert volume in cloud.account.volumes


def test_agreed_to_it_is_gone(run, cloud, volume):
    said = run("runpod", "uncache", "qwen-model-cache", "--yes", "--output", "json")
    assert said.code == 0
    assert json.loads(said.out) == {"deleted": volume, "usd_per_month": "14.00"}
    assert cloud.account.volumes == {}


def test_the_audit_names_the_command(run, volume):
    said = run("runpod", "audit")
    assert f"podtune runpod uncache {volume}" in " ".join(said.out.split())


def test_what_is_not_there(run, cloud):
    said = run("runpod", "uncache", "nothing", "--yes")
    assert said.code == 2
    assert "has no model cache" in said.err
