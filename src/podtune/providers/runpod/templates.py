"""Templates of serverless workers, and the credentials of private images that they name."""

from pydantic import SecretStr

from podtune.providers.runpod import serverless_wire as wire
from podtune.providers.runpod.client import RunPodClient, path_to
from podtune.providers.runpod.endpoints import refusals
from podtune.providers.runpod.wire import Registry, RegistryList


def path_of(template_id: str) -> str:
    """Where a template is, below the base address.

    Raises:
        NotFoundError: no template has such an id; nothing of it gets into an address.
    """
    return path_to("/templates", template_id, "a template")


def listed(client: RunPodClient) -> list[wire.Template]:
    """Every template of the account.

    Raises:
        PodtuneError: the list cannot be read whole; nothing is known then.
    """
    pages = client.pages("/templates", wire.TemplateList)
    return [template for page in pages for template in page.templates]


def create(client: RunPodClient, body: wire.TemplateBody) -> wire.Template:
    """Make a template; it costs nothing.

    Raises:
        DoubtfulError: it may exist: look for its name before anything is sent again.
        PodtuneError: refused, see `answers`.
    """
    with refusals():
        return client.create("/templates", body, wire.Template)


def change(client: RunPodClient, template_id: str, body: wire.TemplateBody) -> wire.Template:
    """Change the given fields of a template; endpoints made of it are not changed by this.

    Raises:
        PodtuneError: see `RunPodClient.change`.
    """
    with refusals():
        return client.change(path_of(template_id), body, wire.Template)


def delete(client: RunPodClient, template_id: str) -> None:
    """Delete a template; gone already is success.

    RunPod deletes the one that an endpoint is bound to together with it (OpenAPI document, 2026-11-23).

    Raises:
        PodtuneError: RunPod cannot be asked, or something still uses it.
    """
    client.remove(path_of(template_id))


def credentials(client: RunPodClient) -> list[Registry]:
    """Names and ids of all stored credentials; their values are never answered.

    Raises:
        PodtuneError: the list cannot be read whole.
    """
    pages = client.pages("/registries", RegistryList)
    return [registry for page in pages for registry in page.registries]


def store_credentials(
    client: RunPodClient, name: str, user: SecretStr, password: SecretStr
) -> Registry:
    """Store what opens a private image, under a name.

    Raises:
        DoubtfulError: they may be stored: look for the name.
        PodtuneError: refused, see `answers`.
    """
    body = wire.CreateRegistry(name=name, username=user, password=password)
    with refusals():
        return client.create("/registries", body, Registry)
