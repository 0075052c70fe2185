"""A pod as REST v2 tells it."""

from decimal import Decimal

from podtune.testing.account import Account, Pod
from podtune.testing.pod_lifecycle import ACTIONS


def wire(pod: Pod, account: Account) -> dict[str, object]:
    """A pod as the interface tells it; `env` in clear, as the real one does."""
    usd = cost(pod)
    return {
        "id": pod.id,
        "name": pod.name,
        "status": pod.status,
        "actions": list(ACTIONS[pod.status]),
        "image": pod.image,
        "args": pod.args,
        "disk": pod.disk_gb,
        "mounts": mounts_of(pod),
        "ports": pod.ports,
        "env": pod.env,
        "registry": pod.registry,
        **processor_of(pod),
        "cloud": pod.cloud,
        "dataCenterId": pod.data_center,
        "cudaVersion": pod.cuda,
        "ssh": ssh_of(pod),
        "template": pod.template,
        "cost": str(usd) if account.options.prices_as_text else usd,
        "locked": pod.is_locked,
        "globalNetworking": networking_of(pod),
        "runtime": runtime_of(pod, account),
        "createdAt": pod.created_at,
        "startedAt": pod.started_at,
    }


def processor_of(pod: Pod) -> dict[str, object]:
    """Its cards, or the flavour of a machine without one."""
    if pod.cpu is None:
        return {"gpu": {"id": pod.gpu_id, "count": pod.gpu_count}}
    flavour, vcpus, memory = pod.cpu
    return {"cpu": {"id": flavour, "vcpuCount": vcpus, "memory": memory}}


def runtime_of(pod: Pod, account: Account) -> dict[str, object] | None:
    """Load and ports of a running container, None while none runs."""
    is_sparse = account.options.is_runtime_sparse
    if pod.status != "RUNNING" or pod.started_at is None or not pod.has_container:
        return {} if is_sparse else None
    uptime = int((account.now - pod.started_at).total_seconds())
    ports = [port_of(text) for text in pod.ports]
    if is_sparse:
        return {"uptime": uptime, "ports": ports}
    usage = account.executor.usage(pod.id)
    gpu = {"util": round(usage.gpu), "memoryUtil": round(usage.gpu_memory)}
    return {
        "uptime": uptime,
        "gpus": [gpu] * pod.gpu_count,
        "cpu": {"util": round(usage.cpu)},
        "memory": {"util": round(usage.memory)},
        "ports": ports,
    }


def cost(pod: Pod) -> Decimal:
    """What is shown as `cost`, USD per hour; 0 for a pod that is stopped or gone."""
    return Decimal(0) if pod.status in ("EXITED", "TERMINATED") else pod.usd_per_hour


def mounts_of(pod: Pod) -> dict[str, object]:
    """A pod's mounts as the wire has them; empty when it has none."""
    if pod.persistent:
        return {"persistent": {"size": pod.persistent[0], "path": pod.persistent[1]}}
    if pod.network:
        return {"network": [{"volumeId": pod.network[0], "path": pod.network[1]}]}
    return {}


def ssh_of(pod: Pod) -> dict[str, object]:
    """How to open a shell; the stand-in has none, so the addresses lead nowhere."""
    user = f"{pod.id}-64411eb2"
    proxy = {
        "host": "ssh.runpod.io",
        "port": 22,
        "username": user,
        "command": f"ssh {user}@ssh.runpod.io",
    }
    direct = None
    if pod.status == "RUNNING" and "22/tcp" in pod.ports:
        port = public_port(pod)
        command = f"ssh root@127.0.0.1 -p {port}"
        direct = {"host": "127.0.0.1", "port": port, "username": "root", "command": command}
    return {"proxy": proxy, "direct": direct}


def networking_of(pod: Pod) -> dict[str, object]:
    """Global networking of a pod."""
    if not pod.global_networking:
        return {"enabled": False}
    dns = f"{pod.id}.runpod.internal"
    return {"enabled": True, "ip": f"10.1.0.{pod.number % 250 + 1}", "internalDns": dns}


def public_port(pod: Pod) -> int:
    """The port of the host that a pod's `22/tcp` is mapped to."""
    return 30_000 + pod.number % 20_000


def port_of(text: str) -> dict[str, object]:
    """A port in `runtime`; HTTP ports are reached through the proxy and have no public one."""
    private, _, kind = text.partition("/")
    number = int(private) if private.isdecimal() else 0
    return {"private": number, "public": None, "type": kind or "tcp", "ip": None}
