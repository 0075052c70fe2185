from datetime import timedelta

from podtune.testing.serverless.endpoint import BASE_PATH, IDLE_CAPS, VOLUME_PATH


def test_the_strictest_cap_of_an_idle_endpoint_comes_first():
    assert [cap for _, cap in IDLE_CAPS] == [0, 2]
    assert [limit for limit, _ in IDLE_CAPS] == [timedelta(days=7), timedelta(days=3)]


def test_a_workers_volume_is_not_a_pods():
    assert VOLUME_PATH == "/runpod-volume"


def test_the_queue_is_another_host_than_the_control_plane():
    assert not BASE_PATH.startswith("/v2")
