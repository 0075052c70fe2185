"""The routes of pods: create, list, look, change, act, delete, logs.

Answers are shaped by RunPod's OpenAPI document (2026-08-18); how the real one differs from it is taken
from runpod.md 1.2. A pod's statuses change in `pod_lifecycle` only.
"""

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Final, cast

from podtune.testing import cpus
from podtune.testing.account import Account, Pod
from podtune.testing.catalogue import Catalogue, Place, Wanted
from podtune.testing.http import Response, json_response, refuse
from podtune.testing.pages import page
from podtune.testing.pod_lifecycle import ACTIONS, Lifecycle
from podtune.testing.pod_wire import cost, wire
from podtune.testing.routes import Call, Route
from podtune.testing.validation import Cpu, CreatePod, Gpu, Mounts, PodAction, UpdatePod, parse

NO_CAPACITY: Final = (
    "There are no longer any instances available with the requested specifications. "
    "Please refresh and try again."
)
"""Word for word (runpod.md 1.2): for no stock, for a data centre without the GPU, for `count` missing."""
MAX_ENV: Final = 50
"""Environment variables of one pod (runpod.md 3)."""
CONTAINER_FIELDS: Final = frozenset({"image", "args", "disk", "ports", "env", "registry", "mounts"})
"""A change of these resets a running pod."""


