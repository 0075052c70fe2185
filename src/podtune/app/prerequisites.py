"""What has to be there before a kind of work can begin: `podtune doctor --for ...`.

Specification B's list for serverless workers, and the same for the other places. Each thing is looked at, not
assumed: keys are sent to their owners, addresses are asked. Nothing is changed, and no key is shown whole.
"""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from podtune.app import doctor, image_tools, settings, stores
from podtune.app.doctor import Check, State
from podtune.app.purposes import REFERENCE_MODEL, Purpose
from podtune.app.settings import LoadedSettings
from podtune.core.errors import PodtuneError
from podtune.core.redact import mask
from podtune.planning.cache_size import GB
from podtune.providers.runpod import account
from podtune.providers.runpod.answers import BILLING_PAGE
from podtune.providers.runpod.client import RunPodClient
from podtune.storage.access import SUPABASE_BUCKET
from podtune.storage.hub_model_files import ModelListing

LOW_USD: Final = 5
"""Below this a balance is told: RunPod wants an hour of a machine up front (runpod.md 3, 2026-11-22)."""


def examine(loaded: LoadedSettings, purpose: Purpose, model: str = REFERENCE_MODEL) -> list[Check]:
    """Look at everything that a purpose needs; what is `bad` has to be mended first.

    Args:
        loaded: Settings of this installation.
        purpose: What is to be done.
        model: Base model of the serverless workers.
    """
    parts: dict[Purpose, list[Callable[[], Iterator[Check]]]] = {
        Purpose.LOCAL: [lambda: iter(doctor.local(loaded))],
        Purpose.RUNPOD: [_runpod, lambda: iter(doctor.machines(loaded)), _pod_token],
        Purpose.SERVERLESS: [
            _runpod,
            _builder,
            _registry_login,
            lambda: _model(model),
            _supabase,
            _supabase_cli,
        ],
        Purpose.SUPABASE: [_supabase, _supabase_cli],
    }
    return [check for part in parts[purpose] for check in part()]


def _runpod() -> Iterator[Check]:
    """The key, whether RunPod takes it, and what the account holds."""
    try:
        access = settings.runpod_access()
        key = access.key()
    except PodtuneError as error:
        yield _bad("RunPod key", error)
        return
    try:
        with RunPodClient(access) as client:
            account.check_key(client)
            odd = access.odd_key
            yield Check(
                name="RunPod key",
                state=State.NOTE if odd else State.OK,
                found=f"{mask(key)}, accepted",
                next_step=odd,
            )
            yield _balance(account.funds(client))
    except PodtuneError as error:
        yield _bad("RunPod key", error)


def _balance(funds: account.Funds | None) -> Check:
    if funds is None:
        return Check(
            name="RunPod balance",
            state=State.NOTE,
            found="unknown: RunPod does not say (only its GraphQL does, for some keys)",
            next_step=f"look at {BILLING_PAGE}",
        )
    is_low = funds.balance_usd < LOW_USD
    return Check(
        name="RunPod balance",
        state=State.BAD if funds.balance_usd <= 0 else State.NOTE if is_low else State.OK,
        found=f"${funds.balance_usd:.2f}, ${funds.spends_usd_per_hour:.2f} an hour is being spent",
        next_step=f"add credit at {BILLING_PAGE}" if is_low else None,
    )


def _pod_token() -> Iterator[Check]:
    """The Hub token that machines may be handed; only gated models and the Hub store need it."""
    try:
        token = stores.pod_token()
    except PodtuneError as error:
        yield _bad("Hub token of pods", error)
        return
    yield Check(
        name="Hub token of pods",
        state=State.OK if token else State.NOTE,
        found="fine-grained, accepted" if token else "PODTUNE_POD_HF_TOKEN is not set",
        next_step=None if token else "for gated models: a fine-grained token that may read them",
    )


def _builder() -> Iterator[Check]:
    """A program that builds images, and answers."""
    try:
        tool = image_tools.find()
    except PodtuneError as error:
        yield _bad("Image builder", error)
        return
    yield Check(name="Image builder", state=State.OK, found=f"{tool.name} answers")


