"""Serverless endpoints as REST v2 makes them: settings, releases, a list of workers.

The queue behind an endpoint and its workers are `testing.serverless`, which hooks in by
`Account.workers_of` and `Account.on_endpoint_deleted`.
"""

from collections import Counter
from typing import Final, cast

from podtune.testing.account import Account, Endpoint, Template
from podtune.testing.catalogue import Catalogue
from podtune.testing.gpus import CENTERS
from podtune.testing.http import Response, json_response, refuse
from podtune.testing.pages import page
from podtune.testing.routes import Call, Route
from podtune.testing.serverless.endpoint import BASE_PATH
from podtune.testing.templates import dumped
from podtune.testing.validation import (
    CreateEndpoint,
    EndpointGpu,
    UpdateEndpoint,
    parse,
)

CONTAINER_FIELDS: Final = ("image", "args", "disk", "ports", "env", "registry")
STATUSES: Final = ("RUNNING", "IDLE", "INITIALIZING", "THROTTLED", "UNHEALTHY")


class Endpoints:
    """The routes of serverless endpoints.

    Args:
        account: The state.
        catalogue: Knows the pools.
    """

    def __init__(self, account: Account, catalogue: Catalogue) -> None:
        self._account = account
        self._catalogue = catalogue

    def routes(self) -> list[Route]:
        """List, create, look, change, delete, workers, releases."""
        one = "/v2/serverless/{id}"
        return [
            Route("GET", "/v2/serverless", self._list, "list_endpoints"),
            Route("POST", "/v2/serverless", self._create, "create_endpoint"),
            Route("GET", one, self._get, "get_endpoint"),
            Route("PATCH", one, self._update, "update_endpoint"),
            Route("DELETE", one, self._delete, "delete_endpoint"),
            Route("GET", f"{one}/workers", self._workers, "list_workers"),
            Route("GET", f"{one}/releases", self._releases, "list_releases"),
        ]

    def _find(self, call: Call) -> Endpoint:
        endpoint = self._account.endpoints.get(call.params["id"])
        if endpoint is None:
            raise refuse(404, "endpoint not found")
        return endpoint

    def _list(self, call: Call) -> Response:
        rows = [self._wire(endpoint) for endpoint in self._account.endpoints.values()]
        return page("endpoints", rows, call, self._account.options)

    def _get(self, call: Call) -> Response:
        return json_response(self._wire(self._find(call)))

    def _create(self, call: Call) -> Response:
        body = self._with_template(parse(call.request.body, CreateEndpoint))
        if (body.gpu is None) == (body.cpu is None):
            raise refuse(400, "exactly one of gpu or cpu must be set")
        check_scaling(body)
        self._check_gpu(body.gpu)
        self._check_places(body.dataCenterIds, body.networkVolumes)
        settings = dumped(body)
        settings.pop("templateId")
        family = "cpu" if body.gpu is None else "gpu"
        settings.pop("gpu" if family == "cpu" else "cpu")
        if family == "cpu":
            settings["cpu"] = [
                {**cpu.model_dump(), "memory": 2 * cpu.vcpuCount} for cpu in body.cpu or ()
            ]
        drop_idle_timeout(settings)
        account = self._account
        endpoint = Endpoint(account.new_id(), settings, account.now)
        endpoint.releases.append(self._release(endpoint, []))
        account.endpoints[endpoint.id] = endpoint
        account.note("endpoint created", detail=f"{endpoint.id} {body.name}")
        return json_response(self._wire(endpoint), 201)

    def _with_template(self, body: CreateEndpoint) -> CreateEndpoint:
        if body.templateId is None:
            if not body.given("image"):
                raise refuse(422, "Request validation failed.", ["$: missing properties: 'image'"])
            return body
        taken = self._container_of(body.templateId, body)
        return body.model_copy(update=taken)

    def _container_of(
        self, template_id: str, body: CreateEndpoint | UpdateEndpoint
    ) -> dict[str, object]:
        template: Template | None = self._account.templates.get(template_id)
        if template is None:
            raise refuse(404, "template not found")
        if not template.settings["serverless"]:
            raise refuse(422, "not a serverless template")
        settings = template.settings
        taken = {name: settings[name] for name in CONTAINER_FIELDS if not body.given(name)}
        return taken | {"env": {**cast("dict[str, str]", settings["env"]), **body.env}}

    def _check_gpu(self, gpu: EndpointGpu | None) -> None:
        if gpu is None:
            return
        if gpu.pools is None:
            raise refuse(422, "Request validation failed.", ["$.gpu: missing properties: 'pools'"])
        if gpu.allowedCudaVersions and gpu.minCudaVersion:
            raise refuse(400, "allowedCudaVersions and minCudaVersion are mutually exclusive")
        known = {row.pool for row in self._catalogue.rows.values() if row.pool}
        unknown = [pool for pool in gpu.pools if pool not in known]
        if unknown:
            raise refuse(400, f"unknown GPU pool {unknown[0]!r}: pool ids, not GPU type ids")
        types = {row.id for row in self._catalogue.rows.values() if row.pool in gpu.pools}
        excluded = {name.strip() for name in gpu.excludedTypes}
        if not excluded <= types:
            raise refuse(400, f"{min(excluded - types)!r} is no GPU type of these pools")
        if types == excluded:
            raise refuse(400, "the selection leaves no GPU type")

    def _check_places(self, centers: list[str], volumes: list[str]) -> None:
        known = {center.id for center in CENTERS}
        if not set(centers) <= known:
            raise refuse(400, "unknown data center")
        if not set(volumes) <= set(self._account.volumes):
            raise refuse(400, "network volume not found")

    def _update(self, call: Call) -> Response:
        endpoint, body = self._find(call), parse(call.request.body, UpdateEndpoint)
        given = set(body.model_fields_set)
        self._check_family(endpoint, body)
        self._check_places(body.dataCenterIds, body.networkVolumes)
        changed = dumped(body)
        if body.templateId:
            changed |= self._container_of(body.templateId, body)
            given |= set(CONTAINER_FIELDS)
        changed["workers"] = merged(
            endpoint.settings["workers"], body.workers.model_dump(exclude_unset=True)
        )
        if body.gpu is not None:
            gpu = body.gpu.model_dump(exclude_unset=True)
            if body.gpu.pools is not None:  # pools and exclusions are one selection
                gpu.setdefault("excludedTypes", [])
            changed["gpu"] = merged(endpoint.settings["gpu"], gpu)
        before = dict(endpoint.settings)
        endpoint.settings |= {name: changed[name] for name in given - {"templateId"}}
        drop_idle_timeout(endpoint.settings)
        self._note_release(endpoint, before)
        return json_response(self._wire(endpoint))

    def _check_family(self, endpoint: Endpoint, body: UpdateEndpoint) -> None:
        is_gpu = "gpu" in endpoint.settings
        if (body.cpu is not None and is_gpu) or (body.gpu is not None and not is_gpu):
            raise refuse(400, "the compute family of an endpoint is immutable")
        if body.gpu is not None and body.gpu.given("excludedTypes") and body.gpu.pools is None:
            raise refuse(422, "Request validation failed.", ["$.gpu: excludedTypes requires pools"])
        if body.gpu is not None and body.gpu.pools is not None:
            self._check_gpu(body.gpu)

    def _note_release(self, endpoint: Endpoint, before: dict[str, object]) -> None:
        diff = [
            {"field": name, "old": before.get(name), "new": endpoint.settings[name]}
            for name in endpoint.settings
            if before.get(name) != endpoint.settings[name]
        ]
        if any(change["field"] in CONTAINER_FIELDS for change in diff):
            endpoint.version += 1
            endpoint.releases.insert(0, self._release(endpoint, diff))

    def _release(self, endpoint: Endpoint, diff: list[dict[str, object]]) -> dict[str, object]:
        return {
            "id": self._account.new_id(8),
            "version": endpoint.version,
            "source": "MANUAL",
            "buildId": None,
            "createdByUserId": None,
            "createdAt": self._account.now,
            "diff": diff,
        }

    def _delete(self, call: Call) -> Response:
        endpoint = self._find(call)
        del self._account.endpoints[endpoint.id]
        self._account.on_endpoint_deleted(endpoint)
        self._account.note("endpoint deleted", detail=endpoint.id)
        return Response(204)

    def _workers(self, call: Call) -> Response:
        endpoint = self._find(call)
        workers = list(self._account.workers_of(endpoint))
        counted = Counter(str(worker["status"]) for worker in workers)
        summary = {status.lower(): counted[status] for status in STATUSES}
        return json_response(
            {
                "workers": workers,
                "summary": {**summary, "total": len(workers)},
                "endpointVersion": endpoint.version,
            }
        )

    def _releases(self, call: Call) -> Response:
        endpoint = self._find(call)
        workers = list(self._account.workers_of(endpoint))
        versions = Counter(worker.get("version") for worker in workers)
        latest, total = versions[endpoint.version], len(workers)
        rollout = {
            "inProgress": latest < total,
            "workersOnLatest": latest,
            "workersTotal": total,
            "percentOnLatest": 100 * latest // total if total else 100,
        }
        releases = [
            {**release, "workerCount": versions[release["version"]]}
            for release in endpoint.releases
        ]
        told = {"releases": releases, "rollout": rollout, "endpointVersion": endpoint.version}
        return json_response(told)

    def _wire(self, endpoint: Endpoint) -> dict[str, object]:
        told = {"id": endpoint.id, **endpoint.settings, "createdAt": endpoint.created_at}
        return told | {"requestUrls": request_urls(endpoint, self._account.options.base_url)}


