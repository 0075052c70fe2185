"""A base model's tokenizer on this machine: at hand, or brought here."""

import json
import subprocess
import sys

from podtune.app import wiring
from podtune.app.settings import Settings
from podtune.core.errors import PodtuneError, StateError
from podtune.core.redact import scrub
from podtune.core.spec import BaseModelSpec
from podtune.data.template import TokenizerFolder
from podtune.intake.defaults import DEFAULT_BASE_MODEL
from podtune.storage import base_models


def at_hand(model: str | None, settings: Settings) -> TokenizerFolder | None:
    """The tokenizer of a model that somebody named, or the default one's where it is here already.

    Raises:
        PodtuneError: a model that was named is not known.
    """
    if model is not None:
        return bring(model, settings)
    folder = settings.models / base_models.CONVERTED_FOLDER
    return TokenizerFolder(folder) if (folder / "tokenizer.json").is_file() else None


def bring(model: str | None, settings: Settings) -> TokenizerFolder:
    """The tokenizer and chat template of a model; the packaged one is converted once (seconds).

    Raises:
        PodtuneError: not known, not reachable, or it cannot be converted here.
    """
    spec = BaseModelSpec(name=model or DEFAULT_BASE_MODEL)
    located = base_models.locate(spec, settings.models, prefer_package=model is None)
    if located.folder is not None:
        return TokenizerFolder(located.folder)
    _convert(spec.model_copy(update={"source": located.source}), settings)
    return TokenizerFolder(settings.models / base_models.CONVERTED_FOLDER)


def _convert(spec: BaseModelSpec, settings: Settings) -> None:
    """Let the worker's own program make the folder; it needs the training libraries."""
    program = wiring.worker_folder() / "base_model.py"
    settings.models.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        [sys.executable, str(program), "--models", str(settings.models), spec.model_dump_json()],
        env=wiring.program_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise _failure(done.stdout, done.stderr)


def _failure(said: str, log: str) -> PodtuneError:
    try:
        value = json.loads(said.strip().splitlines()[-1])
        return StateError(value["message"], code=value["code"], hint=value["hint"])
    except (ValueError, IndexError, KeyError, TypeError):
        last = next((line for line in reversed(log.splitlines()) if line.strip()), "")
        return StateError(
            f"the packaged base model cannot be converted: {scrub(last)[:200]}",
            code="conversion_failed",
            hint="podtune doctor says what is missing; or name another with --model",
        )