class Pods:
    """The routes of pods.

    Args:
        account: The state.
        lifecycle: Changes statuses.
        catalogue: Finds room.
    """

    def __init__(self, account: Account, lifecycle: Lifecycle, catalogue: Catalogue) -> None:
        self._account = account
        self._lifecycle = lifecycle
        self._catalogue = catalogue

    def routes(self) -> list[Route]:
        """The routes of pods (logs are the cloud's own)."""
        return [
            Route("GET", "/v2/pods", self._list, "list_pods"),
            Route("POST", "/v2/pods", self._create, "create_pod"),
            Route("GET", "/v2/pods/{id}", self._get, "get_pod"),
            Route("PATCH", "/v2/pods/{id}", self._update, "update_pod"),
            Route("DELETE", "/v2/pods/{id}", self._delete, "delete_pod"),
            Route("POST", "/v2/pods/{id}/action", self._act, "act_on_pod"),
        ]

    def find(self, pod_id: str) -> Pod:
        """A pod that is there.

        Raises:
            Refused: 404, none, or one so new that it is not told yet.
        """
        pod = self._account.pods.get(pod_id)
        if pod is None or pod.terminated_at is not None or self._is_unsettled(pod):
            raise refuse(404, "pod not found")
        return pod

    def _is_unsettled(self, pod: Pod) -> bool:
        lag = timedelta(seconds=self._account.options.transient_404_s)
        return self._account.now < pod.created_at + lag

    def _list(self, call: Call) -> Response:
        rows = [pod for pod in self._account.pods.values() if self._is_listed(pod, call)]
        return page("pods", [wire(pod, self._account) for pod in rows], call, self._account.options)

    def _is_listed(self, pod: Pod, call: Call) -> bool:
        now, options = self._account.now, self._account.options
        if call.caller.pod_id not in (None, pod.id):
            return False
        if pod.terminated_at is not None:
            return now < pod.terminated_at + timedelta(seconds=options.removal_lag_s)
        return now >= pod.created_at + timedelta(seconds=options.listing_lag_s)

    def _get(self, call: Call) -> Response:
        return json_response(wire(self.find(call.params["id"]), self._account))

    def _create(self, call: Call) -> Response:
        body = self._with_template(parse(call.request.body, CreatePod))
        if (body.gpu is None) == (body.cpu is None):
            raise refuse(400, "exactly one of gpu or cpu must be set")
        wanted = self._bare(body, body.cpu) if body.cpu else self._wanted(body)
        if len(body.env) > MAX_ENV:
            raise refuse(400, f"a pod has at most {MAX_ENV} environment variables")
        place = self._place(body, wanted)
        if place is None:
            what = body.cpu.id if body.cpu else f"{wanted.gpu_count} x {wanted.gpu_id}"
            self._account.note("no capacity", detail=what)
            raise refuse(400, NO_CAPACITY)
        self._check_money(place.usd_per_hour)
        pod = self._made(body, wanted, place)
        self._lifecycle.begin(pod)
        return json_response(wire(pod, self._account), 201)

    def _bare(self, body: CreatePod, cpu: Cpu) -> Wanted:
        """A machine without a card."""
        cpus.check(self._catalogue.cpus.get(cpu.id), cpu.id, cpu.vcpuCount)
        return Wanted("", 0, body.cloud, self._mounted(body.mounts, body))

    def _place(self, body: CreatePod, wanted: Wanted) -> Place | None:
        """Where an order is put; None where nothing is free."""
        if body.cpu is None:
            return self._catalogue.place(wanted, body.name)
        row = self._catalogue.cpus[body.cpu.id]
        center = cpus.center_of(row, wanted.data_centers) if body.cloud == "SECURE" else None
        if center is None or self._account.faults.is_drought(row.id, body.name, self._account.now):
            return None
        return Place(center, None, Decimal(row.secure) * body.cpu.vcpuCount)

    def _wanted(self, body: CreatePod) -> Wanted:
        gpu = body.gpu or Gpu(id="")
        if gpu.allowedCudaVersions and gpu.minCudaVersion:
            raise refuse(400, "allowedCudaVersions and minCudaVersion are mutually exclusive")
        centers = self._mounted(body.mounts, body)
        if gpu.id not in self._catalogue.rows:
            raise refuse(400, f"gpu type {gpu.id!r} not found")
        return Wanted(
            gpu.id,
            gpu.count or 0,  # without a count the scheduler matches no machine (runpod.md 1.2)
            body.cloud,
            centers,
            tuple(gpu.allowedCudaVersions),
            gpu.minCudaVersion or "",
            body.globalNetworking,
        )

    def _mounted(self, mounts: Mounts, body: CreatePod) -> tuple[str, ...]:
        """The data centres left once the mounts are looked at."""
        if not mounts.network:
            return tuple(body.dataCenterIds)
        if mounts.persistent:
            raise refuse(400, "mounts.persistent and mounts.network are mutually exclusive")
        if body.cloud != "SECURE":
            raise refuse(400, "network volumes are available on secure cloud only")
        volume = self._account.volumes.get(mounts.network[0].volumeId)
        if volume is None:
            raise refuse(400, "network volume not found")
        if body.dataCenterIds and volume.data_center not in body.dataCenterIds:
            raise refuse(400, NO_CAPACITY)
        return (volume.data_center,)

    def _check_money(self, usd_per_hour: Decimal) -> None:
        options = self._account.options
        burning = sum((cost(pod) for pod in self._account.live_pods()), Decimal(0))
        if self._account.balance_usd < usd_per_hour:
            raise refuse(402, "insufficient balance: one hour must be covered")
        if burning + usd_per_hour > options.spend_limit_usd:
            raise refuse(402, "the account's spend limit would be exceeded")

    def _with_template(self, body: CreatePod) -> CreatePod:
        if body.templateId is None:
            if not body.given("image"):
                raise refuse(422, "Request validation failed.", ["$: missing properties: 'image'"])
            return body
        template = self._account.templates.get(body.templateId)
        if template is None:
            raise refuse(404, "template not found")
        if template.settings["serverless"]:
            raise refuse(422, "a serverless template cannot make a pod")
        return filled(body, template.settings)

    def _made(self, body: CreatePod, wanted: Wanted, place: Place) -> Pod:
        account = self._account
        pod_id = account.new_id()
        disk = body.mounts.persistent
        volume = body.mounts.network[0] if body.mounts.network else None
        env = dict(body.env)
        if body.startJupyter:
            env.setdefault("JUPYTER_PASSWORD", account.new_id(16))
        return Pod(
            id=pod_id,
            name=body.name,
            image=body.image,
            args=body.args,
            env=env,
            ports=list(body.ports),
            disk_gb=body.disk,
            persistent=(disk.size, disk.path) if disk else None,
            network=(volume.volumeId, volume.path) if volume else None,
            gpu_id=wanted.gpu_id,
            gpu_count=wanted.gpu_count,
            cloud=body.cloud,
            data_center=place.data_center,
            cuda=place.cuda,
            usd_per_hour=place.usd_per_hour,
            key=account.new_key(pod_id),
            created_at=account.now,
            number=account.next_pod_number(),
            registry=body.registry,
            template=body.templateId,
            global_networking=body.globalNetworking,
            start_ssh=body.startSsh,
            cpu=self._cpu(body.cpu),
        )

    def _cpu(self, cpu: Cpu | None) -> tuple[str, int, int] | None:
        """Flavour, virtual cores, GB of memory."""
        if cpu is None:
            return None
        memory = round(self._catalogue.cpus[cpu.id].ram_gb * cpu.vcpuCount)
        return cpu.id, cpu.vcpuCount, max(1, memory)

    def _update(self, call: Call) -> Response:
        pod, body = self.find(call.params["id"]), parse(call.request.body, UpdatePod)
        given = body.model_fields_set
        if "mounts" in given:
            self._remount(pod, body.mounts)
        for field in given & {"name", "image", "args", "registry"}:
            setattr(pod, field, getattr(body, field))
        pod.env = dict(body.env) if "env" in given else pod.env
        pod.ports = list(body.ports) if "ports" in given else pod.ports
        pod.disk_gb = body.disk if "disk" in given else pod.disk_gb
        pod.is_locked = body.locked if "locked" in given else pod.is_locked
        if "globalNetworking" in given:
            pod.global_networking = body.globalNetworking
        if given & CONTAINER_FIELDS and pod.status == "RUNNING":
            self._lifecycle.restart(pod)
        return json_response(wire(pod, self._account))

    def _remount(self, pod: Pod, mounts: Mounts) -> None:
        if mounts.persistent and pod.persistent:
            pod.persistent = (mounts.persistent.size, mounts.persistent.path)
        elif mounts.network and pod.network and mounts.network[0].volumeId == pod.network[0]:
            pod.network = (pod.network[0], mounts.network[0].path)
        elif mounts.given("persistent") or mounts.given("network"):
            raise refuse(400, "the kind of mount and its volume are immutable")

    def _delete(self, call: Call) -> Response:
        self._lifecycle.terminate(self.find(call.params["id"]))
        return Response(204)

    def _act(self, call: Call) -> Response:
        pod = self.find(call.params["id"])
        action = parse(call.request.body, PodAction).action
        if action not in ACTIONS[pod.status]:
            raise refuse(409, f"cannot {action} a pod in status {pod.status}")
        if pod.is_locked and action in ("stop", "restart"):
            raise refuse(409, f"cannot {action} a locked pod")
        if action == "terminate":
            self._lifecycle.terminate(pod)
            return Response(204)
        verbs = {
            "start": self._lifecycle.start,
            "stop": self._lifecycle.stop,
            "restart": self._lifecycle.restart,
        }
        verbs[action](pod)
        return json_response(wire(pod, self._account))


def filled(body: CreatePod, settings: Mapping[str, object]) -> CreatePod:
    """A create with what its template says where it says nothing itself; `env` is merged."""
    taken = {
        name: settings[name]
        for name in ("image", "args", "disk", "ports", "registry", "startSsh", "startJupyter")
        if not body.given(name)
    }
    env = {**cast("dict[str, str]", settings["env"]), **body.env}
    mounts = settings.get("mounts")
    if mounts is not None and not body.given("mounts"):
        taken["mounts"] = Mounts.model_validate(mounts)
    gpu = body.gpu
    if isinstance(gpu, Gpu) and not gpu.given("allowedCudaVersions") and not gpu.minCudaVersion:
        allowed = settings["allowedCudaVersions"]
        taken["gpu"] = gpu.model_copy(update={"allowedCudaVersions": allowed})
    return body.model_copy(update={**taken, "env": env})
