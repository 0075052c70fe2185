"""What the commands about endpoints bring of this installation: its owner, its keys, clients of the account."""

from podtune.app import installation
from podtune.app import settings as environment
from podtune.app.deploy import Here
from podtune.app.settings import Settings
from podtune.core import addresses
from podtune.core.errors import CredentialsError
from podtune.providers.runpod.client import RunPodClient
from podtune.providers.runpod.queue import QueueClient


def client_of() -> RunPodClient:
    """The control plane of the account that the environment names.

    Raises:
        CredentialsError: RUNPOD_API_KEY is not set.
    """
    return RunPodClient(environment.runpod_access())


def queue_of() -> QueueClient:
    """The job API of the account that the environment names.

    Raises:
        CredentialsError: RUNPOD_API_KEY is not set.
    """
    return QueueClient(environment.runpod_access())


def owner_of(settings: Settings) -> str:
    """This installation's name; made where it has none yet."""
    return installation.owner(settings.home)


def gateway_of(settings: Settings) -> str:
    """Where applications reach the gateway; empty where nobody said.

    Raises:
        SpecError: an address that is none, or http to another machine than this one.
    """
    url = settings.gateway_url.strip()
    return addresses.checked(url, "PODTUNE_GATEWAY_URL") if url else ""


def here(settings: Settings, *, with_service_key: bool) -> Here:
    """What this installation brings to an endpoint.

    Raises:
        CredentialsError: Supabase's service key is to be handed over, and is not set.
        SpecError: half a registry login, or an address that is none.
    """
    key = None
    if with_service_key:
        access = environment.supabase_access()
        if access is None:
            raise CredentialsError(
                "--with-service-key: SUPABASE_URL and SUPABASE_SERVICE_ROLE_KEY are not both set",
                code="missing_key",
                hint="Supabase's dashboard shows both under Project Settings, API",
            )
        key = access.service_key
    return Here(
        owner=owner_of(settings),
        supabase_url=environment.supabase_url(),
        service_key=key,
        registry_login=environment.registry_login(),
    )
