"""Accounts and stores from the settings: who may put things where, checked before money is spent.

Nothing is opened until it is used; secrets come from the environment by way of `settings` and stay
on this machine. A rented machine gets addresses signed for one object, and at most
PODTUNE_POD_HF_TOKEN, whose rights must have been chosen one by one.
"""

from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from pydantic import SecretStr

from podtune.app import targets
from podtune.app.settings import (
    Settings,
    hub_access,
    pod_hub_token,
    runpod_access,
    s3_credentials,
    supabase_access,
)
from podtune.core.addresses import is_loopback
from podtune.core.errors import CredentialsError, SpecError
from podtune.core.spec import ModelSource, TrainingSpec
from podtune.egress.s3 import parse_source
from podtune.storage import places
from podtune.storage.access import HubAccess
from podtune.storage.hub_account import HubAccount, of_environment
from podtune.storage.hub_store import HubStore, check_pod_token
from podtune.storage.places import BundleStore, DirectStore
from podtune.storage.s3_store import S3, S3Store
from podtune.storage.supabase import Supabase, require_private
from podtune.storage.supabase_store import SupabaseStore

ROWS: Final = Path("data/train.jsonl")
"""The job's own copy of its rows, in its folder."""


_NOT_OF_THE_HUB: Final = (ModelSource.PATH, ModelSource.PACKAGE)


def hub_account() -> HubAccount:
    """Our account of the Hub: HF_TOKEN, or what `hf auth login` has kept.

    Raises:
        SpecError: HF_ENDPOINT is no address that a token may be sent to.
    """
    given = hub_access()
    return HubAccount(given) if given.token else of_environment(given.url)


def s3() -> S3:
    """S3 by AWS's own variables.

    Raises:
        CredentialsError: they are not set.
        SpecError: the endpoint is plain http to another machine.
    """
    credentials = s3_credentials()
    if credentials is None:
        raise CredentialsError(
            "there are no credentials to write to S3",
            code="no_s3_credentials",
            hint="set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY "
            "(and AWS_ENDPOINT_URL for another store than AWS)",
        )
    return S3(credentials)


def supabase() -> Supabase:
    """Supabase Storage by Supabase's own variables.

    Raises:
        CredentialsError: they are not set.
    """
    account = supabase_access()
    if account is None:
        raise CredentialsError(
            "there are no credentials for Supabase",
            code="no_supabase_credentials",
            hint="set SUPABASE_URL and SUPABASE_SERVICE_ROLE_KEY",
        )
    return Supabase(account)


def pod_token() -> SecretStr | None:
    """The Hub token that rented machines may be handed, checked; None when none is set.

    Raises:
        CredentialsError: it is rejected, or opens the whole account.
    """
    token = pod_hub_token()
    if token is not None:
        check_pod_token(HubAccount(HubAccess(token, hub_access().url)))
    return token


def bundle_store(spec: TrainingSpec, settings: Settings, folder: Path) -> BundleStore:
    """The store that a rented job's spec names.

    Args:
        spec: Of the job.
        settings: Of this installation.
        folder: The job's.

    Raises:
        CredentialsError: a key is missing or rejected.
        SpecError: no bucket is named.
        UnsupportedError: a network volume.
    """
    match spec.deliver.store:
        case "direct":
            return DirectStore()
        case "s3":
            return S3Store(s3(), *_bucket(spec, settings))
        case "supabase":
            return SupabaseStore(supabase())
        case "hf":
            from podtune.app import eject  # brings the planner, which no other store needs

            script = folder / eject.SCRIPT
            script.write_text(eject.script(), encoding="utf-8", newline="\n")
            return HubStore(hub_account(), folder / ROWS, script, pod_token())
        case "volume":
            raise places.volume_refused()


def check_store(spec: TrainingSpec, settings: Settings) -> None:
    """See that the store of a rented job can be used, before anything is rented.

    Raises:
        CredentialsError: a key is missing, rejected, or opens too much.
        SpecError: no bucket is named; a rented machine cannot reach the store.
        UnsupportedError: strangers could read what is put there; a network volume.
        UnavailableError: it does not answer.
    """
    from_hub = spec.base_model.source not in _NOT_OF_THE_HUB and not spec.where.on.has_queue
    if spec.deliver.store == "hf" or from_hub:
        pod_token()
    _refuse_out_of_reach(spec)
    match spec.deliver.store:
        case "direct":
            return
        case "s3":
            s3().check(*_bucket(spec, settings))
        case "supabase":
            store = supabase()
            require_private(store, SupabaseStore(store).bucket)
        case "hf":
            if hub_account().who().role == "read":
                raise CredentialsError(
                    "deliver.store=hf: the Hub token may only read",
                    code="token_scope",
                    hint="make one with write access at huggingface.co/settings/tokens",
                )
        case "volume":
            raise places.volume_refused()


def _refuse_out_of_reach(spec: TrainingSpec) -> None:
    """A store on this machine is out of a real pod's reach; the stand-in's pods run here.

    Raises:
        SpecError: code `store_out_of_reach`.
    """
    account, project = s3_credentials(), supabase_access()
    places_of = {
        "s3": account.endpoint_url if account else None,
        "supabase": project.url if project else None,
        "hf": hub_access().url,
    }
    url = places_of.get(spec.deliver.store)
    here = url is not None and is_loopback(urlsplit(url).hostname or "")
    if here and not is_loopback(urlsplit(runpod_access().rest_url).hostname or ""):
        raise SpecError(
            f"deliver.store={spec.deliver.store}: a rented machine cannot reach {url}",
            code="store_out_of_reach",
            hint="use --set deliver.store=direct, or a store with an address of its own",
        )


def _bucket(spec: TrainingSpec, settings: Settings) -> tuple[str, str]:
    """Bucket and prefix of the S3 store."""
    if settings.s3_bucket:
        bucket, _, prefix = settings.s3_bucket.removeprefix("s3://").partition("/")
        parse_source(f"s3://{bucket}/{prefix.strip('/') or 'x'}")
        return bucket, prefix
    target = targets.parse(spec.deliver.to) if spec.deliver.to else None
    if isinstance(target, targets.Bucket) and target.scheme == "s3":
        archive = target.path.endswith(targets.ARCHIVES)
        return target.bucket, target.path.rpartition("/")[0] if archive else target.path
    raise SpecError(
        "deliver.store=s3 needs a bucket, and none is named",
        code="bucket_needed",
        hint="export PODTUNE_S3_BUCKET=my-bucket/prefix, or --set deliver.to=s3://my-bucket/prefix",
    )