def check_scaling(body: CreateEndpoint) -> None:
    """Rules between the kind of an endpoint, its scaling and its workers.

    Raises:
        Refused: 422.
    """
    if body.type == "LOAD_BALANCER" and body.scaling.type != "REQUEST_COUNT":
        raise refuse(
            422, "Request validation failed.", ["$.scaling.type: value must be 'REQUEST_COUNT'"]
        )
    is_counted = body.type == "QUEUE" and body.scaling.type == "REQUEST_COUNT"
    if is_counted and body.workers.given("idleTimeout"):
        raise refuse(
            422,
            "Request validation failed.",
            ["$.workers.idleTimeout: not applicable to a QUEUE endpoint scaled by REQUEST_COUNT"],
        )


def drop_idle_timeout(settings: dict[str, object]) -> None:
    """The idle timeout is left out of answers where it has no meaning."""
    scaling = cast("dict[str, object]", settings["scaling"])
    workers = cast("dict[str, object]", settings["workers"])
    if settings["type"] == "QUEUE" and scaling["type"] == "REQUEST_COUNT":
        settings["workers"] = {k: v for k, v in workers.items() if k != "idleTimeout"}


def merged(old: object, new: dict[str, object]) -> dict[str, object]:
    """Settings of an object with those changed that were given."""
    return {**cast("dict[str, object]", old), **new}


def request_urls(endpoint: Endpoint, base_url: str) -> dict[str, str]:
    """Where the endpoint's jobs are sent: the job API of this stand-in."""
    base = f"{base_url}{BASE_PATH}/{endpoint.id}"
    if not endpoint.is_queue:
        return {"base": base, "health": f"{base}/ping"}
    return {
        "run": f"{base}/run",
        "runSync": f"{base}/runsync",
        "status": f"{base}/status/{{job_id}}",
        "stream": f"{base}/stream/{{job_id}}",
        "cancel": f"{base}/cancel/{{job_id}}",
        "retry": f"{base}/retry/{{job_id}}",
        "purgeQueue": f"{base}/purge-queue",
        "health": f"{base}/health",
    }
