"""Registry credentials, which are told to nobody again, and the account's SSH keys."""

from podtune.testing.account import Account, Registry
from podtune.testing.http import Response, json_response, refuse
from podtune.testing.pages import page
from podtune.testing.routes import Call, Route
from podtune.testing.validation import CreateRegistry, UpdateSshKeys, parse


class Registries:
    """The routes of registry credentials and SSH keys.

    Args:
        account: The state.
    """

    def __init__(self, account: Account) -> None:
        self._account = account

    def routes(self) -> list[Route]:
        """List, create, look, delete; read and write keys."""
        keys = "/v2/account/ssh-keys"
        return [
            Route("GET", "/v2/registries", self._list, "list_registries"),
            Route("POST", "/v2/registries", self._create, "create_registry"),
            Route("GET", "/v2/registries/{id}", self._get, "get_registry"),
            Route("DELETE", "/v2/registries/{id}", self._delete, "delete_registry"),
            Route("GET", keys, self._get_keys, "get_ssh_keys"),
            Route("PUT", keys, self._put_keys, "put_ssh_keys"),
        ]

    def _find(self, call: Call) -> Registry:
        registry = self._account.registries.get(call.params["id"])
        if registry is None:
            raise refuse(404, "registry not found")
        return registry

    def _list(self, call: Call) -> Response:
        rows = [wire(registry) for registry in self._account.registries.values()]
        return page("registries", rows, call, self._account.options)

    def _get(self, call: Call) -> Response:
        return json_response(wire(self._find(call)))

    def _create(self, call: Call) -> Response:
        body = parse(call.request.body, CreateRegistry)
        registry = Registry(self._account.new_id(10), body.name)
        self._account.registries[registry.id] = registry
        return json_response(wire(registry), 201)

    def _delete(self, call: Call) -> Response:
        del self._account.registries[self._find(call).id]
        return Response(204)

    def _get_keys(self, _: Call) -> Response:
        return json_response({"keys": self._account.ssh_keys})

    def _put_keys(self, call: Call) -> Response:
        self._account.ssh_keys = list(parse(call.request.body, UpdateSshKeys).keys)
        return json_response({"keys": self._account.ssh_keys})


def wire(registry: Registry) -> dict[str, object]:
    """Credentials as the interface tells them: without what they are."""
    return {"id": registry.id, "name": registry.name}
