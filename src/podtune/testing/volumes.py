"""Network volumes: disks of one data centre, for pods of the secure cloud and serverless workers."""

from podtune.testing.account import Account, Volume
from podtune.testing.gpus import CENTERS
from podtune.testing.http import Response, json_response, refuse
from podtune.testing.meter import Meter
from podtune.testing.pages import page
from podtune.testing.routes import Call, Route
from podtune.testing.validation import CreateVolume, UpdateVolume, parse


class Volumes:
    """The routes of network volumes.

    Args:
        account: The state.
        meter: Charges them.
    """

    def __init__(self, account: Account, meter: Meter) -> None:
        self._account = account
        self._meter = meter

    def routes(self) -> list[Route]:
        """List, create, look, grow, delete."""
        one = "/v2/network-volumes/{id}"
        return [
            Route("GET", "/v2/network-volumes", self._list, "list_volumes"),
            Route("POST", "/v2/network-volumes", self._create, "create_volume"),
            Route("GET", one, self._get, "get_volume"),
            Route("PATCH", one, self._update, "update_volume"),
            Route("DELETE", one, self._delete, "delete_volume"),
        ]

    def _find(self, call: Call) -> Volume:
        volume = self._account.volumes.get(call.params["id"])
        if volume is None:
            raise refuse(404, "network volume not found")
        return volume

    def _list(self, call: Call) -> Response:
        rows = [wire(volume) for volume in self._account.volumes.values()]
        return page("networkVolumes", rows, call, self._account.options)

    def _get(self, call: Call) -> Response:
        return json_response(wire(self._find(call)))

    def _create(self, call: Call) -> Response:
        body = parse(call.request.body, CreateVolume)
        center = next((row for row in CENTERS if row.id == body.dataCenter), None)
        if center is None or not center.volume_types:
            good = ", ".join(row.id for row in CENTERS if row.volume_types)
            raise refuse(400, f"data center {body.dataCenter!r} has no storage; use one of: {good}")
        kind = body.type or center.volume_types[0]
        if kind not in center.volume_types:
            raise refuse(400, f"data center {center.id} does not offer {kind}")
        account = self._account
        volume_id = account.new_id(10)
        volume = Volume(volume_id, body.name, body.size, center.id, kind, account.now)
        account.volumes[volume_id] = volume
        return json_response(wire(volume), 201)

    def _update(self, call: Call) -> Response:
        volume, body = self._find(call), parse(call.request.body, UpdateVolume)
        if not body.model_fields_set:
            raise refuse(422, "Request validation failed.", ["$: minimum 1 properties required"])
        if body.given("size"):
            if body.size < volume.size_gb:
                raise refuse(400, "a network volume cannot shrink")
            self._meter.settle_volume(volume)
            volume.size_gb = body.size
        volume.name = body.name if body.given("name") else volume.name
        return json_response(wire(volume))

    def _delete(self, call: Call) -> Response:
        volume = self._find(call)
        if any(pod.network and pod.network[0] == volume.id for pod in self._account.live_pods()):
            raise refuse(400, "network volume is attached to a pod")
        self._meter.settle_volume(volume)
        del self._account.volumes[volume.id]
        return Response(204)


def wire(volume: Volume) -> dict[str, object]:
    """A volume as the interface tells it."""
    return {
        "id": volume.id,
        "name": volume.name,
        "size": volume.size_gb,
        "dataCenter": volume.data_center,
        "type": volume.kind,
    }
