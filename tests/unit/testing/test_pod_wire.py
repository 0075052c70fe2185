from decimal import Decimal

from podtune.testing.pod_wire import cost, port_of, public_port, wire
from support.stand_in import Desk


def test_every_part_of_a_pod_is_told():
    desk = Desk()
    pod = desk.cloud.account.pods[desk.running()]
    told = wire(pod, desk.cloud.account)
    assert told["mounts"] == {"persistent": {"size": 50, "path": "/workspace"}}
    assert told["globalNetworking"] == {"enabled": False}
    assert told["ssh"]["proxy"]["username"].startswith(pod.id)
    assert told["ssh"]["direct"] is None
    assert pod.key not in str(told)


def test_a_stopped_pod_shows_no_cost():
    desk = Desk()
    pod = desk.cloud.account.pods[desk.running()]
    assert cost(pod) == Decimal("0.40")
    desk.act(pod.id, "stop")
    assert cost(pod) == 0


def test_ports():
    assert port_of("8466/http") == {"private": 8466, "public": None, "type": "http", "ip": None}
    assert port_of("odd")["private"] == 0
    desk = Desk()
    ports = {public_port(desk.cloud.account.pods[desk.create()]) for _ in range(3)}
    assert len(ports) == 3


def test_a_runtime_may_be_empty_or_lack_its_gpus():
    desk = Desk(is_runtime_sparse=True)
    pod_id = desk.create()
    assert desk.pod(pod_id)["runtime"] == {}
    desk.clock.advance(10)
    assert set(desk.pod(pod_id)["runtime"]) == {"uptime", "ports"}