def _registry_login() -> Iterator[Check]:
    """Whether a login to a registry is kept here; which one is for `podtune runpod image` to say."""
    places = (Path("~/.docker/config.json"), Path("~/.config/containers/auth.json"))
    kept = sorted({name for place in places for name in _logins(place.expanduser())})
    yield Check(
        name="Image registry",
        state=State.OK if kept else State.NOTE,
        found=f"logged in to {', '.join(kept)}" if kept else "no login is kept on this machine",
        next_step=None if kept else "docker login (or: buildah login docker.io)",
    )


def _logins(path: Path) -> list[str]:
    """Names of registries that a file holds a login of; never the login."""
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    if not isinstance(said, dict):
        return []
    known: set[str] = set()
    for part in ("auths", "credHelpers"):
        held: object = said.get(part)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        if isinstance(held, dict):
            known |= {str(name).split("//")[-1].split("/")[0] for name in held}  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    return sorted(known)


def _model(model: str) -> Iterator[Check]:
    """Whether the Hub gives the model, to this machine and to a rented one."""
    try:
        listing = ModelListing(settings.hub_access())
        found = listing.files(model)
    except PodtuneError as error:
        yield _bad("Base model", error)
        return
    size = f"{found.total_bytes / GB:.1f} GB in {len(found.files)} files"
    yield Check(name="Base model", state=State.OK, found=f"{model} at {found.commit[:12]}, {size}")
    if not found.is_restricted:
        return
    try:
        token = stores.pod_token()
    except PodtuneError as error:
        yield _bad("Hub token of pods", error)
        return
    if token is None:
        yield Check(
            name="Hub token of pods",
            state=State.BAD,
            found=f"{model} is gated, and a rented machine has no token to fetch it",
            next_step="make a fine-grained token that may read it at huggingface.co/settings/tokens, "
            "then: export PODTUNE_POD_HF_TOKEN=...",
        )
        return
    yield Check(name="Hub token of pods", state=State.OK, found="fine-grained, accepted")


def _supabase() -> Iterator[Check]:
    """The project's address and key, and the bucket of the adapters."""
    present = settings.vendor_keys()
    names = ("SUPABASE_URL", "SUPABASE_SERVICE_ROLE_KEY")
    missing = [name for name in names if name not in present]
    if missing:
        yield Check(
            name="Supabase",
            state=State.BAD,
            found=f"not set: {', '.join(missing)}",
            next_step="export them: Project Settings, Data API and API keys",
        )
        return
    try:
        is_public = stores.supabase().is_public(SUPABASE_BUCKET)
    except PodtuneError as error:
        yield _bad("Supabase", error)
        return
    yield Check(name="Supabase", state=State.OK, found=f"{present['SUPABASE_URL']}, key accepted")
    if is_public is None:
        yield Check(
            name="Supabase bucket",
            state=State.BAD,
            found=f"there is no bucket {SUPABASE_BUCKET}",
            next_step=f"make a private bucket {SUPABASE_BUCKET}: Storage, New bucket",
        )
        return
    yield Check(
        name="Supabase bucket",
        state=State.BAD if is_public else State.OK,
        found=f"{SUPABASE_BUCKET} is {'public: anybody could read adapters' if is_public else 'private'}",
        next_step="make it private: Storage, Edit bucket" if is_public else None,
    )


def _supabase_cli() -> Iterator[Check]:
    """The program that sets secrets and deploys functions; podtune prints its commands."""
    there = shutil.which("supabase") is not None
    yield Check(
        name="Supabase CLI",
        state=State.OK if there else State.NOTE,
        found="installed" if there else "not installed (optional)",
        next_step=None
        if there
        else "supabase.com/docs/guides/cli, for the secrets of the function",
    )


def _bad(name: str, error: PodtuneError) -> Check:
    return Check(name=name, state=State.BAD, found=error.message, next_step=error.hint)
