"""Templates: settings of a container under a name, read once when a pod or endpoint is made of them."""

from podtune.testing.account import Account, Template
from podtune.testing.http import Response, json_response, refuse
from podtune.testing.pages import page
from podtune.testing.routes import Call, Route
from podtune.testing.validation import Body, CreateTemplate, UpdateTemplate, parse


class Templates:
    """The routes of templates.

    Args:
        account: The state.
    """

    def __init__(self, account: Account) -> None:
        self._account = account

    def routes(self) -> list[Route]:
        """List, create, look, change, delete."""
        return [
            Route("GET", "/v2/templates", self._list, "list_templates"),
            Route("POST", "/v2/templates", self._create, "create_template"),
            Route("GET", "/v2/templates/{id}", self._get, "get_template"),
            Route("PATCH", "/v2/templates/{id}", self._update, "update_template"),
            Route("DELETE", "/v2/templates/{id}", self._delete, "delete_template"),
        ]

    def _find(self, call: Call) -> Template:
        template = self._account.templates.get(call.params["id"])
        if template is None:
            raise refuse(404, "template not found")
        return template

    def _list(self, call: Call) -> Response:
        rows = [wire(template) for template in self._account.templates.values()]
        return page("templates", rows, call, self._account.options)

    def _get(self, call: Call) -> Response:
        return json_response(wire(self._find(call)))

    def _create(self, call: Call) -> Response:
        body = parse(call.request.body, CreateTemplate)
        if not body.given("image"):
            raise refuse(422, "Request validation failed.", ["$: missing properties: 'image'"])
        settings = dumped(body)
        if body.mounts is None or body.mounts.persistent is None:
            settings.pop("mounts")  # the key is absent when there is none (runpod.md 1.3)
        template = Template(self._account.new_id(10), settings)
        self._account.templates[template.id] = template
        return json_response(wire(template), 201)

    def _update(self, call: Call) -> Response:
        template, body = self._find(call), parse(call.request.body, UpdateTemplate)
        changed = dumped(body)
        template.settings |= {name: changed[name] for name in body.model_fields_set}
        return json_response(wire(template))

    def _delete(self, call: Call) -> Response:
        template = self._find(call)
        if any(pod.template == template.id for pod in self._account.live_pods()):
            raise refuse(400, "template is in use by a pod")
        del self._account.templates[template.id]
        return Response(204)


def dumped(body: Body) -> dict[str, object]:
    """A body's fields as plain JSON values, defaults included."""
    return body.model_dump(mode="json", exclude_none=False)


def wire(template: Template) -> dict[str, object]:
    """A template as the interface tells it; `mounts` only where it has one.

    The OpenAPI document requires `mounts`; the real answer leaves it out (runpod-python#584 review).
    """
    return {"id": template.id, **template.settings}
