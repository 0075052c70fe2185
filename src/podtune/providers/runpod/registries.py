"""Credentials for private images, as the account stores them: a pod names them by id, never their values."""

from podtune.core.errors import SpecError
from podtune.providers.runpod import wire
from podtune.providers.runpod.client import RunPodClient

_NAMED = 10
"""Credentials that an error names at most."""


def find(client: RunPodClient, wanted: str) -> wire.Registry:
    """Stored credentials by their id.

    Raises:
        SpecError: the account has none of this id; their names are ids to nobody.
    """
    pages = client.pages("/registries", wire.RegistryList)
    there = [registry for page in pages for registry in page.registries]
    found = next((one for one in there if one.id == wanted), None)
    if found is not None:
        return found
    named = next((one for one in there if one.name == wanted), None)
    known = ", ".join(f"{one.id} ({one.name})" for one in there[:_NAMED]) or "none"
    raise SpecError(
        f"the RunPod account has no registry credentials {wanted!r}; it has: {known}",
        code="registry_unknown",
        hint=f"--set where.registry_auth={named.id}"
        if named
        else "store them at console.runpod.io under Settings, Container Registry Auth",
    )
